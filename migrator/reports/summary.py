"""The ledger summed up for people: totals, durations, estimates, and failures grouped by cause.

Every report is made from one Summary, so their numbers agree. The rules:

1. Every image that the ledger knows is one row and is counted once, under exactly one status; so every way of
   grouping (wave, target, the values of one label) adds up to the same number. An image without a wave, or
   without a label, is counted under the empty name "".
2. A Summary is a snapshot: what the ledger learns later does not reach it, not even while a
   report is written.
3. The same ledger at the same moment gives the same Summary, to the byte once it is rendered.
4. What nobody knows is None, never a guess: no estimate before a job has ended, none for a run that is over.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.image import MACHINE
from migrator.domain.plan import MarkerKind, Plan
from migrator.domain.units import Moment
from migrator.domain.zone import UTC_ZONE, Zone
from migrator.pacing.estimate import Spread, spread
from migrator.reports.causes import Cause, causes
from migrator.reports.counts import ImageCounts
from migrator.reports.estimate import Estimate, Range, estimate
from migrator.reports.machines import Machines, machines
from migrator.reports.rows import ImageRows
from migrator.reports.runs import RunLine, RunState, run_lines
from migrator.reports.tally import Tally, tallies, tallies_of_label
from migrator.reports.throughput import Throughput, possible_per_hour, throughput
from migrator.reports.untrusted import one_line, plain
from migrator.reports.waits import StandingStill, waits
from migrator.workflow.beliefs import ServiceSeen
from migrator.workflow.ledger import Ledger
from migrator.workflow.notifications import undelivered
from migrator.workflow.resume import drifted
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays


class Durations(Struct, frozen=True, kw_only=True):
    """How long things took; None where nothing was measured."""

    cloud: Spread | None
    """From accepted to verified, of the images that succeeded. Jobs that a pause between two runs overlapped
    are not among them, because nobody saw when they ended."""

    submit: Spread | None
    """From an image's first request to its acceptance: near zero, unless the service throttles or refuses."""


class WaveLine(Struct, frozen=True, kw_only=True):
    """When one wave runs: what was, and what may be expected; None where there is nothing to tell."""

    name: str
    not_before: Moment | None
    not_after: Moment | None
    began_at: Moment | None
    """When its first request left."""

    ended_at: Moment | None
    """When its last image was finished; None while one is not."""

    begins: Range | None
    ends: Range | None


class ListingFacts(Struct, frozen=True, kw_only=True):
    """What one target's own jobs taught about how soon its lists show an import, and what follows from it."""

    settle: float
    """Seconds for which an empty look-up proves nothing: from the plan, or learned (`settle = "auto"`)."""

    by: Mapping[ListedBy, VisibilityDelays]
    """By each way of listing that is used."""


class Summary(Struct, frozen=True, kw_only=True):
    """All that any report shows."""

    plan: Plan
    generated_at: Moment
    events: int
    """How many the journal held."""

    last_event_at: Moment | None
    """When the last of them happened; None without any."""

    totals: Tally
    removed: int
    """How many of the images are no longer in the plan."""

    drifted: int
    held: int
    by_wave: Mapping[str, Tally]
    """In the plan's order, "" for images without one."""

    steps_left: int
    """Shares and copies of images that were imported, which are still to be made."""

    steps_failed: int

    by_target: Mapping[str, Tally]
    by_label: Mapping[str, Mapping[str, Tally]]
    """By label key, then by value, both sorted; "" for images without that label."""

    machines: Machines
    """Those that the label `machine` names; none where no image has it."""

    waves: tuple[WaveLine, ...]
    """When each wave runs; empty where the plan has none."""

    throughput: Throughput
    eta: Estimate
    durations: Durations
    listings: Mapping[str, ListingFacts]
    """By target, in the plan's order."""

    failures: tuple[Cause, ...]
    """The failed images by cause, the most frequent first; their counts add up to the failed ones."""

    waiting: tuple[Cause, ...]
    """Unfinished images that something keeps back, by cause, the most frequent first."""

    waits: tuple[str, ...]
    """What the rest waits for, a sentence for each reason; and who was not told of something yet."""

    runs: tuple[RunLine, ...]
    halted: Mapping[str, Fault]
    """Targets that stopped submitting in the latest run, and why."""

    images: ImageRows
    service: Mapping[str, ServiceSeen]
    """What the service of each region was seen to do."""

    zone: Zone
    """In which people are told the time."""

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Every label key of any image, sorted."""
        return tuple(self.by_label)


def summary(
    ledger: Ledger,
    *,
    plan: Plan,
    now: Moment,
    running: bool | None = None,
    service: Mapping[str, ServiceSeen] = MappingProxyType({}),
    zone: Zone = UTC_ZONE,
) -> Summary:
    """What there is to say about `ledger` at the moment `now`; `service` is what was seen, by region.

    `running` tells whether a run holds the journal; None believes the last run when it has not said that it
    ended. Of `plan` only what it says of itself and its targets is used: the images are the ledger's.
    """
    pairs = [(item, ledger.states[key]) for key, item in ledger.planned.items()]
    drift = frozenset(drifted(ledger))
    halted = {name: plain(fault) for name, fault in ledger.runs[-1].halted.items()} if ledger.runs else {}
    runs = run_lines(ledger.runs, pairs, now, running)
    at_work = bool(runs) and runs[-1].state is RunState.RUNNING
    counts = ImageCounts(halted)
    for item, state in pairs:
        counts.add(item, state)
    rows = ImageRows(pairs, drift)
    job_seconds = counts.job_seconds(runs)
    cloud = spread(value for values in job_seconds.values() for value in values)
    listings, waiting = _listings(ledger, plan), causes(counts.waiting)
    settle = max((listing.settle for listing in listings.values()), default=0.0)
    run = runs[-1] if at_work else None
    still = StandingStill(halted=halted, waiting=waiting, settle=settle, usual=cloud, run=run)
    possible = possible_per_hour(counts.targets, plan, job_seconds)
    eta = estimate(pairs, plan, halted, runs, now, at_work=at_work)
    return Summary(
        plan=plan,
        generated_at=now,
        events=ledger.events,
        last_event_at=ledger.last_at,
        totals=Tally(counts=tuple(counts.totals)),
        removed=counts.removed,
        drifted=len(drift),
        held=counts.held,
        steps_left=counts.steps_left,
        steps_failed=counts.steps_failed,
        by_wave=tallies(counts.waves),
        by_target=tallies(counts.targets),
        by_label=_by_label(counts),
        machines=machines(rows if MACHINE in counts.labels else ()),
        throughput=throughput(counts.finished, runs, now, possible),
        waves=_wave_lines(plan, counts, eta),
        eta=eta,
        durations=Durations(cloud=cloud, submit=spread(counts.submit_waits)),
        listings=listings,
        failures=causes(counts.failed),
        waiting=waiting,
        waits=(*waits(pairs, plan, now, zone, still), *_untold(ledger, plan, at_work=at_work)),
        runs=runs,
        halted=halted,
        images=rows,
        service=service,
        zone=zone,
    )


def _untold(ledger: Ledger, plan: Plan, *, at_work: bool) -> tuple[str, ...]:
    """Who was not told yet; while a run is at work, those whom it could not reach."""
    owed = undelivered(ledger, plan.notify)
    return tuple(one_line(str(one)) for one in owed if one.failure or not at_work)


def _by_label(counts: ImageCounts) -> dict[str, dict[str, Tally]]:
    return {label: tallies_of_label(counts.labels[label], counts.totals) for label in sorted(counts.labels)}


def _wave_lines(plan: Plan, counts: ImageCounts, eta: Estimate) -> tuple[WaveLine, ...]:
    found = []
    for wave in plan.waves:
        began, ended = counts.wave_spans.get(wave.name, (None, None))
        expected = eta.waves.get(wave.name)
        left = Tally(counts=tuple(counts.waves[wave.name])).unfinished if wave.name in counts.waves else 0
        found.append(
            WaveLine(
                name=wave.name,
                not_before=wave.not_before,
                not_after=wave.not_after,
                began_at=began,
                ended_at=None if left else ended,
                begins=None if expected is None else expected.begins,
                ends=None if expected is None else expected.ends,
            )
        )
    return tuple(found)


def _listings(ledger: Ledger, plan: Plan) -> dict[str, ListingFacts]:
    found = {}
    ways = tuple(ListedBy) if plan.policy.marker is MarkerKind.TAG else (ListedBy.NAME,)
    for target in plan.targets:
        learned = {by: ledger.learned.get((target, by), VisibilityDelays()) for by in ways}
        # The surest way of listing decides, as it does in the run itself.
        settle = min(known.visibility_timeout(plan.policy.settle) for known in learned.values())
        found[target] = ListingFacts(settle=round(settle, 3), by=learned)
    return found
