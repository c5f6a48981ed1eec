"""One target at work: its scheduler, its cloud, and the tasks that take one work item after the other."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from types import MappingProxyType

import anyio

from migrator.domain.cloud import CloudImage, Fault, JobStatus, RateHint
from migrator.domain.errors import RetryableError, Unreachable
from migrator.domain.image import USUAL, Decided
from migrator.domain.plan import Polling, Target
from migrator.domain.ports import Clock
from migrator.domain.units import Moment
from migrator.engine.job_watch import JobWatch
from migrator.engine.ports import Cloud
from migrator.pacing.clock_jump import ClockJump
from migrator.pacing.doubt import Doubt
from migrator.pacing.poll_schedule import History, next_poll
from migrator.pacing.scheduler import SWEEP_KEY, Idle, Scheduler, WorkItem
from migrator.pacing.service_clock import ServiceClock
from migrator.pacing.sweep import TRIAL, Hints
from migrator.pacing.visibility import Visibility
from migrator.workflow.beliefs import ServiceSeen
from migrator.workflow.lookup import began_at
from migrator.workflow.states import State
from migrator.workflow.transitions import Step
from migrator.workflow.visibility_delay import ListedBy

BEHIND_OTHERS = 7
"""A job that waits behind others is first asked after so many times the usual time, unless its turn comes."""


class TargetWorker:
    """Its tasks take whatever work item the scheduler offers.

    When it offers none, one of them watches the clock and the others sleep until there is more to do than one
    can take.
    """

    def __init__(
        self,
        target: Target,
        cloud: Cloud,
        scheduler: Scheduler,
        clock: Clock,
        visibility: Visibility,
        sizes: Mapping[str, int] = MappingProxyType({}),
        seen: ServiceSeen | None = None,
        decided: Mapping[str, Decided] = MappingProxyType({}),
    ) -> None:
        """`sizes` are bytes of the images' objects, by key, as far as they are known; `seen` is what the
        service was seen to do; `decided` is how images go in whose plan leaves that open."""
        self.seen = seen or ServiceSeen()
        self.target = target
        self.cloud = cloud
        self.scheduler = scheduler
        self.halted: Fault | None = None
        """Why nothing more is submitted to this target."""
        self.halt_exit_code = 0
        self.watches: dict[str, JobWatch] = {}
        self.visibility = visibility
        self._histories: defaultdict[str, History] = defaultdict(History)
        """By method: one that converts takes longer."""
        self.sizes = sizes
        self.decided = decided
        self.hints = Hints()
        self.closing = False
        """No new work item begins, whatever is due."""
        self.on_idle: Callable[[], None] = lambda: None
        """Called when only another wave could give it more to do."""
        self._clock = clock
        cloud.listen(self.on_rate_hint)
        self._sleepers: list[anyio.Event] = []
        self._changed = anyio.Event()
        self._wake_at: float | None = None
        self.reached = False
        """Whether the service has answered at all in this run."""
        self._outage_since: float | None = None
        self._outages, self._next_try = 0, 0.0
        self._sweeping, self._sweep_at = False, inf
        """Whether one list is planned, or under way; and when it is due."""
        self._queued: dict[str, float] = {}
        """Jobs that wait for their turn at the service, as far as it said: when each was accepted, by key."""
        self.doubts: dict[str, Doubt] = {}
        """Attempts whose outcome is unknown, by the keys of their images."""
        self.leftovers: dict[str, set[str]] = {}
        """Ids of dead images that were listed for an item that is to be submitted, by key."""
        self._retrying: dict[str, float] = {}
        """Since when images are submitted again, by key."""
        self.rejected: dict[Step, tuple[float, int]] = {}
        """Questions that the service refuses for good: since when, and how often in a row."""
        self.jobs: dict[str, str] = {}
        """Whose job each job id is: an answer that names another image's is not about what was asked."""
        self._opened_at = clock.now()
        self.clock_jump, self.service_clock = ClockJump(self._opened_at, clock.monotonic()), ServiceClock()
        self._blind: set[str] = set()
        """Keys of running jobs whose end nobody can tell."""
        self.sweep_pages = 1
        """Requests that the latest sweep took."""

    def on_rate_hint(self, hint: RateHint, of_submissions: bool) -> None:
        """The service says what it allows."""
        limiter = self.scheduler.submits if of_submissions else self.scheduler.queries
        limiter.on_rate_hint(hint, self._clock.monotonic())

    async def work(self, take: Callable[[WorkItem], Awaitable[None]]) -> None:
        """Take work items until there is nothing left to do."""
        while not self.closing:
            item = self.scheduler.next(self._clock.monotonic())
            if isinstance(item, WorkItem):
                if self.scheduler.room:
                    self._wake_one()
                try:
                    await take(item)
                finally:
                    self.scheduler.ended(item)
            elif self.scheduler.over:
                break
            else:
                if self.scheduler.idle:
                    self.on_idle()
                    if self.scheduler.over:
                        break
                await self._sleep(item)
        self.wake_all()

    def on_last_answer(self, item: WorkItem) -> None:
        """The last request of `item` is answered: another may leave while this one's events are recorded."""
        self.scheduler.answered(item)
        self._wake_one()

    def wake_all(self) -> None:
        """Make every task ask the scheduler again: something changed from outside."""
        self._changed.set()
        while self._sleepers:
            self._sleepers.pop().set()

    def close(self) -> None:
        """End after the conversations that are under way."""
        self.closing = True
        self.wake_all()

    async def another_question(self) -> None:
        """Wait until one more query may leave, and count it."""
        bucket = self.scheduler.queries.bucket
        while (seconds := bucket.wait(self._clock.monotonic())) > 0:
            await self._clock.sleep(seconds)
        bucket.take(self._clock.monotonic())

    def on_answer(self) -> None:
        """The service was reached."""
        self.reached = True
        self._outage_since, self._outages = None, 0

    def unanswered(self, error: RetryableError, pause: float, *, submit: bool) -> float:
        """The service turned us away or could not be reached: slow everybody down.

        Returns the seconds for which it has not been reached at all; 0.0 when it was.
        """
        now = self._clock.monotonic()
        scheduler = self.scheduler
        if isinstance(error, Unreachable):
            self._outage_since = now if self._outage_since is None else self._outage_since
            if now >= self._next_try:
                # Requests that were under way together count as one try.
                self._outages += 1
                self._next_try = now + pause
            scheduler.submits.bucket.block(now + pause)
            scheduler.queries.bucket.block(now + pause)
            return now - self._outage_since
        self.on_answer()
        if error.job_limit_reached:
            scheduler.job_limit.on_refused(len(scheduler.in_cloud), now)
            scheduler.submits.bucket.block(now + (error.retry_after or pause))
        elif error.throttled:
            limiter = scheduler.submits if submit else scheduler.queries
            limiter.on_throttled(now, error.retry_after, error.allows)
        return 0.0

    @property
    def outages(self) -> int:
        """Tries in a row that did not reach the service."""
        return self._outages

    def accepted(self, key: str, tick: float, polling: Polling) -> float:
        """The service accepted an import; returns the seconds until its job is worth a question.

        While others wait for their turn at the service it waits as well, most likely.
        """
        self.scheduler.submits.on_answer(tick)
        self.scheduler.job_limit.on_accepted(len(self.scheduler.in_cloud), tick)
        self.visibility.accepted(key, tick)
        if not self._queued:
            return polling.first
        watch = self.watches[key] = JobWatch(tick, tick)
        watch.forecast.on_waiting(tick)
        self._queued[key] = tick
        return BEHIND_OTHERS * polling.first

    def job_ended(self, state: State, report: JobStatus) -> None:
        """A job ended, well or badly."""
        key, tick = state.key, self._clock.monotonic()
        self._queued.pop(key, None)
        forecast, history = self.watch(state).forecast, self._history(state)
        if state.submitted_at is not None:
            history.took(tick - forecast.accepted_at, self.sizes.get(key))
        if report.status == "SUCCESS":
            self.hints.ended(key, report.end_at)
            forecast.teach(history.reliability, self._ended_at(report))
        self.visibility.ended(key, tick, well=report.status == "SUCCESS")

    def swept(self, by: ListedBy, best: Mapping[str, str], asked_at: Moment) -> set[str]:
        """Take in what a list of everything showed, the status of each image by its key; the keys of those
        that it announces as active."""
        self._sweeping = False
        self.visibility.listed(by, best, self._clock.monotonic())
        fresh = self.hints.swept({key for key, status in best.items() if status == "active"}, asked_at)
        self.hints.announced(unforeseen=not all(map(self._foreseen, fresh)))
        return fresh

    def _foreseen(self, key: str) -> bool:
        """Whether the end of a job is due by its forecast, so that it is about to be asked about anyway."""
        ends = self.watches[key].ends
        return ends is not None and ends.soonest <= self._clock.monotonic()

    def sweep_failed(self) -> None:
        """A list got no answer; the next one is planned like any other."""
        self._sweeping = False

    def sweep_again(self, polling: Polling, *, fixed_timeout: bool) -> None:
        """Make one more list after a while, if it would teach or announce something, unless one is due."""
        if self._sweeping and self.scheduler.asking(SWEEP_KEY):
            return  # it is under way
        waits = []
        # What was learned may not hold any more, so it is looked at again whenever a verdict rests on it.
        if not fixed_timeout and (self.doubts or self.visibility.curious):
            waits.append(TRIAL)
        if polling.sweep:
            wait = self.hints.next_sweep(
                running=len(self.watches),
                blind=len(self._blind),
                pages=self.sweep_pages,
                shortest=polling.min_interval,
                rate=self.scheduler.queries.bucket.rate,
            )
            if wait is not None:
                waits.append(wait)
        due = self._clock.monotonic() + min(waits, default=inf)
        if due < (self._sweep_at if self._sweeping else inf):
            self._sweeping, self._sweep_at = True, due
            self.scheduler.ask(SWEEP_KEY, Step.SWEEP, due)

    def still_runs(self, state: State, report: JobStatus) -> None:
        """Take in how a job that still runs does."""
        key, tick, forecast = state.key, self._clock.monotonic(), self.watch(state).forecast
        waits = report.status == "INIT"
        if waits:
            forecast.on_waiting(tick)
        else:
            if self.scheduler.job_limit.queueing:
                forecast.may_have_waited()
            forecast.on_progress(report.progress, tick)
        reliability = self._history(state).reliability
        self.watches[key].ends = forecast.ends(reliability)
        blind = forecast.blind(reliability)
        (self._blind.add if blind else self._blind.discard)(key)
        self._count_waiting(key, waits=waits)

    def forget(self, key: str) -> None:
        """This run looks after an image no longer."""
        self.watches.pop(key, None)
        self._blind.discard(key)
        self._queued.pop(key, None)
        self.scheduler.forget(key)
        self.hints.forget(key)
        self.doubts.pop(key, None)
        self.visibility.forget(key)

    def _ended_at(self, report: JobStatus) -> float:
        """The tick at which a job ended, as far as the service says."""
        return self._clock.monotonic() if report.end_at is None else self.tick_of(report.end_at)

    def next_turn(self, ended: str, report: JobStatus) -> tuple[str, ...]:
        """A job ended: the one whose turn it is now, of those that the service lets wait. It counts as begun
        until the service says otherwise."""
        if not self._queued:
            return ()
        key = min(self._queued, key=self._queued.__getitem__)
        del self._queued[key]
        self.watches[key].forecast.on_turn(self._ended_at(report), self._clock.monotonic())
        self._limit_jobs(len(self.scheduler.in_cloud) - (ended in self.scheduler.in_cloud))
        return (key,)

    def _count_waiting(self, key: str, *, waits: bool) -> None:
        """Whether the service lets an accepted job wait: then a few waiting ones are enough."""
        if waits:
            self._queued[key] = self.watches[key].forecast.accepted_at
        elif key in self._queued:
            del self._queued[key]
        else:
            return
        self._limit_jobs(len(self.scheduler.in_cloud))

    def _limit_jobs(self, in_cloud: int) -> None:
        waiting = len(self._queued)
        self.scheduler.job_limit.on_waiting_jobs(running=in_cloud - waiting, waiting=waiting)

    def watch(self, state: State) -> JobWatch:
        """The memory for one image, begun now if there is none."""
        found = self.watches.get(state.key)
        if found is None:
            tick = self._clock.monotonic()
            accepted = tick if state.submitted_at is None else self.tick_of(state.submitted_at)
            found = self.watches[state.key] = JobWatch(tick, accepted)
        return found

    def tick_of(self, moment: Moment) -> float:
        """When a moment of the past was, on the monotonic clock; of an earlier run as far as the wall clock
        tells."""
        return self._clock.monotonic() - max(0.0, self._clock.now() - moment)

    def doubt(self, key: str, late: float) -> Doubt:
        """The doubt about an image's latest attempt, begun now if there is none."""
        found = self.doubts.get(key)
        if found is None:
            found = self.doubts[key] = Doubt(began=self._clock.monotonic(), late=late)
        return found

    def longest_doubt(self, fixed: float | None) -> float:
        """Seconds for which an attempt in doubt is looked up, the longest of all; inf while nothing tells."""
        tick, visibility = self._clock.monotonic(), self.visibility
        doubts = self.doubts.values()
        return max(
            (one.late + visibility.visibility_timeout(fixed, tick, one.began + one.late) for one in doubts),
            default=0.0,
        )

    def retried_for(self, key: str) -> float:
        """Seconds for which an image's submission has been refused in a passing way; 0.0 where it was not."""
        tick = self._clock.monotonic()
        return tick - self._retrying.get(key, tick)

    def retrying(self, key: str, *, again: bool) -> None:
        """An image's submission was refused in a passing way, and is to be tried `again`; or that is over."""
        if again:
            self._retrying.setdefault(key, self._clock.monotonic())
        else:
            self._retrying.pop(key, None)

    def check_clock(self) -> float:
        """Seconds by which the wall clock jumped since the last call: then every doubt is counted anew."""
        tick = self._clock.monotonic()
        jump = self.clock_jump.seen(self._clock.now(), tick)
        if jump:
            self.service_clock.jumped()
            for doubt in self.doubts.values():
                doubt.restart(tick)
        return jump

    def submitted(self, state: State) -> bool:
        """Whether this run asked for the import whose job the image's is."""
        if not state.attempts or state.job_id is None:
            return False
        last = state.attempts[-1]
        return last.job_id == state.job_id and last.began_at >= self._opened_at

    def shown(self, state: State, image: CloudImage) -> None:
        """The image of a job was read back."""
        self.visibility.shown(state.key, image, self._clock.monotonic())
        if self.submitted(state) and image.id == state.image_id:
            self.service_clock.made(began_at(state), image.created_at)

    def evidence_grows(self, key: str) -> bool:
        """Whether other jobs of this target run, or can begin, that may tell how soon lists show them.

        Images that wait for the end of this one, behind a full job limit or in a later wave, tell nothing.
        """
        running = self.watches.keys() - self.doubts.keys()
        return bool(running) or self.scheduler.may_submit

    def _history(self, state: State) -> History:
        return self._histories[state.method or USUAL]

    def until_poll(self, polling: Polling, state: State) -> float:
        """Seconds until its job is worth another question."""
        forecast, now = self.watch(state).forecast, self._clock.monotonic()
        watching = self.hints.watching(blind=len(self._blind), pages=self.sweep_pages)
        swept = polling.sweep and self._sweeping and watching
        size = self.sizes.get(state.key)
        history = self._history(state)
        least, expected = history.least(size), history.expected(size)
        return next_poll(
            polling,
            forecast,
            now,
            reliability=history.reliability,
            least=least,
            expected=expected,
            swept=swept,
        )

    async def _sleep(self, idle: Idle) -> None:
        wake_at = self._clock.monotonic() + idle.seconds
        if self._wake_at is not None:
            if wake_at < self._wake_at:
                self._changed.set()
            sleeper = anyio.Event()
            self._sleepers.append(sleeper)
            await sleeper.wait()
            return
        self._wake_at, self._changed = wake_at, anyio.Event()
        try:
            await self._clock.wait(self._changed, idle.seconds)
        finally:
            self._wake_at = None

    def _wake_one(self) -> None:
        """Another task asks the scheduler while this one is busy: there may be a second work item to take."""
        if self._wake_at is not None:
            self._changed.set()
        elif self._sleepers:
            self._sleepers.pop().set()
