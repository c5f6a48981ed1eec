"""Write a file atomically, all of it or nothing: a reader, a crash or a full disk never meets half of one."""

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from migrator.domain.errors import ReportError

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


def _replace(folder: int, name: str, content: bytes | Callable[[BinaryIO], None], mode: int) -> None:
    # Everything happens inside one open folder, so that nobody can swap the path under our feet.
    draft = f".{name[:40]}.{secrets.token_hex(8)}.part"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
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
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


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
