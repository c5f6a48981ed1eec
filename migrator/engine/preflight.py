"""Preflight: every question about a plan that can be asked without changing anything, within each target's
budget. What the answers mean is decided in `migrator.preflight`.

The order, for each target at the same time:

1. The time, asked without credentials: it shows whether anybody is there, and whether signatures would hold.
2. The quota, alone: wrong credentials are met by one request, and not by many that would lock the key.
3. Names, project, operating systems; then buckets and objects of what is not there already, and what lies
   inside the files.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TypeVar

import anyio

from migrator.domain.cloud import CloudImage, Fault, ImageQuery, ObjectInfo
from migrator.domain.errors import RetryableError
from migrator.domain.image import Decided, Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.paging import NewEntries
from migrator.domain.plan import MarkerKind, Plan
from migrator.domain.ports import Clock
from migrator.engine.ports import Catalogue, ObjectStore, Registry
from migrator.engine.preflight_headers import disk_header, readable
from migrator.engine.preflight_requests import AnswerCount, CircuitBreaker, RequestLimiter
from migrator.preflight import (
    Finding,
    TargetFacts,
    Unknown,
    UnknownReason,
    decided,
    exit_code,
    file_sizes,
    findings,
    unknown,
)
from migrator.preflight.facts import objects_of
from migrator.workflow.ledger import Ledger
from migrator.workflow.lookup import ImageMatches, match_images
from migrator.workflow.resume import marker
from migrator.workflow.states import IN_CLOUD, Phase

Thing = TypeVar("Thing")

REFUSALS = 3
"""Objects that may not be read, and none that may, in a bucket that may not either: the rest is not asked."""

SAMPLE = 100
"""Objects of a target whose encryption is checked where there is no time to check each."""

LOOKED_INTO = 300
"""Files of a target that are looked into where there is no time for each: half a minute at the usual rate,
or a whole one where each takes two questions."""

WORTH_A_LIST = 3
"""Objects that are worth a list of their bucket, which shows up to a thousand at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightServices:
    """The services that preflight asks about one target."""

    images: Catalogue
    objects: ObjectStore
    registry: Registry
    project_id: str | None = None
    """The project that somebody named; None where it is looked up by the region's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightResult:
    """What preflight found."""

    findings: list[Finding]
    sizes: dict[str, int]
    """Bytes of each image's file, by key, as far as they are known."""

    decided: dict[str, Decided]
    """How each image goes in whose plan leaves that open, by key, as far as it could be decided."""

    images: int
    """Images that were checked."""

    @property
    def exit_code(self) -> int:
        """Of a run that is refused for it; 0 where nothing stands in the way."""
        return exit_code(self.findings)


async def preflight(
    plan: Plan,
    ledger: Ledger,
    keys: Iterable[str],
    services: Mapping[str, PreflightServices],
    clock: Clock,
    wall: Clock,
    rng: random.Random,
    *,
    targets: Iterable[str] = (),
    thorough: bool = True,
    on_answer: Callable[[int], None] = lambda answers: None,
) -> PreflightResult:
    """Ask about the images `keys` that are yet to be submitted, and about the targets of all `keys`, and
    `targets` besides.

    `wall` is this computer's own clock, which is compared with the service's. Without `thorough`, large
    buckets are listed instead of asking about every object, which shows all but encryption. `on_answer` is
    called with the number of answers so far. Nothing is changed, and what goes wrong is a finding.
    """
    known = _open(plan, ledger, keys, targets)
    answers = AnswerCount(on_answer)
    async with anyio.create_task_group() as group:
        for facts in known:
            name = facts.target.name
            limiter = RequestLimiter(facts.target, clock)
            breaker = partial(CircuitBreaker, plan.retry, limiter, clock, rng, answers)
            worker = PreflightTargetWorker(
                plan, facts, services[name], limiter, breaker, wall, thorough=thorough
            )
            group.start_soon(worker.run, name=name)
    return PreflightResult(
        findings=findings(plan, known),
        sizes={key: size for facts in known for key, size in file_sizes(facts).items()},
        decided={key: how for facts in known for key, how in decided(facts).items()},
        images=sum(len(facts.work) for facts in known),
    )


def _open(plan: Plan, ledger: Ledger, keys: Iterable[str], targets: Iterable[str]) -> list[TargetFacts]:
    """What is known before anybody is asked: the work of each target."""
    known = {name: TargetFacts(target=plan.targets[name]) for name in targets}
    for key in keys:
        image, state = ledger.planned[key].image, ledger.states[key]
        facts = known.get(image.target)
        if facts is None:
            facts = known[image.target] = TargetFacts(target=plan.targets[image.target])
        if state.phase is Phase.PENDING:
            facts.work.append((image, state))
    for key, state in ledger.states.items():
        target = ledger.planned[key].image.target
        if state.phase in IN_CLOUD and target in known:
            known[target].in_cloud += 1
    return list(known.values())


class PreflightTargetWorker:
    """Asks everything about one target, and writes the answers into its facts."""

    def __init__(
        self,
        plan: Plan,
        facts: TargetFacts,
        services: PreflightServices,
        limiter: RequestLimiter,
        breaker: Callable[[], CircuitBreaker],
        wall: Clock,
        *,
        thorough: bool,
    ) -> None:
        self._plan = plan
        self._facts = facts
        self._services = services
        self._limiter = limiter
        self._breaker = breaker
        """Makes a new one, for questions of one kind."""

        self._wall = wall
        self._thorough = thorough
        self._storage = breaker()

    async def run(self) -> None:
        """Every question, until something shows that the target cannot be used."""
        facts, services = self._facts, self._services
        facts.date = await self._ahead()
        if facts.unusable:
            return
        facts.quota = await self._breaker().ask(services.images.quota)
        if facts.unusable or not facts.work:
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._names_and_files)
            group.start_soon(self._systems)
            group.start_soon(self._keys)
            if services.project_id is not None:
                group.start_soon(self._project, services.project_id)

    async def _ahead(self) -> float | Unknown:
        """Seconds by which our clock is ahead; half the round trip is taken for the way there."""

        async def compare() -> float | None:
            began = self._wall.now()
            theirs = await self._services.images.date()
            # Dates have whole seconds, cut off: on average half of one is missing.
            return None if theirs is None else (began + self._wall.now()) / 2 - (theirs + 0.5)

        answer = await self._breaker().ask(compare)
        if answer is None:
            return Unknown(reason=UnknownReason.UNANSWERED, fault=Fault(message="the answer bears no date"))
        return answer

    async def _project(self, project_id: str) -> None:
        self._facts.project_id = project_id
        answer = await self._breaker().ask(self._services.registry.projects)
        self._facts.projects = answer if isinstance(answer, Unknown) else tuple(answer)

    async def _keys(self) -> None:
        wanted = sorted({image.cmk_id for image, _ in self._facts.work if image.cmk_id})
        breaker, catalogue = self._breaker(), self._services.images

        async def ask(key_id: str) -> None:
            self._facts.keys[key_id] = await breaker.ask(lambda: catalogue.key(key_id))

        await self._limiter.for_each(wanted, ask)

    async def _systems(self) -> None:
        images = [image for image, _ in self._facts.work if image.type is not ImageType.DATA]
        wanted = sorted({"", *(image.architecture or "x86" for image in images)}) if images else []
        breaker = self._breaker()

        async def ask(architecture: str) -> None:
            catalogue = self._services.images
            self._facts.systems[architecture] = await breaker.ask(
                lambda: catalogue.os_versions(architecture or None)
            )

        await self._limiter.for_each(wanted, ask)

    # --- Names ------------------------------------------------------------------------------------------

    async def _names_and_files(self) -> None:
        self._facts.names = await self._names()
        await self._files(self._facts.to_import)

    async def _names(self) -> dict[str, ImageMatches] | Unknown:
        """One list of every private image, matched with the items that they may belong to."""
        marked = self._plan.policy.marker is MarkerKind.TAG
        found: list[CloudImage] = []
        after: str | None = None
        breaker, new = self._breaker(), NewEntries()
        while True:
            answer = await breaker.ask(
                lambda after=after: self._services.images.images(ImageQuery(), after=after)  # type: ignore[misc]
            )
            if isinstance(answer, Unknown):
                return answer
            try:
                new.of_page(image.id for image in answer.images)
            except RetryableError as error:
                return unknown(error)
            found += answer.images
            if answer.next is None:
                break
            after = answer.next
        wanted = [
            (image, marker(self._plan.name, image.key) if marked else None, state)
            for image, state in self._facts.work
        ]
        return match_images(wanted, found)

    # --- Objects ----------------------------------------------------------------------------------------

    async def _files(self, images: Sequence[Image]) -> None:
        files = sorted({image.source for image in images})
        every = sorted({ref for image in images for ref in objects_of(image)})
        buckets = sorted({ref.bucket for ref in every})
        await self._limiter.for_each(buckets, self._bucket)
        one_by_one = set(files if self._thorough else _spread(files, SAMPLE))
        there = [ref for ref in every if self._facts.buckets[ref.bucket] is not None]
        async with anyio.create_task_group() as group:
            for _, keys in groupby(there, key=lambda ref: ref.bucket):
                group.start_soon(self._in_bucket, list(keys), one_by_one)
        await self._headers(files)

    async def _bucket(self, bucket: str) -> None:
        answer = await self._storage.ask(lambda: self._services.objects.bucket(bucket))
        self._facts.buckets[bucket] = answer

    async def _in_bucket(self, refs: list[ObjectRef], one_by_one: set[ObjectRef]) -> None:
        """The objects of one bucket: those that a list can show by list, the others one by one."""
        bucket = refs[0].bucket
        listable = [ref for ref in refs if ref not in one_by_one]
        listed: dict[str, ObjectInfo] = {}
        if len(listable) > WORTH_A_LIST:
            listed = await self._list(bucket, [ref.key for ref in listable])
        for ref in listable:
            if ref.key in listed:
                self._facts.objects[ref] = listed[ref.key]
        refusals = _Refusals(expected=isinstance(self._facts.buckets[bucket], Unknown))

        async def ask(ref: ObjectRef) -> None:
            if refusals.enough is not None:
                self._facts.objects[ref] = refusals.enough
                return
            answer = await self._storage.ask(lambda: self._services.objects.object(ref.bucket, ref.key))
            refusals.on_answer(answer)
            self._facts.objects[ref] = answer

        await self._limiter.for_each([ref for ref in refs if ref not in self._facts.objects], ask)
        missing = [ref.key for ref in refs if self._facts.objects[ref] is None]
        if missing:
            uploads = await self._storage.ask(
                lambda: self._services.objects.uploads(bucket, _common_prefix(missing))
            )
            if not isinstance(uploads, Unknown):
                self._facts.uploads |= {ObjectRef(bucket, key) for key in missing if key in uploads}

    async def _headers(self, files: Sequence[ObjectRef]) -> None:
        """Look into the files, within the same rate; whoever may not is not refused for each."""
        known, store = self._facts, self._services.objects
        there = readable(files, known.objects)
        chosen = there if self._thorough else list(_spread(there, LOOKED_INTO))
        known.unread_headers = len(there) - len(chosen)
        refusals = {ref.bucket: _Refusals(expected=True) for ref in chosen}

        async def look_into(ref: ObjectRef) -> None:
            info, refused = known.objects[ref], refusals[ref.bucket]
            if refused.enough is not None:
                known.headers[ref] = refused.enough
            elif isinstance(info, ObjectInfo):
                found = await disk_header(store, ref, info.size, self._storage.ask)
                refused.on_answer(found)
                known.headers[ref] = found

        await self._limiter.for_each(chosen, look_into)

    async def _list(self, bucket: str, keys: list[str]) -> dict[str, ObjectInfo]:
        """What lists of the bucket show of `keys`, which are in order.

        Each page begins right before the next key that is still wanted, so it answers for at least one
        key, and a page never costs more than a question about each. A list that is refused shows nothing.
        """
        found: dict[str, ObjectInfo] = {}
        wanted, position = set(keys), 0
        while position < len(keys):
            after = keys[position][:-1]
            page = await self._storage.ask(
                lambda after=after: self._services.objects.objects(bucket, after=after)  # type: ignore[misc]
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

    def on_answer(self, answer: object) -> None:
        if not isinstance(answer, Unknown):
            self._readable = True
        elif answer.reason in (UnknownReason.FORBIDDEN, UnknownReason.ELSEWHERE):
            self._count += 1
            if self._count >= REFUSALS and not self._readable:
                self.enough = answer


def _spread(things: Sequence[Thing], count: int) -> Iterator[Thing]:
    """At most `count` of the things, evenly spread over all of them."""
    if len(things) <= count:
        yield from things
    else:
        yield from (things[index * len(things) // count] for index in range(count))


def _common_prefix(keys: Sequence[str]) -> str:
    """The longest prefix of all keys."""
    first, last = min(keys), max(keys)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]
