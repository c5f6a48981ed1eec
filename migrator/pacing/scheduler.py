"""What is due: one scheduler for each target, and the threshold that ends a run early.

Bookkeeping in plain methods. Nobody waits here: `next` answers with a work item to take now or with the
seconds after which asking again makes sense, and time comes in as an argument.
"""

import heapq
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType

from msgspec import Struct

from migrator.domain.plan import Limits, Policy
from migrator.pacing.job_limit import JobLimit
from migrator.pacing.rate_limit import AdaptiveRateLimiter
from migrator.pacing.token_bucket import TICK
from migrator.workflow.transitions import Step


class WorkItem(Struct):
    """One conversation that may begin now; its tokens are taken."""

    step: Step
    keys: tuple[str, ...]
    """One image; or, where one list answers for many, every image that is due for it."""

    answered: bool = False
    """Its last request is no longer in flight; what it said is being recorded."""

    @property
    def shared(self) -> bool:
        """Whether one list answers for many images."""
        return len(self.keys) > 1


class Idle(Struct, frozen=True):
    """Nothing may begin now."""

    seconds: float
    """Until something may; inf when only an answer, or somebody else, can change that."""


class _Line:
    """Images in line for submission, each by its rank, the lowest first.

    The first time round they cost four bytes each: a plan may have a million, and most only ever stand here.
    """

    def __init__(self, ranks: Iterable[int] = ()) -> None:
        """`ranks` ascend."""
        self._fresh = array("I", ranks)
        self._fresh.reverse()  # the next one is at its end
        self._back: list[int] = []

    def __len__(self) -> int:
        return len(self._fresh) + len(self._back)

    def put(self, rank: int) -> None:
        """Back in its place."""
        heapq.heappush(self._back, rank)

    def take(self) -> int:
        """The first of all."""
        if not self._fresh or (self._back and self._back[0] < self._fresh[-1]):
            return heapq.heappop(self._back)
        return self._fresh.pop()

    def keep(self, stays: Callable[[int], bool]) -> None:
        """Only those of which `stays` holds."""
        self._fresh = array("I", filter(stays, self._fresh))
        self._back = list(filter(stays, self._back))
        heapq.heapify(self._back)


class Scheduler:
    """The images of one target that still need something, and what they are waiting for.

    An image that has not started costs a row here, a running one a heap entry: nobody is a task.
    """

    def __init__(
        self,
        limits: Limits,
        keys: Iterable[str],
        now: float,
        *,
        together: float = 0.0,
        waves: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`keys` are the images to submit, first come first served among those whose wave is open.

        `waves` tells each key's wave, 0 where it does not. Questions that one list can answer are asked up to
        `together` seconds early to share it.
        """
        self.job_limit = JobLimit(limits.max_jobs)
        """Jobs that may be in the cloud at once."""
        self.in_cloud: set[str] = set()
        """Keys that hold a slot of the window: their job is, or may be, unfinished."""
        adaptive = limits.adaptive
        self.submits = AdaptiveRateLimiter(
            limits.submit_rate.per_second, limits.submit_burst, now, adaptive=adaptive
        )
        self.queries = AdaptiveRateLimiter(
            limits.query_rate.per_second, limits.query_burst, now, adaptive=adaptive
        )
        self.open = True
        """Whether new images may be submitted."""
        self.list_pages = self.recent_pages = 1
        """Requests that one list of everything this plan imported takes, and one of what it imported lately:
        what a shared answer costs."""
        self._requests_allowed = limits.max_requests
        self._queries_allowed = max(1, limits.max_requests - 1)
        self._submitting = self._asking = 0
        """Work items with a request in flight, or about to leave: submissions, and questions."""
        self.busy = 0
        """Work items begun and not yet ended."""
        self._listing: set[Step] = set()
        """Steps for which a list on behalf of many images is under way; whoever comes due shares the next."""
        self._keys = list(keys)
        self._rank: dict[str, int] = {}
        """The places of images that were taken and may come back."""
        self._waves = waves
        self._ready = _lines(self._keys, waves)
        self.open_waves: frozenset[int] | None = None
        """Waves whose images may be submitted now; None: all."""
        self.possible_waves: frozenset[int] | None = None
        """Waves whose images may be submitted sooner or later in this run; None: all."""
        self._later: list[tuple[float, int]] = []
        self._due: dict[Step, list[tuple[float, int, str]]] = {step: [] for step in _QUESTIONS}
        self._serial = 0
        self._current: dict[str, int] = {}
        """The serial number of each image's question; others in the heaps are outdated."""
        self._together = together
        self._failed_lists = dict.fromkeys(_SHARED, 0)
        """Lists on behalf of many images that failed one after the other, by step."""

    @property
    def waiting(self) -> int:
        """Images in line for submission."""
        return sum(map(len, self._ready.values())) + len(self._later)

    @property
    def keys(self) -> Sequence[str]:
        """Every image that is or was in line, first come first."""
        return self._keys

    @property
    def room(self) -> bool:
        """Whether one more request may be in flight."""
        return self._submitting + self._asking < self._requests_allowed

    @property
    def over(self) -> bool:
        """Nothing is under way, and nothing will be."""
        return not self._under_way and not (self._room and self._waits_for(self.possible_waves))

    @property
    def idle(self) -> bool:
        """Nothing is under way, and nothing may begin before some wave opens."""
        return not self._under_way and not self.may_submit

    @property
    def may_submit(self) -> bool:
        """Whether an image is in line that can begin without another's end: its wave is open, and the job
        limit has room for it or will be tried."""
        return self._room and self._waits_for(self.open_waves)

    @property
    def _room(self) -> bool:
        """Whether images may be submitted as long as no other comes to its end: some may hold their slot for
        ever, being overdue or left for a person."""
        return self.open and len(self.in_cloud) < self.job_limit.most

    @property
    def _under_way(self) -> bool:
        return bool(self.busy) or len(self._current) > (SWEEP_KEY in self._current)

    def _waits_for(self, waves: frozenset[int] | None) -> bool:
        """Whether images of these waves are in line."""
        if waves is None:
            return bool(self.waiting)
        ready = any(line and wave in waves for wave, line in self._ready.items())
        return ready or any(self._wave(rank) in waves for _, rank in self._later)

    def _wave(self, rank: int) -> int:
        return self._waves.get(self._keys[rank], 0)

    def again(self, key: str, due: float) -> None:
        """Put an image back in line for submission; it keeps its place, but not before `due`."""
        rank = self._rank.get(key)
        if rank is None:
            rank = self._rank[key] = len(self._keys)
            self._keys.append(key)
        heapq.heappush(self._later, (due, rank))

    def ask(self, key: str, step: Step, due: float) -> None:
        """Ask about an image at `due`, or as soon after it as the query rate allows.

        An image has one question at most: asking for it anew replaces the one that was planned.
        """
        self._serial += 1
        self._current[key] = self._serial
        heapq.heappush(self._due[step], (due, self._serial, key))

    def asking(self, key: str) -> bool:
        """Whether a question about an image is under way, rather than planned."""
        return key not in self._current

    def list_ended(self, step: Step, *, well: bool) -> None:
        """A list on behalf of many images was read to its end, or failed."""
        self._failed_lists[step] = 0 if well else self._failed_lists[step] + 1

    def joining(self, step: Step, now: float) -> tuple[str, ...]:
        """Images that have come due for `step` since a work item of it began, taken off the schedule.

        For a work item whose list, as it happens, answers for them as well.
        """
        keys = []
        heap = self._due[step]
        while heap and heap[0][0] <= now:
            _, serial, key = heapq.heappop(heap)
            if self._current.get(key) == serial:
                del self._current[key]
                keys.append(key)
        return tuple(keys)

    def withdraw(self, keys: set[str]) -> None:
        """Take images out of the line: they turned out not to need submission."""
        if keys:
            for line in self._ready.values():
                line.keep(lambda rank: self._keys[rank] not in keys)

    def forget(self, key: str) -> None:
        """An image that does not come back."""
        self._rank.pop(key, None)

    def answered(self, item: WorkItem) -> None:
        """The last request of `item` is answered: its place is free while the answer is recorded."""
        if item.answered:
            return
        item.answered = True
        if item.step is Step.SUBMIT:
            self._submitting -= 1
        else:
            self._asking -= 1

    def ended(self, item: WorkItem) -> None:
        """The conversation of `item` is over, and all that it said is recorded."""
        self.answered(item)
        self.busy -= 1
        if item.shared:
            self._listing.discard(item.step)

    def next(self, now: float) -> WorkItem | Idle:
        """The work item that begins now, with its token taken, or how long nothing can begin.

        Submits come first, because an idle slot is lost time; questions are asked in the order in which they
        were due, so that a short budget stretches every job's interval alike.
        """
        if not self.room:
            return Idle(inf)
        submit_in = self._until_submit(now)
        if submit_in <= 0:
            self.submits.bucket.take(now)
            self.job_limit.on_submitting(len(self.in_cloud), now)
            rank = self._first_line().take()
            key = self._keys[rank]
            self._rank[key] = rank
            self.in_cloud.add(key)
            self._submitting += 1
            self.busy += 1
            return WorkItem(Step.SUBMIT, (key,))
        question_in, step = self._until_question(now)
        if question_in <= 0:
            self.queries.bucket.take(now)
            self._asking += 1
            self.busy += 1
            item = WorkItem(step, self._due_together(step, now))
            if item.shared:
                self._listing.add(step)
            return item
        return Idle(max(min(submit_in, question_in), TICK))

    def _until_submit(self, now: float) -> float:
        while self._later and self._later[0][0] <= now:
            rank = heapq.heappop(self._later)[1]
            self._ready.setdefault(self._wave(rank), _Line()).put(rank)
        if not self.open:
            return inf
        slot_in = self.job_limit.wait(len(self.in_cloud), now)
        if slot_in == inf:
            return inf
        if self._first_line():
            return max(slot_in, self.submits.bucket.wait(now))
        return max(slot_in, self._later[0][0] - now) if self._later else inf

    def _first_line(self) -> _Line:
        """That of the first open wave in which somebody stands; otherwise an empty one."""
        if self.open_waves is None and len(self._ready) == 1:
            return next(iter(self._ready.values()))
        waves = (wave for wave, line in self._ready.items() if line)
        first = min((w for w in waves if self.open_waves is None or w in self.open_waves), default=None)
        return _NOBODY if first is None else self._ready[first]

    def _until_question(self, now: float) -> tuple[float, Step]:
        for heap in self._due.values():
            while heap and self._current.get(heap[0][2]) != heap[0][1]:
                heapq.heappop(heap)
        heads = [(heap[0][0], step) for step, heap in self._due.items() if heap and step not in self._listing]
        if not heads or self._asking >= self._queries_allowed:
            return inf, Step.POLL
        due, step = min(heads)
        return max(due - now, self.queries.bucket.wait(now)), step

    def _due_together(self, step: Step, now: float) -> tuple[str, ...]:
        heap = self._due[step]
        keys = [heapq.heappop(heap)[2]]
        if self._failed_lists.get(step, 0) >= LISTS_TRIED:
            self._failed_lists[step] = 0  # this image by itself: else a list that always fails would be all
        elif step in _SHARED:
            soon = now + self._together
            live = [entry for entry in heap if self._current.get(entry[2]) == entry[1]]
            others = [entry for entry in live if entry[0] <= soon]
            if len(others) >= (self.recent_pages if step is Step.VERIFY else self.list_pages):
                keys += [key for _, _, key in sorted(others)]
                heap[:] = [entry for entry in live if entry[0] > soon]
                heapq.heapify(heap)
        for key in keys:
            del self._current[key]
        return tuple(keys)


def _lines(keys: Sequence[str], waves: Mapping[str, int]) -> dict[int, _Line]:
    """The line of each wave, by its number; a key without a wave is of wave 0."""
    if not waves:
        return {0: _Line(range(len(keys)))} if keys else {}
    ranks: dict[int, array[int]] = {}
    for rank, key in enumerate(keys):
        ranks.setdefault(waves.get(key, 0), array("I")).append(rank)
    return {wave: _Line(found) for wave, found in ranks.items()}


_NOBODY = _Line()

SWEEP_KEY = ""
"""A sweep is about no image in particular."""

LISTS_TRIED = 3
"""Lists that may fail one after the other, until one image is asked for alone."""

_QUESTIONS = (Step.VERIFY, Step.LOOK_UP, Step.FOLLOW, Step.SWEEP, Step.POLL)
_SHARED = frozenset({Step.VERIFY, Step.LOOK_UP, Step.FOLLOW})
"""Steps that one list answers for many images at once."""


def too_many_failures(policy: Policy, *, failed: int, finished: int) -> bool:
    """Whether so many of the images that this run finished have failed that it should stop submitting."""
    limit = policy.max_failures
    if limit.fraction is None:
        return failed > 0 and failed > (limit.count or 0)
    return finished >= policy.min_sample and failed > limit.fraction * finished
