"""Whether a journal has the images of a plan, so that its lists need not be read again.

A run that writes down the images of a plan records digests of all that they came from. They are good for the
next run alone: each run records anew what holds for it, or nothing. So a run of a program that knows none of
this, or of workers, leaves nothing behind that could be taken for true.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from operator import eq
from typing import NamedTuple

from msgspec.json import Encoder

from migrator.domain.image import Image
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.plan_facts import Provenance

_AT_ONCE = 1000
_encode = Encoder().encode


class Sources(NamedTuple):
    """What the images of a plan are made of, as digests."""

    plan: str
    """As `Provenance.plan`."""

    lists: str
    """As `Provenance.lists`."""

    images: str = ""
    """As `Provenance.images`, where it is known already."""


def plan_digest(data: bytes, program: Sequence[str]) -> str:
    """A digest of a plan's file, and of what tells the `program` from one that might read it otherwise."""
    return blake2b(data, digest_size=16, key=blake2b(_encode(program)).digest()).hexdigest()


class ListsDigest:
    """A digest of lists, in the order in which they are read."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=16)
        self._numbers: dict[str, int] = {}

    def add(self, identity: str, data: bytes) -> None:
        """One more; `identity` is the same for the same file, whatever the plan calls it."""
        # No part of the digest itself: a folder that was moved holds the same lists.
        number = self._numbers.setdefault(identity, len(self._numbers))
        self._digest.update(b"%d:" % number + blake2b(data).digest())

    def text(self) -> str:
        """The digest of all of them."""
        return self._digest.hexdigest()


def provenance(
    sources: Sources | None, items: Mapping[str, Planned], ledger: Ledger, coming: int
) -> Provenance | None:
    """What a run records that begins with `ledger` and is about to append `coming` facts, after which the
    ledger has `items`: the plan's images, in its order, made of `sources`.

    None where nobody knows of what they are made, and where the ledger is going to have others too, or the
    same in another order.
    """
    known = ledger.states
    if sources is None or len(known) > len(items) or not all(map(eq, known, items)):
        return None
    return Provenance(
        plan=sources.plan,
        lists=sources.lists,
        images=sources.images or images_digest(items),
        events=ledger.events + coming,
    )


def images_as_planned(ledger: Ledger, sources: Sources) -> tuple[tuple[Image, ...], Sources] | None:
    """The images that would be made of `sources`, as the journal has them, and their digest with the others.

    None where the journal does not certainly have all of them, and no others, in the plan's order.
    """
    found = ledger.came_from
    if found is None or (found.plan, found.lists) != (sources.plan, sources.lists):
        return None
    if any(state.removed for state in ledger.states.values()):
        return None
    if found.images != images_digest(ledger.planned):
        return None
    images = tuple(item.image for item in ledger.planned.values())
    return images, sources._replace(images=found.images)


def images_digest(items: Mapping[str, Planned]) -> str:
    """A fingerprint of images, each complete, in their order."""
    digest, rest = blake2b(digest_size=16), iter(items.values())
    while some := list(islice(rest, _AT_ONCE)):
        digest.update(_encode(some))
    return digest.hexdigest()
