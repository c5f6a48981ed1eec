"""Nobody who writes beside the work waits for a reader, and what nobody reads is counted."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import pytest

from migrator.io.console import AT_ONCE, Stream, Terminal

NAME = "piped"
"""A stream of its own: those that have a name are captured between the parts of a test."""


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The reading end of the pipe that NAME goes to."""
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, NAME, stream, raising=False)
        yield ours
        monkeypatch.undo()
    os.close(ours)


def everything(pipe: int, found: list[str]) -> threading.Thread:
    """Reads, in a thread, until nothing more will come."""

    def read() -> None:
        with os.fdopen(os.dup(pipe), encoding="utf-8") as stream:
            for line in stream:
                found.append(line)
                if line == "the end\n":
                    return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def until_all_is_taken(stream: Stream) -> None:
    """How many lines that is depends on how soon the writing thread began."""
    beside, end = stream._beside, time.monotonic() + 15.0
    assert beside is not None
    while beside._held:
        assert time.monotonic() < end
        time.sleep(0.01)


def terminal_of(name: str) -> Terminal:
    terminal = Terminal()
    terminal._name = name
    return terminal


LINE = "x" * 99


def test_who_writes_into_a_pipe_that_nobody_reads_goes_on(pipe):
    stream = Stream(NAME)
    stream.write_beside()

    began = time.monotonic()
    for number in range(20_000):
        stream.line(f"{number} {LINE}")
    took = time.monotonic() - began

    assert took < 5.0
    assert not stream.end_beside(0.2)
    found: list[str] = []
    reading = everything(pipe, found)
    stream.line("the end")
    assert stream.end_beside()
    reading.join()
    assert [int(line.split()[0]) for line in found[:-1]] == list(range(20_000))


def test_beyond_the_bound_lines_are_left_out_counted_and_the_rest_is_in_order(pipe):
    stream = Stream(NAME)
    stream.gap = lambda count: f"gap {count}"
    stream.write_beside(50_000)
    for number in range(10_000):
        stream.line(f"{number} {LINE}")

    found: list[str] = []
    reading = everything(pipe, found)
    until_all_is_taken(stream)
    stream.line("the end")
    assert stream.end_beside()
    reading.join()

    expected = gaps = 0
    for line in found[:-1]:
        first, second = line.split()
        if first == "gap":
            gaps, expected = gaps + 1, expected + int(second)
        else:
            assert int(first) == expected
            expected += 1
    assert expected == 10_000
    assert 1 <= gaps <= 5
    assert found[-1] == "the end\n"


def test_live_lines_that_nobody_saw_give_way_to_newer_ones(pipe):
    terminal = terminal_of(NAME)
    terminal.write_beside()
    terminal.write("x" * (AT_ONCE * 4) + "\n")  # which fills the pipe
    for number in range(1000):
        terminal.live(f"frame {number}")

    found: list[str] = []
    reading = everything(pipe, found)
    terminal.keep_live()
    terminal.line("the end")
    assert terminal.end_beside()
    reading.join()

    assert sum(line.count("frame") for line in found) <= 3
    assert "frame 999" in "".join(found)


def test_a_line_stays_before_the_frames_that_came_after_it(pipe):
    terminal = terminal_of(NAME)
    terminal.write_beside()
    terminal.write("x" * (AT_ONCE * 4) + "\n")
    terminal.live("frame 1")
    terminal.line("between")
    terminal.live("frame 2")
    terminal.keep_live()

    found: list[str] = []
    reading = everything(pipe, found)
    terminal.line("the end")
    assert terminal.end_beside()
    reading.join()

    said = "".join(found)
    assert said.index("frame 1") < said.index("between") < said.index("frame 2")


def test_one_line_that_cannot_be_written_does_not_spoil_those_around_it(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, NAME, stream, raising=False)
        out = Stream(NAME)
        out.write("grün\n镜像\n")
        out.flush()
        monkeypatch.undo()

    assert (tmp_path / "out").read_text("latin-1") == "grün\n\\u955c\\u50cf\n"


def test_a_reader_who_hangs_up_ends_the_waiting(pipe, monkeypatch):
    ours, theirs = os.pipe()
    stream: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
    monkeypatch.setattr(sys, NAME, stream, raising=False)
    out = Stream(NAME)
    out.write_beside()
    for _ in range(5000):
        out.line(LINE)
    assert not out.end_beside(0.1)

    os.close(ours)

    assert out.end_beside(5.0)
    assert out.failure is None
    with suppress(BrokenPipeError):
        stream.close()


def test_a_stream_that_fails_in_a_way_nobody_foresaw_keeps_nobody_waiting(monkeypatch):
    class Broken:
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call")

    monkeypatch.setattr(sys, NAME, Broken(), raising=False)
    stream = Stream(NAME)
    stream.write_beside()

    stream.line("a line")

    assert stream.end_beside(5.0)
