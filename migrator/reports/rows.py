"""One row for each image, as every report shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, overload

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.domain.units import Moment
from migrator.reports.times import minutes
from migrator.reports.untrusted import plain
from migrator.workflow.ledger import Planned
from migrator.workflow.states import Attempt, Outcome, Phase, State, StepPhase, StepState
from migrator.workflow.steps import wanted

_TAKEN = (Outcome.ACCEPTED, Outcome.ADOPTED)
_REPEATED = (Outcome.RETRYABLE, Outcome.THROTTLED, Outcome.NOT_FOUND)


def first_request(attempts: Sequence[Attempt]) -> Moment | None:
    """When the request left that opened the row of attempts of which the last was accepted."""
    if len(attempts) == 1:
        return attempts[0].began_at  # most images have one, and a large report asks again and again
    first: Moment | None = None
    for attempt in reversed(attempts):
        if first is not None and attempt.outcome not in _REPEATED:
            break
        first = attempt.began_at
    return first


def began_at(state: State) -> Moment | None:
    """When an image's first request left, of those that led to where it stands now; None if none did."""
    if not state.attempts:
        return None
    last = state.attempts[-1]
    # An image that was reopened, or found in the cloud, may have attempts of an earlier life only.
    earlier = (
        (last.outcome in _TAKEN and state.submitted_at is None)
        or (state.phase is Phase.PENDING and last.outcome not in _REPEATED)
        or (last.outcome is Outcome.REJECTED and state.finished_at != last.ended_at)
    )
    return None if earlier else first_request(state.attempts)


STEP_WORDS = {
    StepPhase.TODO: "to do",
    StepPhase.ASKING: "under way",
    StepPhase.IN_DOUBT: "in doubt",
    StepPhase.RUNNING: "under way",
    StepPhase.MADE: "under way",
    StepPhase.DONE: "done",
    StepPhase.FAILED: "failed",
}
"""Where something stands that is done with an image after its import."""


class ImageRow(NamedTuple):
    """One image, as every report shows it: a view, so that making one costs next to nothing."""

    image: Image
    """As the plan lists it now, or last listed it."""

    state: State
    drifted: bool
    """Edited in the plan after it was submitted."""

    @property
    def key(self) -> str:
        return self.state.key

    @property
    def name(self) -> str:
        return self.image.name

    @property
    def target(self) -> str:
        return self.image.target

    @property
    def wave(self) -> str:
        """Empty where it has none."""
        return self.image.wave or ""

    @property
    def labels(self) -> Mapping[str, str]:
        return self.image.labels

    @property
    def owner(self) -> str:
        """Its label `owner`; empty where it has none."""
        return self.image.labels.get("owner", "")

    @property
    def status(self) -> Phase:
        return self.state.phase

    @property
    def type(self) -> ImageType:
        return self.image.type

    @property
    def os(self) -> str:
        """Its OS version, or the OS type of a data disk; empty if neither plan nor service says."""
        return self.image.os_version or self.state.os_version or self.image.os_type or ""

    @property
    def min_disk(self) -> int:
        """GB."""
        return self.image.min_disk

    @property
    def method(self) -> str:
        """How it goes in; as the plan says until its first attempt."""
        return self.state.method or self.image.method

    @property
    def image_url(self) -> str:
        return self.image.image_url

    @property
    def image_id(self) -> str | None:
        return self.state.image_id

    @property
    def other_images(self) -> str | None:
        """Ids of more images that bear its marker."""
        return ", ".join(others) if (others := self.state.others) else None

    @property
    def not_compared(self) -> str | None:
        """Keys of the plan that the service did not tell of when its image was verified."""
        return ", ".join(uncompared) if (uncompared := self.state.uncompared) else None

    @property
    def job_id(self) -> str | None:
        return self.state.job_id

    @property
    def progress(self) -> float | None:
        """Fraction from 0 to 1."""
        progress = self.state.progress
        if progress is None or 0.0 <= progress <= 1.0:
            return progress
        return None if math.isnan(progress) else min(max(progress, 0.0), 1.0)

    @property
    def began_at(self) -> Moment | None:
        """When its first request left, of those that led to where it stands now; None if none did."""
        return began_at(self.state)

    @property
    def submitted_at(self) -> Moment | None:
        return self.state.submitted_at

    @property
    def job_ended_at(self) -> Moment | None:
        """When the service said that its job ended well; between this and `finished_at` it was verified."""
        return self.state.job_ended_at

    @property
    def finished_at(self) -> Moment | None:
        return self.state.finished_at

    @property
    def seconds(self) -> float | None:
        """From submitted to finished, as the program saw it; None until both are known."""
        state = self.state
        began, ended = state.submitted_at, state.finished_at
        if began is None or ended is None:
            return None
        # A clock that was set back must not make a duration negative.
        return round(ended - began, 3) if ended > began else 0.0

    @property
    def minutes(self) -> float | None:
        """`seconds` in minutes, rounded to hundredths."""
        return None if (seconds := self.seconds) is None else minutes(seconds)

    @property
    def error(self) -> Fault | None:
        """Why it failed, or why it waits; its texts are one line each."""
        return None if self.state.fault is None else plain(self.state.fault)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return self.state.attempts

    @property
    def steps(self) -> str | None:
        """What was and is to be done with it after its import, in words."""
        image = self.image
        if not image.share_with and not image.copy_to:
            return None
        none, said = StepState(), []
        for step in wanted(image):
            known = self.state.steps.get(step.name, none)
            why = f" ({plain(known.fault)})" if known.phase is StepPhase.FAILED and known.fault else ""
            said.append(f"{step.kind} {step.whom}: {STEP_WORDS[known.phase]}{why}")
        return "; ".join(said) or None

    @property
    def removed(self) -> bool:
        """No longer in the plan."""
        return self.state.removed

    @property
    def held(self) -> bool:
        """In doubt, and left for a person to decide."""
        return self.state.held


class ImageRows(Sequence[ImageRow]):
    """The rows in the plan's order, each made when it is asked for: 100,000 of them take no memory."""

    def __init__(self, pairs: Sequence[tuple[Planned, State]], drift: frozenset[str]) -> None:
        self._pairs = pairs
        self._drift = drift

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[ImageRow]:
        drift = self._drift
        return (ImageRow(item.image, state, state.key in drift) for item, state in self._pairs)

    @overload
    def __getitem__(self, index: int) -> ImageRow: ...
    @overload
    def __getitem__(self, index: slice) -> "ImageRows": ...
    def __getitem__(self, index: int | slice) -> "ImageRow | ImageRows":
        if isinstance(index, slice):
            return ImageRows(self._pairs[index], self._drift)
        item, state = self._pairs[index]
        return ImageRow(item.image, state, state.key in self._drift)
