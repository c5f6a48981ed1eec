"""Output of what lasts: whether anybody reads it or not, the work goes on, and signals end it."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from migrator.io.console import STDERR, STDOUT

PATIENCE = 1.0
"""Seconds that a run which was told to end waits for a reader that takes nothing."""

_signalled = threading.Event()
"""A signal came since `begin`, perhaps too late to be what ended the work."""

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""The exit codes of the signals that end a command."""


def begin(*, json: bool) -> None:
    """From now on nobody waits for a reader."""
    _signalled.clear()
    STDOUT.gap = _left_out_as_json if json else _left_out
    STDERR.gap = _left_out
    STDOUT.write_beside()
    STDERR.write_beside()


def wait_for_readers() -> None:
    """From now on nothing is left out, however slow a reader: what is said is an answer, not news."""
    STDERR.end_beside()
    STDOUT.end_beside()


def end(code: int) -> None:
    """Let the readers have what is left; this process ends with `code`.

    They may take as long as they like, unless a signal has ended the work. One that comes now ends the
    waiting too.
    """
    patience = PATIENCE if _signalled.is_set() or code in CODES.values() else None
    with handled(lambda number: os._exit(CODES[number])):
        ended = [stream.end_beside(patience) for stream in (STDERR, STDOUT)]
    if not all(ended):
        os._exit(code)  # a thread holds the stream, and the interpreter would wait for it


@contextmanager
def handled(on_signal: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `on_signal` in the main thread, even where a loop is kept from running.

    A signal that is ignored stays so: this process was started to outlive its terminal, as nohup(1) does.
    """

    def handler(number: int, _frame: FrameType | None) -> None:
        _signalled.set()
        on_signal(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, handler)
        for number in CODES
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _left_out(count: int) -> str:
    return f"({count} lines were left out here, because nobody read them; the journal has every event)"


def _left_out_as_json(count: int) -> str:
    return json.dumps({"left_out": count}, separators=(",", ":"))
