"""Reading the file that a person named: its content, or one clear line about why not."""

import os
from pathlib import Path

import pytest

from migrator.domain.errors import PlanError
from migrator.io import files
from migrator.io.files import MOST_BYTES, read_plan_bytes


def refusal(path: Path | str) -> str:
    with pytest.raises(PlanError) as caught:
        read_plan_bytes(str(path))
    (problem,) = caught.value.problems
    assert caught.value.exit_code == 2
    assert problem.startswith(f"{path}: ")
    return problem.removeprefix(f"{path}: ")


def test_a_plan_is_read_as_it_is(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"[plan]\r\nname = '\xff'\0")

    assert read_plan_bytes(str(path)) == b"[plan]\r\nname = '\xff'\0"


def test_a_plan_may_be_a_link(tmp_path):
    (tmp_path / "real.toml").write_bytes(b"x")
    (tmp_path / "plan.toml").symlink_to("real.toml")

    assert read_plan_bytes(str(tmp_path / "plan.toml")) == b"x"


def test_a_plan_of_several_reads_is_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_AT_ONCE", 7)
    path = tmp_path / "plan.toml"
    path.write_bytes(bytes(range(100)))

    assert read_plan_bytes(str(path)) == bytes(range(100))


def test_a_missing_plan_is_told_with_the_way_to_one(tmp_path):
    assert (
        refusal(tmp_path / "x.toml") == "there is no such file; `migrator init PATH` writes one to start from"
    )


def test_a_directory_is_no_plan(tmp_path):
    assert refusal(tmp_path) == "this is a directory; name the plan file in it"


def test_a_pipe_that_nobody_writes_to_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "plan.toml")

    assert refusal(tmp_path / "plan.toml").startswith("this is not an ordinary file")


def test_a_device_without_end_is_not_read():
    assert refusal("/dev/zero").startswith("this is not an ordinary file")


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def forbid(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", forbid)

    assert refusal(tmp_path / "plan.toml") == "you may not read this file; ask its owner, or change its mode"


def refused_by_python() -> str:
    """The words of this Python, which differ from one version to the next."""
    with pytest.raises(ValueError, match="embedded null") as refused:
        os.open("a\0b", os.O_RDONLY)
    return str(refused.value)


NUL = f"the file cannot be opened: {refused_by_python()}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("a\0b", NUL, id="a NUL in its name"),
        pytest.param("n" * 300, "the file cannot be opened: File name too long", id="too long a name"),
        pytest.param("/dev/null/x", "the file cannot be opened: Not a directory", id="a file for a folder"),
    ],
)
def test_a_name_that_cannot_be_opened_is_told(path, reason):
    assert refusal(path) == reason


def test_a_huge_file_is_refused_without_reading_it(tmp_path, monkeypatch):
    path = tmp_path / "plan.toml"
    with path.open("wb") as file:
        file.truncate(1024**3)
    monkeypatch.setattr(os, "read", lambda descriptor, size: pytest.fail("it was read"))

    assert refusal(path) == "the file has 1024 MiB, and a plan at most 256; is it the right one?"


def test_a_file_that_grows_while_it_is_read_is_not_followed_for_ever(tmp_path, monkeypatch):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"x")
    chunk = bytes(MOST_BYTES // 8)
    monkeypatch.setattr(os, "read", lambda descriptor, size: chunk)

    assert "at most 256" in refusal(path)


def test_a_read_error_is_told_and_nothing_stays_open(tmp_path, monkeypatch):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"x")
    closed = []
    close = os.close

    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    def count(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "read", fail)
    monkeypatch.setattr(os, "close", count)

    assert refusal(path) == "the file cannot be read: Input/output error"
    assert len(closed) == 1
