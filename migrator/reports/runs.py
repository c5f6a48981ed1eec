"""The runs of a plan, and how long each was at work."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.reports.untrusted import plain
from migrator.workflow.ledger import Planned, Run
from migrator.workflow.states import State


class RunState(StrEnum):
    ENDED = "ended"
    RUNNING = "running"
    KILLED = "killed"
    """Its end is not recorded: a kill, a power cut, a crash."""


class RunLine(Struct, frozen=True, kw_only=True):
    """One run of the plan."""

    run: str
    state: RunState
    began_at: Moment
    ended_at: Moment | None
    seconds: float
    """How long it ran; of a killed one, until its last sign of life."""

    version: str
    host: str
    pid: int
    reason: str | None
    exit_code: int | None
    halted: Mapping[str, Fault]
    """Targets that stopped submitting in it, and why."""


def run_lines(
    runs: Sequence[Run], pairs: Sequence[tuple[Planned, State]], now: Moment, running: bool | None
) -> tuple[RunLine, ...]:
    """Every run, oldest first.

    `running` tells whether a run holds the journal; None believes the last one when it has not said that it
    ended.
    """
    begins = [run.began_at for run in runs]
    open_ended = {index for index, run in enumerate(runs) if run.ended_at is None}
    at_work = len(runs) - 1 if runs and len(runs) - 1 in open_ended and running is not False else -1
    last_signs = _signs_of_life(begins, pairs) if open_ended - {at_work} else begins
    lines = []
    for index, run in enumerate(runs):
        if run.ended_at is not None:
            state, end = RunState.ENDED, run.ended_at
        elif index == at_work:
            state, end = RunState.RUNNING, now
        else:
            state, end = RunState.KILLED, last_signs[index]
        lines.append(
            RunLine(
                run=run.run,
                state=state,
                began_at=run.began_at,
                ended_at=run.ended_at,
                seconds=round(max(end - run.began_at, 0.0), 3),
                version=run.version,
                host=run.host,
                pid=run.pid,
                reason=run.reason,
                exit_code=run.exit_code,
                halted={name: plain(fault) for name, fault in run.halted.items()},
            )
        )
    return tuple(lines)


def _signs_of_life(begins: Sequence[Moment], pairs: Iterable[tuple[Planned, State]]) -> list[Moment]:
    """For each run the latest moment at which the ledger shows it alive."""
    latest = list(begins)
    for _, state in pairs:
        moments = [state.finished_at]
        for attempt in state.attempts:
            moments += (attempt.began_at, attempt.ended_at)
        for moment in moments:
            if moment is not None and (index := bisect_right(begins, moment) - 1) >= 0:
                latest[index] = max(latest[index], moment)
    return latest
