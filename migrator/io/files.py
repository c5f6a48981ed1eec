"""Reading the files that a person names."""

import os
import stat

from migrator.domain.errors import PlanError
from migrator.domain.sheets import Unreadable

MOST_BYTES = 256 * 1024 * 1024
"""No plan is larger: a hundred thousand images take a tenth of it."""

_AT_ONCE = 64 * 1024


def read_plan_bytes(path: str) -> bytes:
    """The content of a plan file.

    Raises PlanError, with one line that names the file, when there is no such file, it may not be read, is
    not an ordinary file, or holds more than MOST_BYTES; a larger one is not read at all.
    """
    try:
        return _content(path, "a plan")
    except FileNotFoundError:
        reason = "there is no such file; `migrator init PATH` writes one to start from"
    except _Refused as error:
        reason = str(error)
    raise PlanError([f"{path}: {reason}"]) from None


def read_inventory_bytes(path: str) -> bytes:
    """The content of a spreadsheet. Raises Unreadable under the conditions of `read_plan_bytes`."""
    try:
        return _content(path, "an inventory")
    except FileNotFoundError:
        raise Unreadable("is not there", f"looked for {path}; paths are relative to the plan") from None
    except _Refused as error:
        raise Unreadable("cannot be read", f"{path}: {error}") from None


class _Refused(Exception):
    """Why a file is not read, and what to do."""


def _content(path: str, kind: str) -> bytes:
    """What an ordinary file holds. Raises FileNotFoundError, and _Refused for every other reason."""
    try:
        # Without waiting: opening a pipe that nobody writes to would take for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except PermissionError:
        raise _Refused("you may not read this file; ask its owner, or change its mode") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise _Refused(f"the file cannot be opened: {_reason(error)}") from None
    try:
        return _read(descriptor, kind)
    except OSError as error:
        raise _Refused(f"the file cannot be read: {_reason(error)}") from None
    finally:
        os.close(descriptor)


def _read(descriptor: int, kind: str) -> bytes:
    state = os.fstat(descriptor)
    if stat.S_ISDIR(state.st_mode):
        raise _Refused(f"this is a directory; name the {kind.split()[1]} file in it")
    if not stat.S_ISREG(state.st_mode):
        raise _Refused(f"this is not an ordinary file; {kind} is read again by every later run")
    size = state.st_size
    content: list[bytes] = []
    while size <= MOST_BYTES and (more := os.read(descriptor, _AT_ONCE)):
        content.append(more)
        size = max(state.st_size, sum(map(len, content)))  # it may grow while it is read
    if size > MOST_BYTES:
        raise _Refused(f"the file has {size // 1024**2} MiB, and {kind} at most 256; is it the right one?")
    return b"".join(content)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
