"""Reports written from a ledger, each file atomically."""

import time
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import anyio.to_thread

from migrator.cli.wiring import zone_of
from migrator.domain.errors import ReportError
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.io.atomic_write import remove_leftovers, write_atomically
from migrator.reports.earlier import RUN_FILE
from migrator.reports.formats import FILES, FORMATS, IDS, ReportWriter
from migrator.reports.service import FILE_NAME as SERVICE_FILE
from migrator.reports.summary import Summary, summary
from migrator.workflow.beliefs import ServiceSeen
from migrator.workflow.ledger import Ledger

WRITERS: Mapping[str, ReportWriter] = ChainMap(FORMATS, IDS)
"""Whatever can be asked for, by format."""


def snapshot(ledger: Ledger) -> Ledger:
    """The ledger as it is now, for another thread to read while this one goes on."""
    return Ledger(
        planned=dict(ledger.planned),
        states=dict(ledger.states),
        runs=[replace(run, halted=dict(run.halted)) for run in ledger.runs],
        plan=ledger.plan,
        provenance=ledger.provenance,
        learned=copy(ledger.learned),
        notifications=copy(ledger.notifications),
        events=ledger.events,
        last_at=ledger.last_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Reports that were written."""

    paths: Sequence[Path] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    """Seconds of a processor that each format took."""

    summed: float = 0.0
    """Seconds of a processor that the Summary took, which all of them show."""


async def write_reports(
    plan: Plan,
    ledger: Ledger,
    folder: Path,
    now: Moment,
    *,
    running: bool,
    formats: Collection[str] = tuple(FORMATS),
    service: Mapping[str, ServiceSeen] = MappingProxyType({}),
) -> Written:
    """Reports of a plan, every one unless told otherwise, from one Summary.

    `service` is what the service of each region was seen to do. Raises ReportError.
    """
    frozen, zone = snapshot(ledger), zone_of(plan)

    def facts() -> Summary:
        return summary(frozen, plan=plan, now=now, running=running, service=service, zone=zone)

    return await anyio.to_thread.run_sync(write_of, facts, folder, formats)


def write_of(make: Callable[[], Summary], folder: Path, formats: Collection[str]) -> Written:
    """Reports of the Summary that `make` makes. Raises ReportError.

    One format that fails keeps no other from being written; the first failure is raised at the end.
    """
    began = time.thread_time()
    with as_report_error("the reports cannot be made"):
        facts = make()
    summed = time.thread_time() - began
    paths, spent, failure = [], {}, None
    with as_report_error(f"{folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, [*FILES.values(), RUN_FILE, SERVICE_FILE])
    for suffix in formats:
        began, write = time.thread_time(), WRITERS[suffix]
        path = folder / FILES[suffix]
        try:
            with as_report_error(f"{path} cannot be made"):
                write_atomically(path, lambda stream, write=write: write(facts, stream))  # type: ignore[misc]
        except ReportError as error:
            failure = failure or error
        else:
            paths.append(path)
            spent[suffix] = time.thread_time() - began
    if failure is not None:
        raise failure
    return Written(paths=paths, spent=spent, summed=summed)


@contextmanager
def as_report_error(what: str) -> Iterator[None]:
    """A bug in what is made beside a run is not the run's: nothing of it is lost, and it goes on."""
    try:
        yield
    except ReportError:
        raise
    except Exception as bug:
        raise ReportError(
            f"{what}: {type(bug).__name__}: {bug}",
            hint="This is a bug in migrator, and the journal is not affected: report it with what -v prints.",
        ) from bug
