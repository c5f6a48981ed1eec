"""Reading the files that a person names."""

import os
import stat

from migrator.errors import PlanError

MOST_BYTES = 256 * 1024 * 1024
"""No plan is larger: a hundred thousand images take a tenth of it."""

_AT_ONCE = 16 * 1024 * 1024


def read_plan_bytes(path: str) -> bytes:
    """The content of a plan file.

    Raises PlanError, with one line that names the file, when there is no such file, it may not be read, is
    not an ordinary file, or holds more than MOST_BYTES; a larger one is not read at all.
    """
    try:
        # Without waiting: opening a pipe that nobody writes to would take for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _refused(path, "there is no such file; `migrator init PATH` writes one to start from") from None
    except PermissionError:
        raise _refused(path, "you may not read this file; ask its owner, or change its mode") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise _refused(path, f"the file cannot be opened: {_reason(error)}") from None
    try:
        return _read(path, descriptor)
    except OSError as error:
        raise _refused(path, f"the file cannot be read: {_reason(error)}") from None
    finally:
        os.close(descriptor)


def _read(path: str, descriptor: int) -> bytes:
    state = os.fstat(descriptor)
    if stat.S_ISDIR(state.st_mode):
        raise _refused(path, "this is a directory; name the plan file in it")
    if not stat.S_ISREG(state.st_mode):
        raise _refused(path, "this is not an ordinary file; a plan is read again by every later run")
    size = state.st_size
    content: list[bytes] = []
    while size <= MOST_BYTES and (more := os.read(descriptor, _AT_ONCE)):
        content.append(more)
        size = max(state.st_size, sum(map(len, content)))  # it may grow while it is read
    if size > MOST_BYTES:
        raise _refused(
            path, f"the file has {size // 1024**2} MiB, and a plan at most 256; is it the right one?"
        )
    return b"".join(content)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _refused(path: str, reason: str) -> PlanError:
    return PlanError([f"{path}: {reason}"])
