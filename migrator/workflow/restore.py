"""A journal from the past: what a report that was written later knows better.

Somebody puts a copy of the journal back, or a machine is set back to a snapshot, while imports of the lost
hours still run, perhaps in no list. The reports beside the journal were written by the run that was lost:
what they know is taken in, and what they cannot know is treated as in doubt.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.workflow.events import AttemptRestored, ImageEvent, JobRestored
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase, State

BEHIND = Fault(
    code="MIG.journal_behind",
    message="the journal is older than a report beside it, so this image may have been submitted since",
    remedy="Nothing to do: the image is looked up, for as long as it takes, before anything is sent.",
)

_MAY_BE_SENT = frozenset({Phase.PENDING, Phase.IN_DOUBT, Phase.FAILED})
_HAS_A_JOB = frozenset({Phase.RUNNING, Phase.VERIFYING, Phase.SUCCEEDED, Phase.OVERDUE})
_UNKNOWN = frozenset({Phase.SUBMITTING, Phase.IN_DOUBT})


class Reported(Struct, frozen=True, kw_only=True):
    """What a report says of one image."""

    phase: Phase
    job_id: str | None = None
    submitted_at: Moment | None = None


class LaterReport(Struct, frozen=True, kw_only=True):
    """What a report says, as far as a journal can be told from it."""

    generated_at: Moment
    images: Mapping[str, Reported]
    """By key."""

    first_run: str | None = None
    events: int | None = None
    """How far the journal had come; None where the report does not say."""

    ended: bool = False
    """Its last run had come to its end, so that nothing was submitted after it."""


def is_behind(ledger: Ledger, report: LaterReport) -> bool:
    """Whether the report was written from a journal that had come further than this one."""
    if report.events is None:
        return any(
            _unknown_job(state, reported)
            for key, reported in report.images.items()
            if (state := ledger.states.get(key, State(key=key))).phase in _MAY_BE_SENT
        )
    if ledger.first_run == report.first_run or ledger.first_run is None:
        return report.events > ledger.events
    last = ledger.runs[-1]
    return report.generated_at > max(last.began_at, last.ended_at or 0.0)


def together(reports: Sequence[LaterReport]) -> LaterReport | None:
    """What several files know of one plan; the jobs are those of the first. None where there is no file."""
    if not reports:
        return None
    first_runs = {report.first_run for report in reports}
    if len(first_runs) == 1:
        latest = max(reports, key=lambda report: report.events or 0)
    else:
        latest = max(reports, key=lambda report: report.generated_at)
    return structs.replace(reports[0], ended=latest.ended)


def restored(ledger: Ledger, report: LaterReport, now: Moment) -> Iterator[ImageEvent]:
    """What to record of a journal that is behind, before anything is sent."""
    for key, state in ledger.states.items():
        reported = report.images.get(key)
        if state.phase not in _MAY_BE_SENT or state.removed:
            continue
        if reported is not None and reported.job_id is not None and _unknown_job(state, reported):
            yield JobRestored(at=now, key=key, job_id=reported.job_id, submitted_at=reported.submitted_at)
        elif state.phase is Phase.PENDING and (
            not report.ended or (reported is not None and reported.phase in _UNKNOWN)
        ):
            yield AttemptRestored(at=now, key=key, fault=BEHIND)


def _unknown_job(state: State, reported: Reported) -> bool:
    """Whether the report tells of a job that may have made the image, and that the journal does not know."""
    return (
        reported.job_id is not None
        and reported.phase in _HAS_A_JOB
        and all(attempt.job_id != reported.job_id for attempt in state.attempts)
    )
