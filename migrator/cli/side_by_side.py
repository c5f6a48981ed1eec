"""Reports of a large plan made by two processes: the workbook, a third of the work, by one of its own."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from migrator.domain.errors import ReportError

DEAR = "xlsx"
"""The format that is made beside the others."""

FEWEST, MOST = 20_000, 300_000
"""Images: fewer are done before a process has begun, and of more nobody should pay for the memory twice."""

Write = Callable[[Collection[str]], Sequence[str]]
"""Writes these formats, and returns those that it wrote. Raises ReportError."""


def worthwhile(formats: Collection[str], images: int) -> bool:
    """Whether a second process is of use, and can be had without a danger.

    A process that is forked has the one thread that asked for it; what others held, nobody lets go of. So no
    other may be left. Elsewhere than on Linux, libraries of the system do not stand it at all.
    """
    return (
        DEAR in formats
        and len(formats) > 1
        and FEWEST <= images <= MOST
        and sys.platform == "linux"
        and len(os.sched_getaffinity(0)) > 1
        and _alone()
    )


def written_side_by_side(formats: Collection[str], write: Write) -> list[str]:
    """`write` these formats; those that were written. The first failure is raised when both are through."""
    rest = [form for form in formats if form != DEAR]
    context = get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_made, args=(write, send), daemon=True)
    child.start()
    send.close()
    written, failure = _tried(write, rest)
    try:
        its_written, its_failure = receive.recv()
    except EOFError:  # it was killed, perhaps for the memory that it took: once more, by this one
        its_written, its_failure = _tried(write, [DEAR])
    child.join()
    if failure := failure or its_failure:
        raise failure
    return [form for form in formats if form in {*written, *its_written}]


def _made(write: Write, send: Connection) -> None:
    """In the child: it ends with its parent, whom Ctrl-C is for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        send.send(_tried(write, [DEAR]))


def _tried(write: Write, formats: Collection[str]) -> tuple[Sequence[str], ReportError | None]:
    try:
        return write(formats), None
    except ReportError as error:
        return (), error


def _alone() -> bool:
    """Whether this is the only thread, once those that are about to end have ended."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(1.0)
    return threading.active_count() == 1
