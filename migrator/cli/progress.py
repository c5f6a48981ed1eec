"""What a person sees while a run goes on: a live view on a terminal, a plain line now and then elsewhere."""

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

import anyio
import anyio.to_thread

from migrator.cli.common import Console
from migrator.cli.reporting import snapshot
from migrator.cli.wiring import zone_of
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.engine import Engine
from migrator.engine.target_worker import TargetWorker
from migrator.io.console import STDERR, STDOUT
from migrator.journal.codec import event_text
from migrator.pacing.affordable import pause
from migrator.pacing.rate_limit import AdaptiveRateLimiter
from migrator.reports import terminal
from migrator.reports.glossary import DONE, TO_GO, steps
from migrator.reports.styled import painted
from migrator.reports.summary import Summary, summary
from migrator.reports.tally import Tally
from migrator.workflow.events import Event, ImageEvent
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import steps_left
from migrator.workflow.states import Phase

DRAW_EVERY = 0.5
"""Seconds between two drawings."""

PLAIN_EVERY = 30.0
"""Seconds between two lines where nobody watches."""

SUMMARY_EVERY = 2.0
"""Seconds between two Summaries, at least."""

SHARE = 0.01
"""A Summary is made so seldom that it takes this part of a core."""


class Progress:
    """Counts by status, kept up event by event, and shown at a calm rate."""

    def __init__(self, plan: Plan, ledger: Ledger, console: Console) -> None:
        self._plan = plan
        self._zone = zone_of(plan)
        self._ledger = ledger
        self._console = console
        self.engine: Engine | None = None
        """Whose rates and windows are shown, as soon as there is one."""
        self._phases: dict[str, Phase] = {
            key: state.phase for key, state in ledger.states.items() if state.phase is not Phase.PENDING
        }
        """Of images that somebody has begun with: of a large plan those are few for long."""
        self._counts: Counter[Phase] = Counter()
        self._waves: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
        self._waves.update((wave.name, Counter()) for wave in plan.waves)
        self._targets: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
        images = ((item.image, state.phase) for _, item, state in ledger.images())
        groups = Counter((image.wave, image.target, phase) for image, phase in images)
        for (wave, target, phase), count in groups.items():
            for counts in (self._counts, self._waves[wave or ""], self._targets[target]):
                counts[phase] += count
        self._held = {key for key, state in ledger.states.items() if state.held}
        self._failures: deque[terminal.Failure] = deque(maxlen=terminal.LATEST)
        self._summary: Summary | None = None
        self._steps = any(image.share_with or image.copy_to for image in plan.images)

    def on_event(self, event: Event) -> None:
        """One more event became durable."""
        if isinstance(event, ImageEvent):
            self._count(event)
        if self._console.json:
            kept, text = event_text(event)
            self._console.object({"event": type(kept).__name__, **json.loads(text)})

    def _count(self, event: ImageEvent) -> None:
        key, state = event.key, self._ledger.states[event.key]
        image = self._ledger.planned[key].image
        before, phase = self._phases.get(key, Phase.PENDING), state.phase
        if phase is not before:
            for counts in (self._counts, self._waves[image.wave or ""], self._targets[image.target]):
                counts[before] -= 1
                counts[phase] += 1
            self._phases[key] = phase
            if phase is Phase.FAILED and state.fault is not None:
                self._failures.appendleft(terminal.Failure(key=key, fault=state.fault))
        if state.held:
            self._held.add(key)
        else:
            self._held.discard(key)

    def line(self) -> str:
        """Where the run stands, in one line."""
        tally = _tally(self._counts)
        others = terminal.rest(tally, len(self._held))
        after = steps_left(self._ledger) if self._steps else 0
        parts = [f"{tally.done}/{tally.wanted} {DONE.word}", others]
        parts += [f"{after:,} {steps(after)} {TO_GO}"] if after else []
        return ", ".join(part for part in parts if part)

    def facts(self, now: Moment) -> terminal.LiveStatus:
        """What the live view shows, at the moment `now`."""
        last = self._summary
        workers = self.engine.workers if self.engine is not None else {}
        return terminal.LiveStatus(
            name=self._plan.name,
            now=now,
            totals=_tally(self._counts),
            held=len(self._held),
            waves=_tallies(self._waves),
            targets=_tallies(self._targets),
            throughput=last.throughput if last else None,
            eta=last.eta if last else None,
            pressures=tuple(_pressure(worker) for worker in workers.values()),
            waits=last.waits if last else (),
            failures=tuple(self._failures),
            zone=self._zone,
        )

    @property
    def _live(self) -> bool:
        """Whether lines may move; not where JSON goes to the same terminal."""
        return self._console.person and STDERR.moving and not (self._console.json and STDOUT.isatty())

    async def show(self) -> None:
        """Show how it goes until cancelled: twice a second on a terminal, else a line every 30 s."""
        if self._console.quiet:
            return
        if not self._live:
            while True:
                await anyio.sleep(PLAIN_EVERY)
                self._console.say(self.line())
        async with anyio.create_task_group() as group:
            group.start_soon(self._estimate)
            while True:
                self._draw()
                await anyio.sleep(DRAW_EVERY)

    async def _estimate(self) -> None:
        """Keep a Summary at hand, at a price that nobody notices."""
        while self.engine is not None:
            began = time.thread_time()
            frozen = snapshot(self._ledger)
            copied = time.thread_time() - began
            self._summary, spent = await anyio.to_thread.run_sync(
                self._summarised,
                frozen,
                self.engine.clock.now(),
                abandon_on_cancel=True,
            )
            await anyio.sleep(pause(copied + spent, share=SHARE, least=SUMMARY_EVERY))

    def _summarised(self, ledger: Ledger, now: Moment) -> tuple[Summary, float]:
        """A Summary, and the seconds of a processor that it took."""
        began = time.thread_time()
        found = summary(ledger, plan=self._plan, now=now, running=True, zone=self._zone)
        return found, time.thread_time() - began

    def close(self) -> None:
        """Leave the last line standing."""
        if self._live:
            self._draw(lines=1)
            STDERR.keep_live()
        else:
            self._console.say(self.line())

    def _draw(self, *, lines: int | None = None) -> None:
        if self.engine is None:
            return
        clock = self.engine.clock
        columns, rows = STDERR.size()
        # The last column stays free: a terminal may wrap as soon as it is filled.
        drawn = terminal.view(
            self.facts(clock.now()),
            width=columns - 1,
            height=lines or max(rows - 1, 1),
            encoding=STDERR.encoding,
        )
        STDERR.live("\n".join(painted(drawn, colored=self._console.colored)))


def _tally(counts: Counter[Phase]) -> Tally:
    return Tally(counts=tuple(counts[phase] for phase in Phase))


def _tallies(groups: Mapping[str, Counter[Phase]]) -> tuple[tuple[str, Tally], ...]:
    return tuple((name, _tally(counts)) for name, counts in groups.items() if counts)


def _pressure(worker: TargetWorker) -> terminal.Pressure:
    scheduler = worker.scheduler
    return terminal.Pressure(
        target=worker.target.name,
        submits=_speed(scheduler.submits),
        queries=_speed(scheduler.queries),
        jobs=len(scheduler.in_cloud),
        job_limit=scheduler.job_limit.size,
        most=scheduler.job_limit.most,
    )


def _speed(limiter: AdaptiveRateLimiter) -> terminal.Speed:
    return terminal.Speed(now=limiter.bucket.rate, most=limiter.ceiling, learned=limiter.limit)
