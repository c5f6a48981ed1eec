"""One writer at a time: an flock on a file beside the journal, which says who holds it.

The kernel lets go of an flock when its holder dies, however it dies, so a killed run leaves no stale lock
(flock(2)). The file itself stays: removing it would let two runs hold locks on two files of one name.
"""

import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.domain.errors import JournalError, JournalLocked
from migrator.journal.port import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Held from `acquire` to `release`."""

    path: Path
    fd: int
    inode: tuple[int, int]
    """Device and number of the locked file."""

    @classmethod
    def acquire(cls, path: Path, *, version: str) -> "Lock":
        """Take the lock, or raise JournalLocked at once, with who holds it.

        Raises JournalError where the file system has no locks, OSError where the file cannot be made.
        """
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _flock(fd, path)
                found = os.fstat(fd)
                if inode(path) == (found.st_dev, found.st_ino):
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, json.dumps(asdict(_this_process(version))).encode(), 0)
                    return cls(path=path, fd=fd, inode=(found.st_dev, found.st_ino))
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # somebody removed the file between open and flock: lock the one that is there now

    def release(self) -> None:
        os.close(self.fd)


def lock_path(path: Path) -> Path:
    """The lock file of the journal at `path`."""
    return path.with_suffix(".lock")


def holder(path: Path) -> Holder | None:
    """Who holds the lock at `path`; None for nobody, and where that cannot be told.

    To ask is to share the lock for an instant, so only somebody who acquires it in that very instant could
    take the question for a holder; `acquire` therefore tries twice.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def inode(path: Path | str) -> tuple[int, int] | None:
    """Device and number of the file at `path`; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - after each commit
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _flock(fd: int, path: Path) -> None:
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)  # longer than `holder` shares it
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalLocked(f"{path}: the journal is held by {_holder(fd)}") from None
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}:
            raise
        raise JournalError(
            f"{path}: this file system has no locks ({error.strerror}), so two runs could meet here",
            hint="Keep the journal on a local disk: `--reports-dir DIR`.",
        ) from None


def _this_process(version: str) -> Holder:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(pid=os.getpid(), host=socket.gethostname(), since=since, version=version)


def _holder(fd: int) -> Holder:
    """Who wrote into the lock file; it may be empty for a moment, or hold anything."""
    try:
        found = json.loads(os.pread(fd, 4096, 0))
        return Holder(
            pid=int(found["pid"]),
            host=str(found["host"]),
            since=str(found["since"]),
            version=str(found["version"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return Holder()
