"""One walk over the images, for all that a summary counts."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.reports.causes import OVERDUE, CauseKind
from migrator.reports.rows import first_request
from migrator.reports.runs import RunLine
from migrator.workflow.ledger import Planned
from migrator.workflow.states import FINISHED, Phase, State
from migrator.workflow.steps import failed, left

_INDEX = {phase: index for index, phase in enumerate(Phase)}


def _no_images() -> list[int]:
    """A count for each Phase, in its order."""
    return [0] * len(Phase)


class ImageCounts:
    """Everything that is counted, each image once."""

    def __init__(self, halted: Mapping[str, Fault]) -> None:
        self.halted = halted
        self.totals = _no_images()
        self.removed = self.held = 0
        self.steps_left = self.steps_failed = 0
        """Shares and copies of images that were imported."""
        self.waves: defaultdict[str, list[int]] = defaultdict(_no_images)
        self.wave_spans: dict[str, tuple[Moment | None, Moment | None]] = {}
        """By wave: when its first request left, and when the last of its images was finished."""
        self.targets: defaultdict[str, list[int]] = defaultdict(_no_images)
        self.labels: dict[str, defaultdict[str, list[int]]] = {}
        self.finished: list[tuple[Moment, bool]] = []
        """When, and whether well."""
        self.spans: defaultdict[str, list[tuple[Moment, Moment]]] = defaultdict(list)
        """By target: submitted and finished, of what succeeded."""
        self.submit_waits: list[float] = []
        self.failed: list[tuple[CauseKind, Fault, Planned, State]] = []
        self.waiting: list[tuple[CauseKind, Fault, Planned, State]] = []

    def add(self, item: Planned, state: State) -> None:
        """Count one image."""
        image, phase = item.image, state.phase
        index = _INDEX[phase]
        self.totals[index] += 1
        self.removed += state.removed
        self.held += state.held
        self.waves[image.wave or ""][index] += 1
        self.targets[image.target][index] += 1
        if image.wave:
            self._add_to_wave(image.wave, state)
        for label, value in image.labels.items():
            values = self.labels.get(label)
            if values is None:
                values = self.labels[label] = defaultdict(_no_images)
            values[value][index] += 1
        if state.submitted_at is not None and (began := first_request(state.attempts)) is not None:
            self.submit_waits.append(max(state.submitted_at - began, 0.0))
        if state.finished_at is not None:
            self.finished.append((state.finished_at, phase is not Phase.FAILED))
            if phase is Phase.SUCCEEDED and state.submitted_at is not None:
                self.spans[image.target].append(
                    (state.submitted_at, max(state.finished_at, state.submitted_at))
                )
        if phase is Phase.SUCCEEDED and (image.share_with or image.copy_to):
            self.steps_left += len(left(image, state))
            self.steps_failed += len(failed(image, state))
        if phase is Phase.FAILED:
            self.failed.append((CauseKind.FAILED, state.fault or Fault(message=""), item, state))
        elif phase not in FINISHED:
            self._add_unfinished(item, state)

    def _add_to_wave(self, wave: str, state: State) -> None:
        began, ended = self.wave_spans.get(wave, (None, None))
        if (first := first_request(state.attempts)) is not None:
            began = first if began is None else min(began, first)
        if state.finished_at is not None:
            ended = state.finished_at if ended is None else max(ended, state.finished_at)
        self.wave_spans[wave] = began, ended

    def _add_unfinished(self, item: Planned, state: State) -> None:
        target, phase = item.image.target, state.phase
        kind: CauseKind | None = None
        fault = state.fault
        if state.held or phase is Phase.OVERDUE:
            kind, fault = (CauseKind.HELD, fault) if state.held else (CauseKind.OVERDUE, fault or OVERDUE)
        elif phase is Phase.PENDING and target in self.halted:
            kind, fault = CauseKind.HALTED, self.halted[target]
        elif phase is Phase.PENDING:
            kind = None if fault is None else CauseKind.RETRYING
        else:
            kind = CauseKind.IN_DOUBT if phase is Phase.IN_DOUBT else None
        if kind is not None:
            self.waiting.append((kind, fault or Fault(message=""), item, state))

    def job_seconds(self, runs: Sequence[RunLine]) -> dict[str, list[float]]:
        """By target: what jobs took that ended well; those that ran on between two runs are left out."""
        began = [run.began_at for run in runs]
        return {
            target: [
                end - start for start, end in spans if bisect_right(began, start) == bisect_right(began, end)
            ]
            for target, spans in self.spans.items()
        }
