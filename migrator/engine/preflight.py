"""Preflight: every question about a plan that can be asked without changing anything, within each target's
budget. What the answers mean is decided in `migrator.core.checks`.

The order, for each target at the same time:

1. The time, asked without credentials: it shows whether anybody is there, and whether signatures would hold.
2. The quota, alone: wrong credentials are met by one request, and not by many that would lock the key.
3. Names, project, operating systems; then buckets and objects of what is not there already.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TypeVar

import anyio

from migrator.core import retry
from migrator.core.bucket import Bucket
from migrator.core.checks import Facts, Finding, Unknown, Why, exit_code, findings, sizes, unknown
from migrator.core.checks.facts import Address, address, addresses
from migrator.core.ledger import Ledger
from migrator.core.lifecycle import IN_CLOUD, Phase
from migrator.core.lookup import Shelf, shelve
from migrator.core.reconcile import marker
from migrator.errors import CloudError, Halted, Unavailable
from migrator.model import (
    CloudImage,
    Fault,
    Image,
    ImageQuery,
    ImageType,
    MarkerKind,
    ObjectInfo,
    Plan,
    Target,
)
from migrator.ports import Catalogue, Clock, ObjectStore, Registry

Answer = TypeVar("Answer")
Thing = TypeVar("Thing")

TRIES = 5
"""How often one question is asked that gets no answer."""

LONGEST_PAUSE = 10.0
"""Seconds between two tries, unless the service asks for more."""

MOST_PATIENCE = 60.0
"""Seconds that a service may ask for; for longer than that it counts as silent."""

SILENT = 3
"""Questions of one kind that got no answer in all their tries, in a row: then no more of it are asked."""

REFUSALS = 3
"""Objects that may not be read, and none that may, in a bucket that may not either: the rest is not asked."""

SAMPLE = 100
"""Objects of a target whose encryption is looked at where there is no time to look at each."""

WORTH_A_LIST = 3
"""Objects that are worth a list of their bucket, which shows up to a thousand at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whom to ask about one target."""

    images: Catalogue
    objects: ObjectStore
    registry: Registry
    project_id: str | None = None
    """The project that somebody named; None where it is looked up by the region's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What preflight found."""

    findings: list[Finding]
    sizes: dict[str, int]
    """Bytes of each image's file, by key, as far as they were told."""

    images: int
    """Images that were looked at."""

    @property
    def exit_code(self) -> int:
        """Of a run that is refused for it; 0 where nothing stands in the way."""
        return exit_code(self.findings)


async def preflight(
    plan: Plan,
    ledger: Ledger,
    keys: Iterable[str],
    places: Mapping[str, Place],
    clock: Clock,
    wall: Clock,
    rng: random.Random,
    *,
    targets: Iterable[str] = (),
    thorough: bool = True,
    told: Callable[[int], None] = lambda asked: None,
) -> Seen:
    """Ask about the images `keys` that are yet to be submitted, and about the targets of all `keys`, and
    `targets` besides.

    `wall` is this computer's own clock, which is compared with the service's. Without `thorough`, large
    buckets are listed instead of asking about every object, which shows all but encryption. `told` is called
    with the number of questions asked so far. Nothing is changed, and what goes wrong is a finding.
    """
    known = _open(plan, ledger, keys, targets)
    asked = _Counter(told)
    async with anyio.create_task_group() as group:
        for facts in known:
            name = facts.target.name
            budget = Budget(facts.target, clock)
            scout = Scout(plan, facts, places[name], budget, clock, wall, rng, asked, thorough=thorough)
            group.start_soon(scout.look, name=name)
    return Seen(
        findings=findings(plan, known),
        sizes={key: size for facts in known for key, size in sizes(facts).items()},
        images=sum(len(facts.work) for facts in known),
    )


def _open(plan: Plan, ledger: Ledger, keys: Iterable[str], targets: Iterable[str]) -> list[Facts]:
    """What is known before anybody is asked: the work of each target."""
    known = {name: Facts(target=plan.targets[name]) for name in targets}
    for key in keys:
        image, state = ledger.planned[key].image, ledger.states[key]
        facts = known.get(image.target)
        if facts is None:
            facts = known[image.target] = Facts(target=plan.targets[image.target])
        if state.phase is Phase.PENDING:
            facts.work.append((image, state))
    for key, state in ledger.states.items():
        target = ledger.planned[key].image.target
        if state.phase in IN_CLOUD and target in known:
            known[target].in_cloud += 1
    return list(known.values())


class _Counter:
    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told
        self._count = 0

    def one_more(self) -> None:
        self._count += 1
        self._told(self._count)


class Budget:
    """How fast, and how many at once, one target may be asked."""

    def __init__(self, target: Target, clock: Clock) -> None:
        limits = target.limits
        self.at_once = limits.max_requests
        self._clock = clock
        self._bucket = Bucket(limits.query_rate.per_second, limits.query_burst, clock.monotonic())
        self._slots = anyio.Semaphore(limits.max_requests)

    async def spend(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `question` answers, asked when its turn has come."""
        async with self._slots:
            while (seconds := self._bucket.wait(self._clock.monotonic())) > 0:
                await self._clock.sleep(seconds)
            self._bucket.take(self._clock.monotonic())
            return await question()

    def pause(self, seconds: float) -> None:
        """Ask nothing for a while: the service said that it is too much."""
        self._bucket.block(self._clock.monotonic() + seconds)

    async def each(self, things: Sequence[Thing], ask: Callable[[Thing], Awaitable[None]]) -> None:
        """Call `ask` with each of `things`, as many at once as may be."""
        queue = iter(things)

        async def work() -> None:
            for thing in queue:
                await ask(thing)

        async with anyio.create_task_group() as group:
            for _ in range(min(self.at_once, len(things))):
                group.start_soon(work)


class Service:
    """Questions of one kind to one service: asked patiently, but not for ever."""

    def __init__(self, plan: Plan, budget: Budget, clock: Clock, rng: random.Random, asked: _Counter) -> None:
        self._retry = plan.retry
        self._budget = budget
        self._clock = clock
        self._rng = rng
        self._asked = asked
        self._silent = 0
        self.over: Unknown | None = None
        """Why nothing more is asked."""

    async def ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer | Unknown:
        """The answer, or why there is none."""
        for attempt in range(1, TRIES + 1):
            if self.over is not None:
                return self.over
            try:
                answer = await self._budget.spend(question)
            except Unavailable as error:
                last = unknown(error)
                wait = max(
                    min(retry.backoff(self._retry, attempt, self._rng), LONGEST_PAUSE),
                    error.retry_after or 0.0,
                )
                if error.fault.code == "MIG.tls" or wait > MOST_PATIENCE:
                    break  # no patience would help
                if error.throttled:
                    self._budget.pause(wait)
                if attempt < TRIES:
                    await self._clock.sleep(wait)
            except CloudError as error:
                refused = unknown(error)
                if isinstance(error, Halted):
                    self.over = refused
                return refused
            else:
                self._silent = 0
                self._asked.one_more()
                return answer
        if last.fault.code == "MIG.unreadable":  # time and again: that is somebody else
            last = replace(last, why=Why.ELSEWHERE)
        self._silent += 1
        if self._silent >= SILENT:
            self.over = last
        return last


class Scout:
    """Asks everything about one target, and writes the answers into its facts."""

    def __init__(
        self,
        plan: Plan,
        facts: Facts,
        place: Place,
        budget: Budget,
        clock: Clock,
        wall: Clock,
        rng: random.Random,
        asked: _Counter,
        *,
        thorough: bool,
    ) -> None:
        self._plan = plan
        self._facts = facts
        self._place = place
        self._budget = budget
        self._wall = wall
        self._thorough = thorough
        self._service = partial(Service, plan, budget, clock, rng, asked)
        self._storage = self._service()

    async def look(self) -> None:
        """All of it, until something shows that the target cannot be used."""
        facts, place = self._facts, self._place
        facts.date = await self._ahead()
        if facts.off:
            return
        facts.quota = await self._service().ask(place.images.quota)
        if facts.off or not facts.work:
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._names_and_files)
            group.start_soon(self._systems)
            if place.project_id is not None:
                group.start_soon(self._project, place.project_id)

    async def _ahead(self) -> float | Unknown:
        """Seconds by which our clock is ahead; half the round trip is taken for the way there."""

        async def compare() -> float | None:
            began = self._wall.now()
            theirs = await self._place.images.date()
            # Dates have whole seconds, cut off: on average half of one is missing.
            return None if theirs is None else (began + self._wall.now()) / 2 - (theirs + 0.5)

        answer = await self._service().ask(compare)
        if answer is None:
            return Unknown(why=Why.UNANSWERED, fault=Fault(message="the answer bears no date"))
        return answer

    async def _project(self, project_id: str) -> None:
        self._facts.project_id = project_id
        answer = await self._service().ask(self._place.registry.projects)
        self._facts.projects = answer if isinstance(answer, Unknown) else tuple(answer)

    async def _systems(self) -> None:
        images = [image for image, _ in self._facts.work if image.type is not ImageType.DATA]
        wanted = sorted({"", *(image.architecture or "x86" for image in images)}) if images else []
        service = self._service()

        async def ask(architecture: str) -> None:
            catalogue = self._place.images
            self._facts.systems[architecture] = await service.ask(
                lambda: catalogue.os_versions(architecture or None)
            )

        await self._budget.each(wanted, ask)

    # --- Names ------------------------------------------------------------------------------------------

    async def _names_and_files(self) -> None:
        self._facts.names = await self._names()
        await self._files(self._facts.absent)

    async def _names(self) -> dict[str, Shelf] | Unknown:
        """One list of every private image, sorted by the items that they may belong to."""
        marked = self._plan.policy.marker is MarkerKind.TAG
        found: list[CloudImage] = []
        after: str | None = None
        service = self._service()
        while True:
            answer = await service.ask(
                lambda after=after: self._place.images.images(ImageQuery(), after=after)  # type: ignore[misc]
            )
            if isinstance(answer, Unknown):
                return answer
            found += answer.images
            if answer.next is None:
                break
            after = answer.next
        wanted = [
            (image, marker(self._plan.name, image.key) if marked else None, state)
            for image, state in self._facts.work
        ]
        return shelve(wanted, found)

    # --- Objects ----------------------------------------------------------------------------------------

    async def _files(self, images: Sequence[Image]) -> None:
        files = sorted({address(image.image_url) for image in images})
        every = sorted({place for image in images for place in addresses(image)})
        buckets = sorted({bucket for bucket, _ in every})
        await self._budget.each(buckets, self._bucket)
        one_by_one = set(files if self._thorough else _spread(files, SAMPLE))
        there = [place for place in every if self._facts.buckets[place[0]] is not None]
        async with anyio.create_task_group() as group:
            for _, keys in groupby(there, key=lambda place: place[0]):
                group.start_soon(self._in_bucket, list(keys), one_by_one)

    async def _bucket(self, bucket: str) -> None:
        answer = await self._storage.ask(lambda: self._place.objects.bucket(bucket))
        self._facts.buckets[bucket] = answer

    async def _in_bucket(self, places: list[Address], one_by_one: set[Address]) -> None:
        """The objects of one bucket: those that a list can show by list, the others one by one."""
        bucket = places[0][0]
        listable = [place for place in places if place not in one_by_one]
        listed: dict[str, ObjectInfo] = {}
        if len(listable) > WORTH_A_LIST:
            listed = await self._list(bucket, [key for _, key in listable])
        for place in listable:
            if place[1] in listed:
                self._facts.objects[place] = listed[place[1]]
        refusals = _Refusals(expected=isinstance(self._facts.buckets[bucket], Unknown))

        async def ask(place: Address) -> None:
            if refusals.enough is not None:
                self._facts.objects[place] = refusals.enough
                return
            answer = await self._storage.ask(lambda: self._place.objects.object(*place))
            refusals.heard(answer)
            self._facts.objects[place] = answer

        await self._budget.each([place for place in places if place not in self._facts.objects], ask)
        missing = [key for _, key in places if self._facts.objects[bucket, key] is None]
        if missing:
            uploads = await self._storage.ask(
                lambda: self._place.objects.uploads(bucket, _common_beginning(missing))
            )
            if not isinstance(uploads, Unknown):
                self._facts.uploads |= {(bucket, key) for key in missing if key in uploads}

    async def _list(self, bucket: str, keys: list[str]) -> dict[str, ObjectInfo]:
        """What lists of the bucket show of `keys`, which are in order.

        Each page begins right before the next key that is still looked for, so it answers for at least one
        key, and a page never costs more than a question about each. A list that is refused shows nothing.
        """
        found: dict[str, ObjectInfo] = {}
        wanted, position = set(keys), 0
        while position < len(keys):
            after = keys[position][:-1]
            page = await self._storage.ask(
                lambda after=after: self._place.objects.objects(bucket, after=after)  # type: ignore[misc]
            )
            if isinstance(page, Unknown):
                break
            found |= {key: info for key, info in page.objects.items() if key in wanted}
            if page.next is None:
                break
            beyond = page.next
            position = max(
                position + 1, next((i for i in range(position, len(keys)) if keys[i] > beyond), len(keys))
            )
        return found


class _Refusals:
    """Notices that no object of a bucket may be read; where the bucket itself may, each is asked about."""

    def __init__(self, *, expected: bool) -> None:
        self._count = 0
        self._readable = not expected
        self.enough: Unknown | None = None

    def heard(self, answer: object) -> None:
        if not isinstance(answer, Unknown):
            self._readable = True
        elif answer.why is Why.FORBIDDEN:
            self._count += 1
            if self._count >= REFUSALS and not self._readable:
                self.enough = answer


def _spread(things: Sequence[Thing], count: int) -> Iterator[Thing]:
    """At most `count` of the things, evenly spread over all of them."""
    if len(things) <= count:
        yield from things
    else:
        yield from (things[index * len(things) // count] for index in range(count))


def _common_beginning(keys: Sequence[str]) -> str:
    """The longest text that all keys begin with."""
    first, last = min(keys), max(keys)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]
