"""The ledger told to people: totals, durations, estimates, and failures grouped by cause.

Every report is made from one Summary, so their numbers agree. The rules:

1. Every image that the ledger knows is one row and is counted once, under exactly one status; so every way of
   grouping (wave, target, the values of one label) adds up to the same number. An image without a wave, or
   without a label, is counted under the empty name "".
2. A Summary is a snapshot: what the ledger learns later does not reach it, not even while a
   report is written.
3. The same ledger at the same moment gives the same Summary, to the byte once it is rendered.
4. What nobody knows is None, never a guess: no estimate before a job has ended, none for a run that is over.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, overload

from migrator.core.causes import OVERDUE, Cause, Why, causes, plain
from migrator.core.estimate import Spread, makespan, sample, spread
from migrator.core.ledger import Ledger, Planned, Run
from migrator.core.lifecycle import FINISHED, Attempt, Outcome, Phase, State
from migrator.core.reconcile import drifted
from migrator.core.settle import By, Learned
from migrator.model import Fault, Image, ImageType, Limits, MarkerKind, Moment, Plan

# --- The nouns ------------------------------------------------------------------------------------------


class Row(NamedTuple):
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
    def status(self) -> Phase:
        return self.state.phase

    @property
    def type(self) -> ImageType:
        return self.image.type

    @property
    def os(self) -> str:
        """Its OS version, or the OS type of a data disk; empty if the plan does not say."""
        return self.image.os_version or self.image.os_type or ""

    @property
    def min_disk(self) -> int:
        """GB."""
        return self.image.min_disk

    @property
    def image_url(self) -> str:
        return self.image.image_url

    @property
    def image_id(self) -> str | None:
        return self.state.image_id

    @property
    def job_id(self) -> str | None:
        return self.state.job_id

    @property
    def progress(self) -> float | None:
        """Fraction from 0 to 1."""
        progress = self.state.progress
        return None if progress is None or math.isnan(progress) else min(max(progress, 0.0), 1.0)

    @property
    def began_at(self) -> Moment | None:
        """When its first request left, of those that led to where it stands now; None if none did."""
        state = self.state
        if not state.attempts:
            return None
        last = state.attempts[-1]
        # An image that was reopened, or found in the cloud, may have attempts of an earlier life only.
        earlier = (
            (last.outcome in _TAKEN and state.submitted_at is None)
            or (state.phase is Phase.PENDING and last.outcome not in _REPEATED)
            or (last.outcome is Outcome.REJECTED and state.finished_at != last.ended_at)
        )
        return None if earlier else _first_request(state.attempts)

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
        if state.submitted_at is None or state.finished_at is None:
            return None
        # A clock that was set back must not make a duration negative.
        return round(max(state.finished_at - state.submitted_at, 0.0), 3)

    @property
    def minutes(self) -> float | None:
        """`seconds` in minutes, rounded to hundredths."""
        return None if (seconds := self.seconds) is None else round(seconds / 60, 2)

    @property
    def error(self) -> Fault | None:
        """Why it failed, or why it waits; its texts are one line each."""
        return None if self.state.fault is None else plain(self.state.fault)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return self.state.attempts

    @property
    def removed(self) -> bool:
        """No longer in the plan."""
        return self.state.removed

    @property
    def held(self) -> bool:
        """In doubt, and left for a person to decide."""
        return self.state.held


class Rows(Sequence[Row]):
    """The rows in the plan's order, each made when it is asked for: 100,000 of them take no memory."""

    def __init__(self, pairs: Sequence[tuple[Planned, State]], drift: frozenset[str]) -> None:
        self._pairs = pairs
        self._drift = drift

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Row]:
        drift = self._drift
        return (Row(item.image, state, state.key in drift) for item, state in self._pairs)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return Rows(self._pairs[index], self._drift)
        item, state = self._pairs[index]
        return Row(item.image, state, state.key in self._drift)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Images by status."""

    counts: tuple[int, ...]
    """One for each Phase, in its order."""

    def __getitem__(self, status: Phase) -> int:
        return self.counts[_INDEX[status]]

    @property
    def by_status(self) -> dict[Phase, int]:
        return dict(zip(Phase, self.counts, strict=True))

    @property
    def images(self) -> int:
        """All of them, whatever their status."""
        return sum(self.counts)

    @property
    def wanted(self) -> int:
        """All but the cancelled ones: what "done" is compared with."""
        return self.images - self[Phase.CANCELLED]

    @property
    def done(self) -> int:
        """Succeeded, or skipped because the image was there before."""
        return self[Phase.SUCCEEDED] + self[Phase.SKIPPED]

    @property
    def failed(self) -> int:
        return self[Phase.FAILED]

    @property
    def unfinished(self) -> int:
        """Those with which something may still happen unasked."""
        return self.images - sum(self[phase] for phase in FINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What finished in one stretch of time."""

    at: Moment
    """Where it begins."""

    succeeded: int
    """Succeeded or skipped."""

    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast images finish, well or badly."""

    per_hour: float | None
    """Finished in one hour of running; time between runs does not count. None before any run."""

    possible_per_hour: float | None
    """What every target's window (max_jobs), its submit rate and the times that its jobs took so far would
    allow, added up over the targets that have images. None before a job has ended well."""

    last_hour: int
    """Finished within the hour before `generated_at`."""

    running_seconds: float
    """Total time of all runs; of a killed one, until its last sign of life."""

    bucket_seconds: float
    buckets: tuple[Bucket, ...]
    """Without gaps from the first run (or finish) until now, at most about a hundred; empty before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When the rest will be done.

    Every target's remaining jobs are played through with its window (max_jobs), its submit rate and the times
    that its jobs took so far; not extrapolated from a percentage.
    """

    at: Moment | None
    """None when it is unknown, when nothing is left, or when no run is at work."""

    seconds: float | None
    """The same as time from now, whether or not a run is at work; 0 when nothing is left, None if unknown."""

    images: int
    """Unfinished images that the estimate covers."""

    left_out: int
    """Unfinished images that it cannot cover: overdue, held for a person, or of a target that stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long things took; None where nothing was measured."""

    cloud: Spread | None
    """From accepted to verified, of the images that succeeded. Jobs that a pause between two runs overlapped
    are not among them, because nobody saw when they ended."""

    submit: Spread | None
    """From an image's first request to its acceptance: near zero, unless the service throttles or refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one target's own jobs taught about how soon its lists show an import, and what follows from it."""

    settle: float
    """Seconds for which an empty look-up proves nothing: from the plan, or learned (`settle = "auto"`)."""

    by: Mapping[By, Learned]
    """By each way of listing that is used."""


class RunState(StrEnum):
    ENDED = "ended"
    RUNNING = "running"
    KILLED = "killed"
    """It never said goodbye: a kill, a power cut, a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that any report shows."""

    plan: Plan
    generated_at: Moment
    totals: Tally
    removed: int
    """How many of the images are no longer in the plan."""

    drifted: int
    held: int
    by_wave: Mapping[str, Tally]
    """In the plan's order, "" for images without one."""

    by_target: Mapping[str, Tally]
    by_label: Mapping[str, Mapping[str, Tally]]
    """By label key, then by value, both sorted; "" for images without that label."""

    throughput: Throughput
    eta: Estimate
    durations: Durations
    listings: Mapping[str, Listing]
    """By target, in the plan's order."""

    failures: tuple[Cause, ...]
    """The failed images by cause, the most frequent first; their counts add up to the failed ones."""

    waiting: tuple[Cause, ...]
    """Unfinished images that something keeps back, by cause, the most frequent first."""

    runs: tuple[RunLine, ...]
    halted: Mapping[str, Fault]
    """Targets that stopped submitting in the latest run, and why."""

    images: Rows

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Every label key of any image, sorted."""
        return tuple(self.by_label)


_INDEX = {phase: index for index, phase in enumerate(Phase)}

# --- The one road ---------------------------------------------------------------------------------------


def summary(ledger: Ledger, *, plan: Plan, now: Moment, running: bool | None = None) -> Summary:
    """What there is to say about `ledger` at the moment `now`.

    `running` tells whether a run holds the journal; None believes the last run when it has not said that it
    ended. Of `plan` only what it says of itself and its targets is used: the images are the ledger's.
    """
    pairs = [(item, ledger.states[key]) for key, item in ledger.planned.items()]
    drift = frozenset(drifted(ledger))
    halted = {name: plain(fault) for name, fault in ledger.runs[-1].halted.items()} if ledger.runs else {}
    runs = _runs(ledger.runs, pairs, now, running)
    count = _Count(halted)
    for item, state in pairs:
        count.add(item, state)
    interrupted = [run.began_at for run in runs]
    measured = {
        target: [
            end - start
            for start, end in spans
            if bisect_right(interrupted, start) == bisect_right(interrupted, end)
        ]
        for target, spans in count.spans.items()
    }
    return Summary(
        plan=plan,
        generated_at=now,
        totals=Tally(counts=tuple(count.totals)),
        removed=count.removed,
        drifted=len(drift),
        held=count.held,
        by_wave=_tallies(count.waves),
        by_target=_tallies(count.targets),
        by_label={label: _with_rest(count.labels[label], count.totals) for label in sorted(count.labels)},
        throughput=_throughput(count, runs, now, _possible(count, plan, measured)),
        eta=_estimate(count, plan, measured, now, at_work=bool(runs) and runs[-1].state is RunState.RUNNING),
        durations=Durations(
            cloud=spread(value for values in measured.values() for value in values),
            submit=spread(count.submit_waits),
        ),
        listings=_listings(ledger, plan),
        failures=causes(count.failed),
        waiting=causes(count.waiting),
        runs=runs,
        halted=halted,
        images=Rows(pairs, drift),
    )


class _Count:
    """One walk over the images: everything that is counted, counted once."""

    def __init__(self, halted: Mapping[str, Fault]) -> None:
        self.halted = halted
        self.totals = [0] * len(Phase)
        self.removed = self.held = 0
        self.waves: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(Phase))
        self.targets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(Phase))
        self.labels: dict[str, defaultdict[str, list[int]]] = {}
        self.finished: list[tuple[Moment, bool]] = []
        """When, and whether well."""
        self.spans: defaultdict[str, list[tuple[Moment, Moment]]] = defaultdict(list)
        """By target: submitted and finished, of what succeeded."""
        self.submit_waits: list[float] = []
        self.begun: defaultdict[str, list[Moment]] = defaultdict(list)
        """By target: when each job began that is, or may be, at work."""
        self.pending: Counter[str] = Counter()
        """By target: images that will be submitted."""
        self.stuck: Counter[str] = Counter()
        """By target: jobs that hold a slot for nobody knows how long."""
        self.left_out = 0
        self.failed: list[tuple[Why, Fault, Planned, State]] = []
        self.waiting: list[tuple[Why, Fault, Planned, State]] = []

    def add(self, item: Planned, state: State) -> None:
        image, phase = item.image, state.phase
        index = _INDEX[phase]
        self.totals[index] += 1
        self.removed += state.removed
        self.held += state.held
        self.waves[image.wave or ""][index] += 1
        self.targets[image.target][index] += 1
        for label, value in image.labels.items():
            values = self.labels.get(label)
            if values is None:
                values = self.labels[label] = defaultdict(lambda: [0] * len(Phase))
            values[value][index] += 1
        if state.submitted_at is not None and (began := _first_request(state.attempts)) is not None:
            self.submit_waits.append(max(state.submitted_at - began, 0.0))
        if state.finished_at is not None:
            self.finished.append((state.finished_at, phase is not Phase.FAILED))
            if phase is Phase.SUCCEEDED and state.submitted_at is not None:
                self.spans[image.target].append(
                    (state.submitted_at, max(state.finished_at, state.submitted_at))
                )
        if phase is Phase.FAILED:
            self.failed.append((Why.FAILED, state.fault or Fault(message=""), item, state))
        elif phase not in FINISHED:
            self._unfinished(item, state)

    def _unfinished(self, item: Planned, state: State) -> None:
        target, phase = item.image.target, state.phase
        why: Why | None = None
        fault = state.fault
        if state.held or phase is Phase.OVERDUE:
            why, fault = (Why.HELD, fault) if state.held else (Why.OVERDUE, fault or OVERDUE)
            self.stuck[target] += 1
            self.left_out += 1
        elif phase is Phase.PENDING and target in self.halted:
            why, fault = Why.HALTED, self.halted[target]
            self.left_out += 1
        elif phase is Phase.PENDING:
            why = None if fault is None else Why.RETRYING
            self.pending[target] += 1
        else:
            why = Why.IN_DOUBT if phase is Phase.IN_DOUBT else None
            began = state.submitted_at or (state.attempts[-1].began_at if state.attempts else None)
            # A found import whose beginning nobody knows counts as having just begun.
            self.begun[target].append(math.inf if began is None else began)
        if why is not None:
            self.waiting.append((why, fault or Fault(message=""), item, state))


_TAKEN = (Outcome.ACCEPTED, Outcome.ADOPTED)
_REPEATED = (Outcome.REFUSED, Outcome.THROTTLED, Outcome.LOST)


def _first_request(attempts: Sequence[Attempt]) -> Moment | None:
    """When the request left that opened the row of attempts of which the last was accepted."""
    first: Moment | None = None
    for attempt in reversed(attempts):
        if first is not None and attempt.outcome not in _REPEATED:
            break
        first = attempt.began_at
    return first


def _tallies(counts: Mapping[str, list[int]]) -> dict[str, Tally]:
    return {name: Tally(counts=tuple(numbers)) for name, numbers in counts.items()}


def _with_rest(counts: Mapping[str, list[int]], totals: list[int]) -> dict[str, Tally]:
    """Tallies by label value, with all images that lack the label under ""."""
    named = [sum(column) for column in zip(*counts.values(), strict=True)]
    rest = [total - part for total, part in zip(totals, named, strict=True)]
    complete = dict(counts)
    if any(rest):
        complete[""] = [a + b for a, b in zip(counts.get("", [0] * len(rest)), rest, strict=True)]
    return _tallies({value: complete[value] for value in sorted(complete)})


def _listings(ledger: Ledger, plan: Plan) -> dict[str, Listing]:
    found = {}
    ways = tuple(By) if plan.policy.marker is MarkerKind.TAG else (By.NAME,)
    for target in plan.targets:
        learned = {by: ledger.learned.get((target, by), Learned()) for by in ways}
        # The surest way of listing decides, as it does in the run itself.
        settle = min(known.settle(plan.policy.settle) for known in learned.values())
        found[target] = Listing(settle=round(settle, 3), by=learned)
    return found


# --- Runs and throughput --------------------------------------------------------------------------------


def _runs(
    runs: Sequence[Run], pairs: Sequence[tuple[Planned, State]], now: Moment, running: bool | None
) -> tuple[RunLine, ...]:
    begins = [run.began_at for run in runs]
    open_ended = {index for index, run in enumerate(runs) if run.ended_at is None}
    at_work = len(runs) - 1 if runs and len(runs) - 1 in open_ended and running is not False else -1
    seen = _signs_of_life(begins, pairs) if open_ended - {at_work} else begins
    lines = []
    for index, run in enumerate(runs):
        if run.ended_at is not None:
            state, end = RunState.ENDED, run.ended_at
        elif index == at_work:
            state, end = RunState.RUNNING, now
        else:
            state, end = RunState.KILLED, seen[index]
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
    seen = list(begins)
    for _, state in pairs:
        moments = [state.finished_at]
        for attempt in state.attempts:
            moments += (attempt.began_at, attempt.ended_at)
        for moment in moments:
            if moment is not None and (index := bisect_right(begins, moment) - 1) >= 0:
                seen[index] = max(seen[index], moment)
    return seen


_WIDTHS = (60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_BUCKETS = 96


def _throughput(count: _Count, runs: Sequence[RunLine], now: Moment, possible: float | None) -> Throughput:
    active = sum(run.seconds for run in runs)
    finished = count.finished
    width, buckets = _buckets(finished, runs, now)
    return Throughput(
        per_hour=round(len(finished) * 3600 / active, 2) if active > 0 else None,
        possible_per_hour=possible,
        last_hour=sum(now - 3600 < moment <= now for moment, _ in finished),
        running_seconds=round(active, 3),
        bucket_seconds=width,
        buckets=buckets,
    )


def _buckets(
    finished: Sequence[tuple[Moment, bool]], runs: Sequence[RunLine], now: Moment
) -> tuple[float, tuple[Bucket, ...]]:
    moments = [run.began_at for run in runs] + [moment for moment, _ in finished]
    if not moments:
        return _WIDTHS[0], ()
    first, last = min(moments), max(now, *moments)
    width = next((width for width in _WIDTHS if (last - first) / width <= _BUCKETS), _WIDTHS[-1])
    while (last - first) / width > _BUCKETS:
        width *= 2
    start = math.floor(first / width)
    well = [0] * (math.floor(last / width) - start + 1)
    badly = list(well)
    for moment, success in finished:
        (well if success else badly)[math.floor(moment / width) - start] += 1
    return width, tuple(
        Bucket(at=(start + index) * width, succeeded=good, failed=bad)
        for index, (good, bad) in enumerate(zip(well, badly, strict=True))
    )


def _possible(count: _Count, plan: Plan, measured: Mapping[str, list[float]]) -> float | None:
    """Images in an hour, were every window always full."""
    overall = [value for values in measured.values() for value in values]
    per_second = 0.0
    for target in sorted(count.targets.keys() & plan.targets.keys()):
        limits, times = plan.targets[target].limits, measured.get(target) or overall
        if sum(times) <= 0:
            return None
        jobs = limits.max_jobs * len(times) / sum(times)
        per_second += min(jobs, limits.submit_rate.per_second)
    return round(per_second * 3600, 2) if per_second else None


# --- The estimate ---------------------------------------------------------------------------------------


def _estimate(
    count: _Count, plan: Plan, measured: Mapping[str, list[float]], now: Moment, *, at_work: bool
) -> Estimate:
    targets = sorted(count.pending.keys() | count.begun.keys())
    images = sum(count.pending.values()) + sum(len(begun) for begun in count.begun.values())
    overall = [value for values in measured.values() for value in values]
    longest: float | None = 0.0
    for target in targets:
        limits = plan.targets[target].limits if target in plan.targets else Limits()
        times = sample(measured.get(target) or overall)
        window = limits.max_jobs - count.stuck[target]
        if not times or (count.pending[target] and window <= 0):
            longest = None
            break
        rest = makespan(
            pending=count.pending[target],
            elapsed=[max(now - began, 0.0) for began in count.begun[target]],
            window=window,
            interval=1 / limits.submit_rate.per_second,
            times=times,
        )
        longest = max(longest or 0.0, rest)
    seconds = None if longest is None else round(longest, 3)
    if images == 0 and count.left_out:
        seconds = None
    at = now + seconds if seconds is not None and images and at_work else None
    return Estimate(at=at, seconds=seconds, images=images, left_out=count.left_out)
