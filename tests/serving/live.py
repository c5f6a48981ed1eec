"""`migrator serve` for others to look at: as a process, and at a moment of one's choice."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.cli.service import service_seen
from migrator.domain.units import Moment
from migrator.domain.zone import UTC_ZONE
from migrator.io.clock import SystemClock
from migrator.reports.metrics import metrics_text
from migrator.serving.access import Door
from migrator.serving.server import Site, serving
from migrator.serving.sources import FolderPlans, ServiceOf


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """(URL, process) of a page over a folder of reports. Fails when it does not end well."""
    options = ["--port", "0", "--json", "--reports-dir", str(folder)]
    command = [sys.executable, "-m", "migrator", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"], process
        process.terminate()
        assert process.wait(10) == 0


def seen_in(folder: Path) -> ServiceOf:
    """What `serve` is told of the services of plans in a folder."""
    return lambda name: service_seen(folder / name)


class At(SystemClock):
    """It is always the same moment."""

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self._moment = moment

    def now(self) -> Moment:
        return self._moment


@contextmanager
def served_at(folder: Path, moment: Moment) -> Iterator[str]:
    """The URL of a page over a folder of reports, as it was at a moment."""
    site = Site(FolderPlans(folder, seen_in(folder)), Door(None), At(moment), UTC_ZONE, metrics_text)
    loop, listening, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def serve() -> None:
        async with serving(site, "127.0.0.1", 0) as port:
            ports.append(port)
            listening.set()
            await asyncio.Event().wait()

    task = loop.create_task(serve())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    assert listening.wait(10)
    yield f"http://127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
