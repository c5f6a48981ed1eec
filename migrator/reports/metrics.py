"""What a plan's numbers are to Prometheus: one table of metrics, filled from Summaries.

What only the process of a run knows, its requests and how long its journal takes, is added by `RunMetrics`.
Names follow the conventions of Prometheus ("Metric and label naming"): base units, `_total` for what only
grows. No label holds the name of an image, so that their number stays bounded.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from migrator.domain.units import Moment
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary
from migrator.workflow.states import Outcome, Phase

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `metrics_text` gives (Prometheus, "Exposition formats")."""

JOB_BUCKETS = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)
APPEND_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Labels = tuple[str, ...]
Values = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of the table."""

    name: str
    kind: str
    """ "gauge", "counter" or "histogram"."""

    labels: Labels
    """Beside `plan`, which each has."""

    meaning: str


METRICS = (
    Row("migrator_images", "gauge", ("target", "wave", "status"), "Images by where they stand."),
    Row(
        "migrator_images_waiting", "gauge", ("reason",), "Images that something keeps back: held, halted, ..."
    ),
    Row("migrator_attempts_total", "counter", ("target", "outcome"), "Submissions by what became of them."),
    Row("migrator_doubts_total", "counter", ("target",), "Submissions whose outcome was unknown at first."),
    Row("migrator_target_paused_seconds", "gauge", ("target",), "For so long nothing more is to be sent."),
    Row("migrator_job_seconds", "histogram", ("method",), "From acceptance to the end of a job, ended well."),
    Row("migrator_images_per_hour", "gauge", (), "Images that came to their end in an hour of running."),
    Row("migrator_estimate_seconds", "gauge", ("bound",), "Until the rest is done: low, middle, high."),
    Row("migrator_images_too_late", "gauge", (), "Images whose wave closes before they begin, by estimate."),
    Row("migrator_run_active", "gauge", (), "1 while a run is at work."),
    Row("migrator_run_exit_code", "gauge", (), "How the latest run ended; missing while it runs."),
    Row("migrator_target_halted", "gauge", ("target",), "1 where nothing more is submitted in this run."),
    Row(
        "migrator_journal_readable",
        "gauge",
        (),
        "1 where the journal could be read, 0 where not: then all else of the plan is missing.",
    ),
    Row("migrator_journal_events_total", "counter", (), "Events in the journal."),
    Row("migrator_last_progress_timestamp_seconds", "gauge", (), "When an image last came further."),
    Row("migrator_journal_last_event_timestamp_seconds", "gauge", (), "When its last event happened."),
    Row("migrator_generated_timestamp_seconds", "gauge", (), "When these numbers were made."),
    Row("migrator_requests_total", "counter", ("api", "status"), "Requests of this run, by call and answer."),
    Row("migrator_journal_append_seconds", "histogram", (), "Until events of this run were durable."),
    Row("migrator_journal_waiting_seconds", "gauge", (), "How long events wait now to be durable, at most."),
)
"""Every metric there is."""

_BY_NAME = {row.name: row for row in METRICS}


@dataclass(slots=True)
class Times:
    """How long something took, as a histogram."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def took(self, seconds: float) -> None:
        """One more of it."""
        self.total += seconds
        for index, bound in enumerate(self.bounds):
            if seconds <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Counts up to each bound, as Prometheus has them."""
        found, so_far = [], 0
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


@dataclass(slots=True)
class RunMetrics:
    """What only the process of a run knows."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By call and answer: an HTTP status, "unreachable" or "no-answer"."""

    appends: Times = field(default_factory=lambda: Times(APPEND_BUCKETS))
    waiting: float = 0.0
    """Seconds for which the oldest event has waited that is not durable yet; 0 when none waits."""


def metrics_text(
    summaries: Sequence[Summary], run: RunMetrics | None = None, unreadable: Sequence[str] = ()
) -> bytes:
    """The metrics of these plans in Prometheus' text format.

    `run` is of the process that runs the first; `unreadable` names plans whose journals cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(lambda: _families(summaries, run, unreadable)))
    return generate_latest(registry)


class _Collector:
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


def _families(
    summaries: Sequence[Summary], run: RunMetrics | None, unreadable: Sequence[str]
) -> Iterator[Metric]:
    values: dict[str, dict[Labels, float]] = {
        "migrator_journal_readable": {(name,): 0.0 for name in unreadable}
    }
    jobs: dict[Labels, Times] = {}
    for one in summaries:
        for name, found in _of_plan(one).items():
            of_name = values.setdefault(name, {})
            of_name.update({(one.plan.name, *labels): value for labels, value in found.items()})
        jobs |= {(one.plan.name, method): times for method, times in _jobs(one).items()}
    if run is not None and summaries:
        plan = summaries[0].plan.name
        values["migrator_requests_total"] = {
            (plan, *key): float(count) for key, count in sorted(run.requests.items())
        }
        values["migrator_journal_waiting_seconds"] = {(plan,): run.waiting}
    for row in METRICS:
        labels = ("plan", *row.labels)
        if row.kind == "histogram":
            family = HistogramMetricFamily(row.name, row.meaning, labels=labels)
            for key, times in sorted(_histograms(row.name, summaries, jobs, run).items()):
                family.add_metric(list(key), times.buckets(), times.total)
            yield family
            continue
        make = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
        simple = make(row.name, row.meaning, labels=labels)
        for key, value in sorted(values.get(row.name, {}).items()):
            simple.add_metric(list(key), value)
        yield simple


def _histograms(
    name: str, summaries: Sequence[Summary], jobs: Mapping[Labels, Times], run: RunMetrics | None
) -> Mapping[Labels, Times]:
    if name == "migrator_job_seconds":
        return jobs
    return {(summaries[0].plan.name,): run.appends} if run is not None and summaries else {}


def _of_plan(one: Summary) -> dict[str, Values]:
    """Values by metric and by labels, `plan` left out."""
    images: Counter[Labels] = Counter()
    attempts, doubts = _attempts(one)
    last = max((line.began_at for line in one.runs), default=0.0)
    for row in one.images:
        images[row.target, row.wave, row.status.value] += 1
        last = max(last, _latest(row.state.finished_at, row.state.job_ended_at, row.state.submitted_at))
    middle, eta = one.eta.seconds, one.eta.range
    now = one.generated_at
    estimate: dict[Labels, float] = {} if middle is None else {("middle",): middle}
    if eta is not None:
        estimate |= {("low",): max(eta.earliest - now, 0.0), ("high",): max(eta.latest - now, 0.0)}
    line = one.runs[-1] if one.runs else None
    waiting: Counter[Labels] = Counter()
    for cause in one.waiting:
        waiting[(cause.kind.value,)] += cause.count
    pace = one.throughput.per_hour
    return {
        "migrator_images": {key: float(count) for key, count in images.items()},
        "migrator_images_waiting": {key: float(count) for key, count in waiting.items()},
        "migrator_attempts_total": {key: float(count) for key, count in attempts.items()},
        "migrator_doubts_total": {key: float(count) for key, count in doubts.items()},
        "migrator_target_paused_seconds": _paused(one),
        "migrator_images_per_hour": {} if pace is None else {(): pace},
        "migrator_estimate_seconds": estimate,
        "migrator_images_too_late": {(): float(one.eta.too_late)} if _windows(one) else {},
        "migrator_run_active": {(): float(line is not None and line.state is RunState.RUNNING)},
        "migrator_run_exit_code": {}
        if line is None or line.exit_code is None
        else {(): float(line.exit_code)},
        "migrator_target_halted": {(target,): 1.0 for target in one.halted},
        "migrator_journal_readable": {(): 1.0},
        "migrator_journal_events_total": {(): float(one.events)},
        "migrator_last_progress_timestamp_seconds": {(): last} if last else {},
        "migrator_journal_last_event_timestamp_seconds": {}
        if one.last_event_at is None
        else {(): one.last_event_at},
        "migrator_generated_timestamp_seconds": {(): now},
    }


def _attempts(one: Summary) -> tuple[Counter[Labels], Counter[Labels]]:
    """Submissions by target and outcome, once that is final; and those that were in doubt.

    What never was is there as 0: a counter that begins at 1 shows no increase.
    """
    found: Counter[Labels] = Counter()
    doubts: Counter[Labels] = Counter()
    for target in one.by_target:
        found.update({(target, outcome): 0 for outcome in OUTCOMES})
        doubts[(target,)] = 0
    for row in one.images:
        for attempt in row.state.attempts:
            if attempt.outcome.value in OUTCOMES:
                found[row.target, attempt.outcome.value] += 1
            doubts[(row.target,)] += attempt.outcome in _DOUBTED
    return found, doubts


def _windows(one: Summary) -> bool:
    """Whether anything is known to close; of a journal of an older version no windows are known."""
    return any(wave.not_after is not None for wave in one.waves)


def _paused(one: Summary) -> dict[Labels, float]:
    """For how long each target's service asked to be sent nothing, from now."""
    found: dict[Labels, float] = {}
    for row in one.images:
        until = row.state.paused_until or 0.0
        found[(row.target,)] = max(found.get((row.target,), 0.0), until - one.generated_at)
    return found


def _latest(*moments: Moment | None) -> Moment:
    return max((moment for moment in moments if moment is not None), default=0.0)


def _jobs(one: Summary) -> dict[str, Times]:
    found: dict[str, Times] = {}
    for row in one.images:
        begun, ended = row.state.submitted_at, row.state.job_ended_at
        if begun is not None and ended is not None:
            found.setdefault(row.method, Times(JOB_BUCKETS)).took(max(ended - begun, 0.0))
    return found


STATUSES = tuple(phase.value for phase in Phase)
_NOT_FINAL = (Outcome.OPEN, Outcome.UNKNOWN)
"""What a submission does not stay: a counter of them would go down, which counts as a new start."""

_DOUBTED = (Outcome.UNKNOWN, Outcome.ADOPTED, Outcome.NOT_FOUND)
OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome not in _NOT_FINAL)
"""Values that `status` and `outcome` may have, for those who write alerts."""
