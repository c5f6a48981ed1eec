"""`migrator serve`: what the reports show, live, for people and programs."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from migrator.cli.arguments import FILE, journal_url, option, reports_dir
from migrator.cli.beside import CODES, handled
from migrator.cli.common import Console, command, run_async

PORT = 8641


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line asks of it."""

    reports_dir: Path
    journal: str | None
    bind: str
    port: int
    token_file: Path | None


@click.command()
@option(
    "--port", type=click.IntRange(min=0, max=65535), default=PORT, metavar="N", help="0 takes a free one."
)
@option(
    "--bind", default="127.0.0.1", metavar="ADDRESS", help="Another than this machine needs --token-file."
)
@option("--token-file", type=FILE, metavar="FILE", help="Who looks has to know what is in it.")
@reports_dir
@journal_url
@command
def serve(
    *, port: int, bind: str, token_file: Path | None, reports_dir: Path, journal: str | None, console: Console
) -> int:
    """Show plans live in a browser; changes nothing."""
    options = ServeOptions(
        reports_dir=reports_dir, journal=journal, bind=bind, port=port, token_file=token_file
    )
    signals = Signals()
    with handled(signals.on_signal):
        return run_async(partial(show, options, signals), console)


class Signals:
    """The first signal ends it in good order. The next ends it at once: a thread that reads a large journal
    cannot be told to stop, and nothing that it does has to be kept."""

    def __init__(self) -> None:
        self._came = False
        self._wake: Callable[[], object] = lambda: None

    def on_signal(self, number: signal.Signals) -> None:
        """What is called with each."""
        if self._came:
            os._exit(CODES[number])
        else:
            self._came = True
            self._wake()

    async def first(self) -> None:
        """Wait for it."""
        import asyncio

        loop, came = asyncio.get_running_loop(), asyncio.Event()
        self._wake = partial(loop.call_soon_threadsafe, came.set)
        if not self._came:
            await came.wait()


async def show(options: ServeOptions, signals: Signals, console: Console) -> int:
    """Serve until a signal comes. Raises MigratorError."""
    from migrator.cli.journals import expect_url
    from migrator.cli.service import service_seen
    from migrator.domain.errors import UsageError
    from migrator.io.clock import SystemClock
    from migrator.io.machine_zone import machine_zone
    from migrator.journal.stores import expect_postgres
    from migrator.reports.metrics import metrics_text
    from migrator.serving.access import Door, is_loopback, read_token
    from migrator.serving.server import Site, serving
    from migrator.serving.sources import DatabasePlans, FolderPlans, Plans

    if options.token_file is None and not is_loopback(options.bind):
        raise UsageError(
            f"--bind {options.bind}: everybody who reaches this machine could look",
            hint="Add --token-file FILE; make one: (umask 077; openssl rand -hex 24 > FILE).",
        )
    door = Door(None if options.token_file is None else read_token(options.token_file))
    seen = lambda name: service_seen(options.reports_dir / name)  # noqa: E731
    plans: Plans
    if options.journal:
        expect_postgres()
        plans = DatabasePlans(expect_url(options.journal), seen)
    else:
        if not options.reports_dir.is_dir():
            raise UsageError(
                f"{options.reports_dir}: there is no such folder, so nothing has run here",
                hint="Name another one with --reports-dir, or a database with --journal.",
            )
        plans = FolderPlans(options.reports_dir, seen)
    site = Site(plans, door, SystemClock(), machine_zone(), metrics_text)
    try:
        async with serving(site, options.bind, options.port) as port:
            where = f"[{options.bind}]" if ":" in options.bind else options.bind
            console.say(f"serving at http://{where}:{port} (Ctrl-C ends it)")
            if console.json:
                console.object({"url": f"http://{where}:{port}"})
            await signals.first()
    except OSError as error:
        raise UsageError(
            f"--bind {options.bind} --port {options.port}: {os.strerror(error.errno or 0)}",
            hint="Take another port, or --port 0 for a free one.",
        ) from None
    return 0
