"""What preflight was told about one target, question by question; what nobody answered is a fact too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.core.lifecycle import State
from migrator.core.lookup import Shelf
from migrator.errors import CloudError, Halted, Refused, Unreachable
from migrator.model import BucketInfo, CloudImage, Fault, Image, ObjectInfo, Project, Quota, Target

Address = tuple[str, str]
"""(bucket, key) of an object."""


class Why(StrEnum):
    """Why a question has no answer."""

    UNREACHABLE = "unreachable"
    """The question never got there."""

    UNANSWERED = "unanswered"
    """The service failed, or asked for patience for longer than we have any."""

    CREDENTIALS = "credentials"
    """The service does not know us."""

    FORBIDDEN = "forbidden"
    """It knows us, and does not let us ask."""

    ELSEWHERE = "elsewhere"
    """Who answers does not know such questions: another service, or an old address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A question without an answer."""

    why: Why
    fault: Fault


_ELSEWHERE = frozenset({301, 302, 303, 307, 308, 404, 405, 501})
_STRANGERS = frozenset({"MIG.credentials", "IMG.0087"})


def unknown(error: CloudError) -> Unknown:
    """What the failure of a question says about who was asked."""
    fault = error.fault
    if isinstance(error, Unreachable):
        why = Why.UNREACHABLE
    elif not isinstance(error, Halted | Refused):
        why = Why.UNANSWERED
    elif fault.status in _ELSEWHERE:
        why = Why.ELSEWHERE
    elif isinstance(error, Halted) and (fault.status == 401 or fault.code in _STRANGERS):
        why = Why.CREDENTIALS
    else:
        why = Why.FORBIDDEN
    return Unknown(why=why, fault=fault)


@dataclass(slots=True, kw_only=True)
class Facts:
    """One target, as far as it was asked about. Empty values and None mean that nobody asked."""

    target: Target
    work: list[tuple[Image, State]] = field(default_factory=list)
    """The images that are yet to be submitted."""

    in_cloud: int = 0
    """Imports of ours that are under way, or may be."""

    date: float | Unknown | None = None
    """Seconds by which our clock is ahead of the service's."""

    quota: Quota | Unknown | None = None
    project_id: str | None = None
    """The project that somebody named; None where it is looked up by the region's name."""

    projects: tuple[Project, ...] | Unknown | None = None
    names: Mapping[str, Shelf] | Unknown | None = None
    """By image key, what is there already."""

    systems: dict[str, frozenset[str] | Unknown] = field(default_factory=dict)
    """By architecture ("" is all of them), what os_version may be."""

    buckets: dict[str, BucketInfo | Unknown | None] = field(default_factory=dict)
    """None: there is no such bucket."""

    objects: dict[Address, ObjectInfo | Unknown | None] = field(default_factory=dict)
    """None: there is no such object."""

    uploads: set[Address] = field(default_factory=set)
    """Missing objects whose upload in parts was begun and not completed."""

    @property
    def off(self) -> bool:
        """The target cannot be used at all, so nothing further was asked."""
        if isinstance(self.date, float) and abs(self.date) > SKEW:
            return True
        return any(
            isinstance(answer, Unknown) and answer.why in (Why.UNREACHABLE, Why.CREDENTIALS, Why.ELSEWHERE)
            for answer in (self.date, self.quota)
        )

    @property
    def absent(self) -> list[Image]:
        """The images that the run will really import: no image of theirs is there, nor of that name."""
        if not isinstance(self.names, Mapping):
            return [image for image, _ in self.work]
        shelves = self.names
        return [
            image for image, _ in self.work if not (living(shelves[image.key]) or shelves[image.key].foreign)
        ]


def living(shelf: Shelf) -> list[CloudImage]:
    """Our images of one item, without those whose import failed: the next one does not mind them."""
    return [found for found in shelf.ours if found.status != "killed"]


SKEW = 900.0
"""Seconds at which signatures are refused (API gateway, "Signing API Requests"; OBS API reference,
"Authentication in the Header")."""


def address(image_url: str) -> Address:
    """Bucket and key of an image_url."""
    bucket, _, key = image_url.partition(":")
    return bucket, key


def is_raw(image: Image) -> bool:
    """Whether a bitmap has to lie beside its file."""
    return image.image_url.lower().endswith(".raw")


def bitmap(place: Address) -> Address:
    """Where the bitmap of a RAW file lies: same name, other extension."""
    bucket, key = place
    return bucket, f"{key[:-4]}.mf"


def addresses(image: Image) -> list[Address]:
    """The objects that an import of `image` reads: its file first."""
    place = address(image.image_url)
    return [place, bitmap(place)] if is_raw(image) else [place]
