"""All of a file or nothing: whatever fails on the way, a reader finds the old file or the new one."""

import errno
import fcntl
import io
import os
import signal
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from migrator.domain.errors import ReportError
from migrator.io.atomic_write import remove_leftovers, write_atomically


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    return path


def test_bytes_and_a_writer_both_replace_what_was_there(report):
    write_atomically(report, b"new")
    assert report.read_bytes() == b"new"

    def write(stream):
        stream.write(b"a" * 100_000)
        stream.write(b"b")

    write_atomically(report, write)
    assert report.read_bytes() == b"a" * 100_000 + b"b"
    assert files(report.parent) == ["report.json"]


def test_a_file_that_was_not_there_is_made(tmp_path):
    write_atomically(tmp_path / "镜像.csv", b"new")
    assert (tmp_path / "镜像.csv").read_bytes() == b"new"


def test_a_relative_path_and_the_longest_name_are_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "镜" * 85  # 255 bytes, as long as a name may be
    write_atomically(Path(name), b"new")
    assert (tmp_path / name).read_bytes() == b"new"


def test_a_writer_may_close_the_stream(report):
    def write(stream):
        with io.TextIOWrapper(stream, encoding="utf-8") as text:
            text.write("名")

    write_atomically(report, write)
    assert report.read_text(encoding="utf-8") == "名"


@pytest.mark.parametrize(
    ("mode", "umask", "expected"), [(0o644, 0o022, 0o644), (0o644, 0o077, 0o600), (0o600, 0, 0o600)]
)
def test_permissions_are_those_asked_for_less_the_umask(report, mode, umask, expected):
    before = os.umask(umask)
    try:
        write_atomically(report, b"new", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(report.stat().st_mode) == expected


def test_nobody_ever_sees_half_a_file(report):
    report.write_bytes(b"0" * 50_000)
    contents, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            content = report.read_bytes()
            contents.add((len(content), content.count(content[:1])))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for digit in range(10):
            write_atomically(report, b"%d" % digit * 50_000)
    finally:
        stop.set()
        reader.join()

    assert contents == {(50_000, 50_000)}


def test_a_symbolic_link_is_replaced_and_what_it_points_to_is_not_touched(tmp_path):
    target, link = tmp_path / "precious", tmp_path / "report.json"
    target.write_bytes(b"precious")
    link.symlink_to(target)

    write_atomically(link, b"new")

    assert target.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()], ids=["bug", "Ctrl-C"])
def test_a_writer_that_breaks_off_leaves_the_old_file_and_nothing_else(report, error):
    def write(stream):
        stream.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(report, write)

    assert report.read_bytes() == b"old"
    assert files(report.parent) == ["report.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_while_writing_keeps_the_old_file(report, monkeypatch):
    real_open = os.open

    def opened(path, flags, *rest, **more):
        if flags & os.O_CREAT:
            os.close(real_open(path, flags, *rest, **more))
            return real_open("/dev/full", os.O_WRONLY)
        return real_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(ReportError, match="No space left on device") as caught:
        write_atomically(report, b"n" * 1_000_000)

    assert "report.json" in str(caught.value)
    assert "full" in caught.value.hint
    assert report.read_bytes() == b"old"
    assert files(report.parent) == ["report.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_at_the_last_moment_keeps_the_old_file(report, monkeypatch, call, number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ReportError, match=r"report\.json"):
        write_atomically(report, b"new")

    assert report.read_bytes() == b"old"
    assert files(report.parent) == ["report.json"]


def test_the_file_and_then_the_folder_are_made_durable(report, monkeypatch):
    calls: list[object] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(file):
        status = os.fstat(file)
        calls.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)
        real_fsync(file)

    def replace(*args, **kwargs):
        calls.append("replace")
        real_replace(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)

    write_atomically(report, b"12345")

    assert calls == [5, "replace", "folder"]


def test_a_file_system_that_cannot_sync_folders_is_good_enough(report, monkeypatch):
    real_fsync = os.fsync

    def fsync(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(report, b"new")
    assert report.read_bytes() == b"new"


def test_a_missing_folder_a_folder_in_the_way_and_an_impossible_name_are_clear_errors(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "x", tmp_path / "folder", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(ReportError) as caught:
            write_atomically(path, b"new")
        assert repr(str(path))[1:-1] in str(caught.value)
        assert caught.value.hint

    assert files(tmp_path) == ["folder"]


@pytest.fixture
def forbidden():
    """A report in a folder that may not be written; root, who may do anything, is somebody else meanwhile."""
    root, nobody = os.geteuid() == 0, 65534
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder, path = Path(name), Path(name) / "report.json"
        path.write_bytes(b"old")
        if root:
            os.chown(folder, nobody, nobody)
            os.seteuid(nobody)
        folder.chmod(0o500)
        try:
            yield path
        finally:
            folder.chmod(0o700)
            if root:
                os.seteuid(0)


def test_a_folder_without_permission_is_a_clear_error(forbidden):
    with pytest.raises(ReportError, match="Permission denied") as caught:
        write_atomically(forbidden, b"new")

    assert "--reports-dir" in caught.value.hint
    assert forbidden.read_bytes() == b"old"


# --- Leftovers ------------------------------------------------------------------------------------------

LEFT = ".report.json.0123456789abcdef.part"


def test_what_a_killed_writer_left_is_removed(report):
    child = os.fork()
    if child == 0:  # killed in the middle of writing
        write_atomically(report, lambda stream: os.kill(os.getpid(), signal.SIGKILL))
    os.waitpid(child, 0)
    assert len(files(report.parent)) == 2

    remove_leftovers(report.parent, ["report.json", "report.csv"])

    assert files(report.parent) == ["report.json"]
    assert report.read_bytes() == b"old"


def test_a_draft_that_somebody_still_writes_stays(report):
    def meanwhile(stream: BinaryIO) -> None:
        stream.write(b"new")
        remove_leftovers(report.parent, ["report.json"])

    write_atomically(report, meanwhile)

    assert report.read_bytes() == b"new"


def test_a_draft_is_locked_until_it_has_its_name(report, monkeypatch):
    replace = os.replace

    def late(*given: Any, **more: Any) -> None:
        remove_leftovers(report.parent, ["report.json"])
        replace(*given, **more)

    monkeypatch.setattr(os, "replace", late)

    write_atomically(report, b"new")

    assert report.read_bytes() == b"new"


def test_a_draft_that_was_taken_for_a_leftover_before_it_was_locked_is_begun_anew(report, monkeypatch):
    lock, taken = fcntl.flock, list[int]()

    def too_late(file: int, how: int) -> None:
        if how == fcntl.LOCK_EX and not taken:
            taken.append(file)
            remove_leftovers(report.parent, ["report.json"])
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", too_late)

    write_atomically(report, b"new")

    assert taken
    assert report.read_bytes() == b"new"
    assert files(report.parent) == ["report.json"]


@pytest.mark.parametrize(
    "name",
    [
        ".report.xlsx.0123456789abcdef.part",
        ".report.json.part",
        "report.json",
        ".report.json.0123456789abcdef",
    ],
)
def test_nothing_else_is_removed(tmp_path, name):
    (tmp_path / name).write_bytes(b"something else")
    (tmp_path / LEFT).mkdir()

    remove_leftovers(tmp_path, ["report.json"])

    assert sorted(files(tmp_path)) == sorted([name, LEFT])


def test_where_there_is_no_folder_nothing_is_left(tmp_path):
    remove_leftovers(tmp_path / "nowhere", ["report.json"])


def test_where_there_are_no_locks_reports_are_written_and_drafts_stay(report, monkeypatch):
    def none(*given: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    (report.parent / LEFT).write_bytes(b"half")
    monkeypatch.setattr(fcntl, "flock", none)

    remove_leftovers(report.parent, ["report.json"])
    write_atomically(report, b"new")

    assert report.read_bytes() == b"new"
    assert LEFT in files(report.parent)
