"""Notifications to a command: the event as JSON on its stdin, no shell, an end to its time.

It runs in a session of its own, so that Ctrl-C ends the run and not the command. What it prints is thrown
away: it may repeat what it was given. Its exit code is what counts; 0 is delivered.
"""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence

import anyio
import anyio.abc

from migrator.domain.notify import Message, Sent

_CLOUD = ("HUAWEICLOUD_", "HW_", "OS_", "MIGRATOR_", "PG")
"""Beginnings of variables that hold our credentials, or lead to them."""

_LEAST = 8
"""Characters of a value that is looked for under other names."""


def spared(environ: Mapping[str, str], prefixes: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The environment without our credentials: without variables whose names begin with one of `prefixes`,
    besides the usual ones, or are among `names`; and without copies of their values under other names."""
    kept, taken = {}, set()
    beginnings, secret = (*_CLOUD, *(f"{prefix.rstrip('_')}_" for prefix in prefixes)), set(names)
    for name, value in environ.items():
        if name in secret or name.startswith(beginnings):
            taken.add(value.strip())
        else:
            kept[name] = value
    found = {value for value in taken if len(value) >= _LEAST}
    return {name: value for name, value in kept.items() if not any(one in value for one in found)}


class Command:
    """Hands messages to one command."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], timeout: float) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._timeout = timeout

    async def __call__(self, message: Message) -> Sent:
        """Start it, and what came of it."""
        code = await carried_out(self._command, message.body, self._environ, self._timeout)
        if isinstance(code, str):
            return Sent(failure=code)
        return Sent() if code == 0 else Sent(failure=f"the command {_ended(code)}", refused=True)


async def carried_out(
    command: Sequence[str], given: bytes, environ: Mapping[str, str], timeout: float
) -> int | str:
    """The exit code of a command that is given so much on stdin; or why there is none."""
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),  # uvloop takes nothing else
            start_new_session=True,
        )
    except OSError as error:
        return f"the command cannot be started: {error.strerror or type(error).__name__}"
    try:
        with anyio.move_on_after(timeout):
            await _give(process, given)
            return await process.wait()
        return f"the command did not end within {timeout:g} s, and was ended"
    finally:
        _end(process)
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()


async def _give(process: anyio.abc.Process, given: bytes) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send(given)
        await process.stdin.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        pass  # it does not read, which is its own affair


def _end(process: anyio.abc.Process) -> None:
    """End it and whatever it started, if it still runs."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
