"""What a person sees while a run goes on: a live view on a terminal, a plain line now and then elsewhere."""

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping

import anyio
import anyio.to_thread

from migrator.cli.common import Look
from migrator.cli.reporting import snapshot
from migrator.cli.streams import STDERR, STDOUT
from migrator.core.headline import span
from migrator.core.ledger import Ledger
from migrator.core.lifecycle import AttemptRefused, Event, ImageEvent, Phase
from migrator.core.pacing import Pace
from migrator.core.summary import Summary, Tally, summary
from migrator.edges.journal.codec import event_text
from migrator.engine import Engine
from migrator.engine.lane import Lane
from migrator.model import Fault, Moment, Plan
from migrator.render import terminal

_ACTIVE = (Phase.SUBMITTING, Phase.RUNNING, Phase.VERIFYING)

DRAW_EVERY = 0.5
"""Seconds between two drawings."""

PLAIN_EVERY = 30.0
"""Seconds between two lines where nobody watches."""

SUMMARY_EVERY = 2.0
"""Seconds between two Summaries, at least."""

SHARE = 50.0
"""A Summary is made so seldom that it takes one part in so many of a processor."""

LONG_SILENCE = 10.0
"""Seconds without a submission that are worth telling; shorter ones are part of the pace."""


class Progress:
    """Counts by status, kept up event by event, and shown at a calm pace."""

    def __init__(self, plan: Plan, ledger: Ledger, look: Look) -> None:
        self._plan = plan
        self._ledger = ledger
        self._look = look
        self.engine: Engine | None = None
        """Whose rates and windows are shown, as soon as there is one."""
        self._phases = {key: state.phase for key, state in ledger.states.items()}
        self._counts = Counter(self._phases.values())
        self._waves: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
        self._waves.update((wave.name, Counter()) for wave in plan.waves)
        self._targets: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
        for key, phase in self._phases.items():
            image = ledger.planned[key].image
            self._waves[image.wave or ""][phase] += 1
            self._targets[image.target][phase] += 1
        self._held = {key for key, state in ledger.states.items() if state.held}
        self._failures: deque[terminal.Failure] = deque(maxlen=terminal.LATEST)
        self._refusals: dict[str, Fault] = {}
        """By target: why the service last refused everybody."""
        self._summary: Summary | None = None

    def saw(self, event: Event) -> None:
        """One more fact became durable."""
        if isinstance(event, ImageEvent):
            self._count(event)
        if self._look.json:
            kept, text = event_text(event)
            self._look.object({"event": type(kept).__name__, **json.loads(text)})

    def _count(self, event: ImageEvent) -> None:
        key, state = event.key, self._ledger.states[event.key]
        image = self._ledger.planned[key].image
        before, phase = self._phases[key], state.phase
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
        if isinstance(event, AttemptRefused) and event.throttled:
            self._refusals[image.target] = event.fault

    def line(self) -> str:
        """Where the run stands, in one line."""
        counts = self._counts
        done = counts[Phase.SUCCEEDED] + counts[Phase.SKIPPED]
        total = sum(counts.values()) - counts[Phase.CANCELLED]
        active = sum(counts[phase] for phase in _ACTIVE)
        parts = [f"{done}/{total} done", f"{active} running", f"{counts[Phase.PENDING]} waiting"]
        parts += [f"{counts[p]} {p.value.replace('_', ' ')}" for p in _RARE if counts[p]]
        return ", ".join(parts)

    def facts(self, now: Moment, tick: float) -> terminal.Facts:
        """What the live view shows, at the moment `now`; `tick` is the same on the clock that only grows."""
        last = self._summary
        lanes = self.engine.lanes if self.engine is not None else {}
        return terminal.Facts(
            name=self._plan.name,
            now=now,
            totals=_tally(self._counts),
            held=len(self._held),
            waves=_tallies(self._waves),
            targets=_tallies(self._targets),
            throughput=last.throughput if last else None,
            eta=last.eta if last else None,
            pressures=tuple(_pressure(lane) for lane in lanes.values()),
            waits=tuple(self._waits(lanes, now, tick)),
            failures=tuple(self._failures),
        )

    def _waits(self, lanes: Mapping[str, Lane], now: Moment, tick: float) -> list[str]:
        told = []
        if self.engine is not None and self.engine.gate.reason:
            told.append(self.engine.gate.reason)
        for name, lane in lanes.items():
            silence = lane.agenda.submits.bucket.blocked_until - tick
            if lane.halted is not None:
                told.append(f"target {name} stopped: {terminal.with_remedy(lane.halted)}")
            elif silence > LONG_SILENCE and lane.agenda.waiting:
                refusal = self._refusals.get(name)
                why = f": {terminal.with_remedy(refusal)}" if refusal is not None else ""
                told.append(f"nothing is submitted to {name} for {span(silence)}{why}")
        if (doubtful := self._counts[Phase.IN_DOUBT] - len(self._held)) > 0:
            fixed = self._plan.policy.settle
            settles = [lane.visibility.settle(fixed, now) for lane in lanes.values()]
            told.append(terminal.doubtful(doubtful, max(settles, default=0.0)))
        if self._held:
            told.append(terminal.held(len(self._held)))
        return told

    @property
    def _live(self) -> bool:
        """Whether lines may move; not where JSON goes to the same terminal."""
        return self._look.person and STDERR.moving and not (self._look.json and STDOUT.isatty())

    async def show(self) -> None:
        """Show how it goes until cancelled: twice a second on a terminal, else a line every 30 s."""
        if self._look.quiet:
            return
        if not self._live:
            while True:
                await anyio.sleep(PLAIN_EVERY)
                self._look.say(self.line())
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
                _summarised, self._plan, frozen, self.engine.clock.now(), abandon_on_cancel=True
            )
            await anyio.sleep(pause_after(copied + spent))

    def close(self) -> None:
        """Leave the last line standing."""
        if self._live:
            self._draw(lines=1)
            STDERR.settle()
        else:
            self._look.say(self.line())

    def _draw(self, *, lines: int | None = None) -> None:
        if self.engine is None:
            return
        clock = self.engine.clock
        columns, rows = STDERR.size()
        # The last column stays free: a terminal may wrap as soon as it is filled.
        drawn = terminal.view(
            self.facts(clock.now(), clock.monotonic()),
            width=columns - 1,
            height=lines or max(rows - 1, 1),
            encoding=STDERR.encoding,
        )
        STDERR.live("\n".join(terminal.painted(drawn, colored=self._look.colored)))


def pause_after(spent: float) -> float:
    """Seconds until the next Summary, when the last one took `spent` seconds of a processor."""
    return max(SUMMARY_EVERY, SHARE * spent)


def _summarised(plan: Plan, ledger: Ledger, now: Moment) -> tuple[Summary, float]:
    """A Summary, and the seconds of a processor that it took."""
    began = time.thread_time()
    found = summary(ledger, plan=plan, now=now, running=True)
    return found, time.thread_time() - began


def _tally(counts: Counter[Phase]) -> Tally:
    return Tally(counts=tuple(counts[phase] for phase in Phase))


def _tallies(groups: Mapping[str, Counter[Phase]]) -> tuple[tuple[str, Tally], ...]:
    return tuple((name, _tally(counts)) for name, counts in groups.items() if counts)


def _pressure(lane: Lane) -> terminal.Pressure:
    agenda = lane.agenda
    return terminal.Pressure(
        target=lane.target.name,
        submits=_speed(agenda.submits),
        queries=_speed(agenda.queries),
        jobs=len(agenda.in_cloud),
        window=agenda.window.size,
        most=agenda.window.most,
    )


def _speed(pace: Pace) -> terminal.Speed:
    return terminal.Speed(now=pace.bucket.rate, most=pace.ceiling, learned=pace.limit)


_RARE = (Phase.IN_DOUBT, Phase.OVERDUE, Phase.FAILED)
