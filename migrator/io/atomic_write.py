"""Write a file atomically, all of it or nothing: a reader, a crash or a full disk never meets half of one."""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from migrator.domain.errors import ReportError

_KEPT = 40
"""Characters of a file's name that its draft bears."""

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
"""Some network file systems cannot sync a folder; the file itself was synced before."""

_HINTS = {
    errno.ENOSPC: "The disk is full: make room and run the same command again.",
    errno.EDQUOT: "Your disk quota is used up: make room and run the same command again.",
    errno.EROFS: "The file system is read-only: choose another folder with --reports-dir.",
    errno.EACCES: "Fix the permissions of the folder, or choose another one with --reports-dir.",
    errno.EPERM: "Fix the permissions of the folder, or choose another one with --reports-dir.",
    errno.ENOENT: "The folder does not exist: create it and run the same command again.",
    errno.EISDIR: "A folder has that name: move it away, or choose another name.",
}


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], None], *, mode: int = 0o644) -> None:
    """Put `content`, or what a callable writes, at `path`, durably; what was there stays as it is until then.

    `mode` are the permissions before the umask. A symbolic link at `path` is replaced, not followed. Raises
    ReportError when the file system says no, and whatever the callable raises; either way the old file is
    as it was and nothing is left beside it.
    """
    if "\0" in str(path):
        raise _failure(path, OSError(errno.EINVAL, "no file can have a NUL character in its name"))
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _replace(folder, path.name, content, mode)
        finally:
            os.close(folder)
    except OSError as error:
        raise _failure(path, error) from error


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what writers of these files left in their folder when they were killed.

    Whoever still writes holds a lock on its draft. Where there are no locks, nothing is removed. Never fails.
    """
    begins = "|".join(re.escape(name[:_KEPT]) for name in names)
    draft = re.compile(rf"\.(?:{begins})\.[0-9a-f]{{16}}\.part")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if draft.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_unless_locked(Path(entry.path))


def _remove_unless_locked(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(file)


def _replace(folder: int, name: str, content: bytes | Callable[[BinaryIO], None], mode: int) -> None:
    # Everything happens inside one open folder, so that nobody can swap the path under our feet.
    draft, file, lock = _begin_draft(folder, name, mode)
    try:
        try:
            _fill(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    finally:
        os.close(lock)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _begin_draft(folder: int, name: str, mode: int) -> tuple[str, int, int]:
    """A new file to write into, by its name and open, and what holds the lock that says so."""
    while True:
        draft = f".{name[:_KEPT]}.{secrets.token_hex(8)}.part"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
        with suppress(OSError):  # some network file systems know no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return draft, file, os.dup(file)
        os.close(file)  # somebody took it for a leftover before it was locked


def _fill(file: int, content: bytes | Callable[[BinaryIO], None]) -> None:
    # A writer may close what it was given (a TextIOWrapper does when it is collected): the descriptor is ours
    with open(file, "wb", closefd=False) as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            content(stream)


def _failure(path: Path, error: OSError) -> ReportError:
    reason = error.strerror or str(error)
    return ReportError(f"cannot write {str(path)!r}: {reason}", hint=_HINTS.get(error.errno or 0))
