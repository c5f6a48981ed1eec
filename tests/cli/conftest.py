"""A desk to work at: a folder, a stand-in cloud on a real port, the program in this process or another."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from migrator.cli.app import app
from migrator.domain.errors import JournalError
from migrator.journal.port import JournalLocation
from migrator.journal.stores import journal_at, journal_in
from migrator.simulator.server import Running, serve
from migrator.simulator.settings import Settings
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase

AK, SK = "CANARYACCESSKEY00001", "canary-secret-key-0000000000000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(kw_only=True)
class Desk:
    """Where one test works."""

    folder: Path
    running: Running
    env: dict[str, str] = field(default_factory=dict)
    preflight: bool = False
    """Whether runs start with preflight; most tests are about what comes afterwards."""

    _children: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def plan(
        self,
        count: int = 3,
        *,
        name: str = "dc-east",
        first: int = 1,
        target: str = "",
        more: str = "",
        **policy: object,
    ) -> Path:
        """Write a plan of `count` images that is done in a second; `target` and `more` are further TOML."""
        images = "".join(
            f'[[images]]\nname = "web-{number:02}"\nobject = "web-{number:02}.zvhd2"\n'
            for number in range(first, first + count)
        )
        rules = "".join(
            f"{key} = {json.dumps(value)}\n"
            for key, value in ({"settle": "1s", "late": "1s"} | policy).items()
        )
        where = "".join(
            f'{service}_endpoint = "{self.url}"\n'
            for service in ("ims", "iam", "obs")
            if f"{service}_endpoint" not in target
        )
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'[plan]\nname = "{name}"\n'
            f'[targets.north]\nregion = "cn-north-4"\n{where}{target}\n'
            '[limits]\nsubmit_rate = "50/s"\nsubmit_burst = 10\nquery_rate = "100/s"\nquery_burst = 20\n'
            '[retry]\nbase = "20ms"\ncap = "100ms"\n'
            '[polling]\nfirst = "100ms"\nmin_interval = "100ms"\nmax_interval = "200ms"\n'
            f"[policy]\n{rules}"
            '[defaults]\nbucket = "bucket"\nos_version = "CentOS 7.6 64bit"\nmin_disk = 40\n'
            f"{images}{more}"
        )
        return path

    def __call__(self, *arguments: object, stdin: str | None = None, **env: str | None) -> Result:
        """Run the program in this process."""
        runner = CliRunner(env={**self.env, **env})
        done = runner.invoke(app, self._arguments(arguments), input=stdin, catch_exceptions=False)
        return Result(code=done.exit_code, out=done.stdout, err=done.stderr)

    def start(
        self,
        *arguments: object,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        before: Callable[[], object] = lambda: None,
        **env: str,
    ) -> subprocess.Popen[str]:
        """Start the program in a process of its own; `before` is called in it first."""

        def prepare() -> None:
            # A shell that runs us in the background ignores these, and the child would inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            before()

        child = subprocess.Popen(
            [sys.executable, "-m", "migrator", *self._arguments(arguments)],
            cwd=self.folder,
            env={**_clean(os.environ), **self.env, **env},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            preexec_fn=prepare,
        )
        self._children.append(child)
        return child

    def spawn(self, *arguments: object, **options: Any) -> Result:
        """Run the program in a process of its own, to its end."""
        return ended(self.start(*arguments, **options))

    def _arguments(self, arguments: tuple[object, ...]) -> list[str]:
        later = arguments[:1] == ("run",) and not self.preflight
        return [*map(str, arguments), *(["--no-preflight"] if later else [])]

    def close(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.communicate()

    def change(self, **settings: Any) -> None:
        """Let the cloud go on under other settings."""
        simulator = self.running.simulator
        simulator.change(simulator.settings.model_copy(update=settings))

    def finish_jobs(self) -> None:
        """Let time pass for the cloud, until whatever it imports is done."""
        self.change(job_seconds=0.2)
        now = self.running.now()
        for project in self.running.simulator.projects.values():
            for job in project.jobs.values():
                job.ends = min(job.ends, now)
            project._unfinished.clear()  # the slots that they held

    def table(self, target: str) -> str:
        """One more target for a plan."""
        return (
            f'[targets.{target}]\nregion = "cn-north-4"\n'
            f'ims_endpoint = "{self.url}"\niam_endpoint = "{self.url}"\nobs_endpoint = "{self.url}"\n'
        )

    @property
    def accepted(self) -> dict[str, int]:
        """How many imports the cloud took in, by image name."""
        return {name: len(lines) for name, lines in self.running.simulator.accepted.items()}

    @property
    def duplicates(self) -> int:
        return len(self.running.simulator.duplicates)

    def wait_for_imports(self, count: int) -> None:
        """Return when the cloud has taken in so many."""
        wait_until(lambda: len(self.running.simulator.accepted) >= count)

    def wait_for_questions(self, more: int) -> None:
        """Return when the cloud has been asked for jobs or images so many times more."""
        requests = self.running.simulator.stats.requests
        enough = requests["poll"] + requests["list"] + more
        wait_until(lambda: requests["poll"] + requests["list"] >= enough)

    def events(self, name: str = "dc-east") -> Sequence[Event]:
        """All that the journal holds."""
        return asyncio.run(self.journal(name).read().events())

    def ledger(self, name: str = "dc-east") -> Ledger:
        return asyncio.run(self.journal(name).read().ledger())

    def journal(self, name: str = "dc-east") -> JournalLocation:
        """Where a plan's journal lies: beside its reports, or in the database that the environment names."""
        url = self.env.get("MIGRATOR_JOURNAL")
        return journal_at(self.reports / name) if url is None else journal_in(url, name, raised)

    def phases(self, name: str = "dc-east") -> list[Phase]:
        return [state.phase for state in self.ledger(name).states.values()]


def raised(error: JournalError) -> None:
    """In a test a process that owns nothing any more does not end at once."""


def ended(child: subprocess.Popen[str], seconds: float = 20.0) -> Result:
    """What a process said, once it is over."""
    out, err = child.communicate(timeout=seconds)
    return Result(code=child.returncode, out=out or "", err=err or "")


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Return as soon as something holds; it is another process's doing, so it has to be polled for."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def _clean(environ: Any) -> dict[str, str]:
    """Without what another machine has not: an unbuffered stream fails elsewhere than a user's does."""
    return {
        name: value
        for name, value in environ.items()
        if not name.endswith(("_proxy", "_PROXY")) and name not in ("SSL_CERT_FILE", "PYTHONUNBUFFERED")
    }


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own, where the stand-in clouds live."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def clouds(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Running]]:
    """Starts stand-in clouds: `clouds(job_seconds=60.0, ...)`; they end with the test."""
    stack = AsyncExitStack()

    def start(tls: Any = None, speed: float = 1.0, anchor: float | None = None, **settings: Any) -> Running:
        given = {"access_key": AK, "secret_key": SK, "job_seconds": 0.2, "job_spread": "fixed"} | settings
        opening = stack.enter_async_context(serve(Settings(**given), tls=tls, speed=speed, anchor=anchor))
        return asyncio.run_coroutine_threadsafe(opening, loop).result(10)

    yield start
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)


@pytest.fixture
def desk(
    tmp_path: Path, clouds: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    """Sets up a desk: `desk(job_seconds=60.0)` says what its cloud is like."""
    monkeypatch.chdir(tmp_path)
    for name in [*filter(lambda name: name.lower().endswith("_proxy"), os.environ), "SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    desks: list[Desk] = []

    def build(**settings: Any) -> Desk:
        keys = {"HUAWEICLOUD_SDK_AK": AK, "HUAWEICLOUD_SDK_SK": SK}
        desks.append(Desk(folder=tmp_path, running=clouds(**settings), env=keys))
        return desks[-1]

    yield build
    for one in desks:
        one.close()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level
