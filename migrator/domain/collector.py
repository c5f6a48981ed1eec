"""Python's garbage collector, kept from looking through what lives on anyway."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collection while hundreds of thousands of values are made that live on: there is nothing to find."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def seldom() -> None:
    """From now on only where many values came: to look through what is just being made finds nothing.

    While a program is imported that takes a tenth of the time.
    """
    gc.set_threshold(50_000, 20, 20)


def spared() -> None:
    """What is there by now stays: to look through it again and again costs a run several percent.

    It is not looked through once more before that either: what was read and made so far has no cycles.
    """
    gc.freeze()
    seldom()
