"""What a run tells to whom: events and states → notifications that are owed.

The rules:

1. What is owed follows from the journal, never from a moment that could be missed: `unsaid` works out what a
   run that was killed did not come to say.
2. An id is made of what happened, so that nobody is told of the same thing by two ids.
3. Images that are left for a person are gathered for GATHER seconds: a hundred of them are one notification.
4. Waiting for a window is no standstill, and neither is a job that comes further.
"""

from collections import Counter
from collections.abc import Iterable
from math import inf

from msgspec.structs import replace

from migrator.domain.notify import NotifyOn
from migrator.domain.plan import Plan
from migrator.domain.units import Moment, span
from migrator.pacing.scheduler import too_many_failures
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    Counts,
    ImageEvent,
    NotificationOwed,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.notifications import notification_id
from migrator.workflow.states import FINISHED, IN_CLOUD, Phase, State
from migrator.workflow.verdict import Ending
from migrator.workflow.waves import Gate

GATHER = 30.0
"""Seconds for which images that are left for a person are gathered before somebody is told."""

NAMED = 20
"""Images that one notification names, at most; of those left for a person five times as many."""

_NO_PROGRESS = (
    AttemptBegan,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    AttemptNotFound,
    AttemptHeld,
)
"""Events after which an image is no nearer to its end."""

_GOOD = frozenset({Phase.SUCCEEDED, Phase.SKIPPED})
_JUDGED = frozenset({Phase.SUCCEEDED, Phase.FAILED})
_OUT_OF_HAND = FINISHED | {Phase.OVERDUE}
"""This run does nothing more about these."""


class Watcher:
    """Counts images by phase, event by event, and says what follows. No I/O; time is an argument."""

    def __init__(self, plan: Plan, ledger: Ledger, elapsed: float) -> None:
        """`ledger` is as the run leaves it when it begins, its beginning included; `elapsed` is the monotonic
        clock's."""
        self._plan = plan
        self._run = ledger.runs[-1].run
        self._journal = ledger.first_run or self._run
        self._owed = set(ledger.notifications)
        self._wave: dict[str, str] = {}
        self._phase: dict[str, Phase] = {}
        self._held: set[str] = set()
        self._last: dict[str, Moment] = {}
        """When the latest image of each wave was finished."""
        for key, state in ledger.states.items():
            if not state.removed:
                self._wave[key] = ledger.planned[key].image.wave or (
                    plan.waves[-1].name if plan.waves else ""
                )
                self._phase[key] = state.phase
                self._finished_at(key, state)
                if state.held:
                    self._held.add(key)
        self._counts = Counter(self._phase.values())
        self._left = Counter(
            wave for key, wave in self._wave.items() if self._phase[key] not in FINISHED
        )  # by wave, so that one that is finished is seen without a walk
        self._fresh: list[str] = []
        """Held images that nobody was told of."""
        self._fresh_at = inf
        """When the first of them was seen."""
        self._failed = self._judged = 0
        self._moved = elapsed
        """When something last came further."""
        self._moved_at = ledger.runs[-1].began_at
        self._told_of_stall: set[str] = set()

    # --- What is owed -----------------------------------------------------------------------------------

    def begun(self, at: Moment, left: int, *, killed: bool) -> list[NotificationOwed]:
        """The run began with `left` images to do; the one before it was `killed`."""
        counts = self.counts()
        before = " The run before it was killed." if killed else ""
        text = f"The run began: {left:,} of {_images(counts.images)} to do.{before}"
        return self._to_all(self._fact(NotifyOn.BEGIN, at, text, counts), self._run)

    def seen(self, event: ImageEvent, state: State, elapsed: float) -> list[NotificationOwed]:
        """An event became durable and led to `state`."""
        key = event.key
        if not isinstance(event, _NO_PROGRESS):
            self._moved, self._moved_at = elapsed, event.at
            self._told_of_stall.clear()
        if key not in self._phase:
            return []
        if state.held and key not in self._held:
            self._held.add(key)
            self._fresh.append(key)
            self._fresh_at = min(self._fresh_at, elapsed)
        elif not state.held:
            self._held.discard(key)
        before, self._phase[key] = self._phase[key], state.phase
        if state.phase is before:
            return []
        self._counts[before] -= 1
        self._counts[state.phase] += 1
        self._left[self._wave[key]] += (before in FINISHED) - (state.phase in FINISHED)
        if state.phase not in FINISHED:
            return []
        self._finished_at(key, state)
        return [*self._judge(state.phase, event.at), *self._wave_of(self._wave[key], event.at)]

    def tick(self, at: Moment, elapsed: float, gate: Gate | None) -> tuple[list[NotificationOwed], float]:
        """What time alone makes owed, and the seconds until it is worth asking again.

        `gate` tells which waves are open; None before anybody knows.
        """
        owed: list[NotificationOwed] = []
        if elapsed - self._fresh_at >= GATHER:
            owed += self._of_held(at)
        if gate is None or not self.counts().unfinished or self._waits(gate):
            self._moved, self._moved_at = elapsed, at
        still = elapsed - self._moved
        next_one = GATHER
        for receiver in self._plan.notify:
            if NotifyOn.STALLED not in receiver.on or receiver.name in self._told_of_stall:
                continue
            if still < receiver.after:
                next_one = min(next_one, receiver.after - still)
                continue
            self._told_of_stall.add(receiver.name)
            why = gate.reason if gate else ""
            fact = self._fact(NotifyOn.STALLED, at, self._stall(still, why), self.counts())
            owed += self._to([receiver.name], fact, f"{self._run} {self._moved_at}")
        return owed, next_one

    def ended(self, at: Moment, end: Ending) -> list[NotificationOwed]:
        """The run ended; held images that nobody was told of come first."""
        counts = self.counts()
        text = f"The run ended: {end.reason} (exit code {end.exit_code}). {_standing(counts)}."
        fact = replace(self._fact(NotifyOn.END, at, text, counts), exit_code=end.exit_code)
        return [*self._of_held(at), *self._to_all(fact, self._run)]

    def left_unsaid(self, ledger: Ledger, at: Moment) -> list[NotificationOwed]:
        """What is owed for a run that was killed, and whose `ledger` this is."""
        began = ledger.runs[-1].began_at
        owed: list[NotificationOwed] = []
        ended = [
            (state.finished_at, state.phase)
            for state in ledger.states.values()
            if not state.removed and state.finished_at is not None and state.finished_at >= began
        ]
        for _, phase in sorted(ended):
            owed += self._judge(phase, at)
        for wave, last in self._last.items():
            if last >= began:
                owed += self._wave_of(wave, at)
        told = {
            key
            for one in ledger.notifications.values()
            if one.owed.on is NotifyOn.HELD
            for key in one.owed.images
        }
        self._fresh = [key for key in self._phase if key in self._held and key not in told]
        return [*owed, *self._of_held(at)]

    def counts(self, wave: str | None = None) -> Counts:
        """How all images stand, or those of a wave."""
        if wave is None:
            phases, held = self._counts, len(self._held)
        else:
            phases = Counter(self._phase[key] for key, name in self._wave.items() if name == wave)
            held = sum(self._wave[key] == wave for key in self._held)
        total = phases.total()
        return Counts(
            images=total,
            succeeded=sum(phases[phase] for phase in _GOOD),
            failed=phases[Phase.FAILED],
            held=held,
            unfinished=total - sum(phases[phase] for phase in FINISHED),
        )

    # --- One kind each ----------------------------------------------------------------------------------

    def _judge(self, phase: Phase, at: Moment) -> list[NotificationOwed]:
        if phase not in _JUDGED:
            return []
        self._judged += 1
        self._failed += phase is Phase.FAILED
        policy = self._plan.policy
        if not too_many_failures(policy, failed=self._failed, finished=self._judged):
            return []
        text = (
            f"Too many images failed: {self._failed:,} of {self._judged:,} that this run finished "
            f"(policy.max_failures = {policy.max_failures}). Nothing more is submitted; what runs goes on."
        )
        return self._to_all(self._fact(NotifyOn.FAILED_THRESHOLD, at, text, self.counts()), self._run)

    def _wave_of(self, wave: str, at: Moment) -> list[NotificationOwed]:
        if not self._plan.waves or self._left[wave]:
            return []
        counts = self.counts(wave)
        text = f"Wave {wave} is finished: {_standing(counts)}."
        fact = replace(self._fact(NotifyOn.WAVE, at, text, counts), wave=wave)
        return self._to_all(fact, f"{wave} {self._last.get(wave)}")

    def _of_held(self, at: Moment) -> list[NotificationOwed]:
        keys = [key for key in self._fresh if key in self._held]
        self._fresh, self._fresh_at = [], inf
        if not keys:
            return []
        named = tuple(keys[: 5 * NAMED])
        one = len(keys) == 1
        text = (
            f"{_images(len(keys))} {'waits' if one else 'wait'} for a person to decide whether "
            f"{'it was' if one else 'they were'} imported: {_listed(keys)}. "
            "`migrator status PLAN` says what to do."
        )
        fact = self._fact(NotifyOn.HELD, at, text, self.counts())
        fact = replace(fact, images=named, more=len(keys) - len(named))
        return self._to_all(fact, f"{self._run} {' '.join(sorted(keys))}")

    def _stall(self, still: float, why: str) -> str:
        counts = self.counts()
        busy = sum(self._counts[phase] for phase in IN_CLOUD)
        because = f" What keeps it: {why}." if why else ""
        return (
            f"Nothing came further for {span(still)}: {_images(counts.unfinished)} not finished, of which "
            f"{busy:,} may be in the cloud.{because}"
        )

    def _waits(self, gate: Gate) -> bool:
        """Whether nothing is under way or may begin, and the clock will open a wave."""
        if gate.until is None:
            return False
        names = {wave.name for index, wave in enumerate(self._plan.waves) if index in gate.open}
        return not any(
            phase not in _OUT_OF_HAND and key not in self._held
            for key, phase in self._phase.items()
            if phase in IN_CLOUD or self._wave[key] in names
        )

    def _finished_at(self, key: str, state: State) -> None:
        if state.phase in FINISHED and state.finished_at is not None:
            wave = self._wave[key]
            self._last[wave] = max(self._last.get(wave, -inf), state.finished_at)

    # --- To whom ----------------------------------------------------------------------------------------

    def _fact(self, on: NotifyOn, at: Moment, text: str, counts: Counts) -> NotificationOwed:
        return NotificationOwed(at=at, id="", receiver="", on=on, run=self._run, counts=counts, text=text)

    def _to(self, receivers: Iterable[str], fact: NotificationOwed, subject: str) -> list[NotificationOwed]:
        owed = []
        for name in receivers:
            id_ = notification_id(self._journal, fact.on, subject, name)
            if id_ not in self._owed:
                self._owed.add(id_)
                owed.append(replace(fact, id=id_, receiver=name))
        return owed

    def _to_all(self, fact: NotificationOwed, subject: str) -> list[NotificationOwed]:
        return self._to((one.name for one in self._plan.notify if fact.on in one.on), fact, subject)


def unsaid(plan: Plan, ledger: Ledger, at: Moment) -> list[NotificationOwed]:
    """What a run that was killed did not come to say; `ledger` is as it left it."""
    if not plan.notify or not ledger.runs or ledger.runs[-1].ended_at is not None:
        return []
    return Watcher(plan, ledger, 0.0).left_unsaid(ledger, at)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _standing(counts: Counts) -> str:
    parts = [f"{counts.succeeded:,} of {_images(counts.images)} succeeded"]
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    parts += [f"{counts.unfinished:,} not finished"] if counts.unfinished else []
    parts += [f"{counts.held:,} held for a person"] if counts.held else []
    return ", ".join(parts)


def _listed(keys: list[str]) -> str:
    more = len(keys) - NAMED
    return ", ".join(keys[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
