"""What preflight knows about one target, question by question; what nobody answered is a fact too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from migrator.domain.cloud import BucketInfo, CloudImage, Fault, KeyState, ObjectInfo, Project, Quota
from migrator.domain.disk_header import DiskHeader
from migrator.domain.errors import CloudError, RejectedError, TargetHaltedError, Unreachable
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Target
from migrator.ims.methods import FileFacts, companion_of
from migrator.workflow.lookup import ImageMatches
from migrator.workflow.states import State


class UnknownReason(StrEnum):
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


class Unknown(Struct, frozen=True, kw_only=True):
    """A question without an answer."""

    reason: UnknownReason
    fault: Fault


_ELSEWHERE = frozenset({301, 302, 303, 307, 308, 404, 405, 501})
_UNKNOWN_CALLER = frozenset({"MIG.credentials", "IMG.0087"})


def unknown(error: CloudError) -> Unknown:
    """What the failure of a question says about who was asked."""
    fault = error.fault
    if isinstance(error, Unreachable):
        reason = UnknownReason.UNREACHABLE
    elif not isinstance(error, TargetHaltedError | RejectedError):
        reason = UnknownReason.UNANSWERED
    elif fault.status in _ELSEWHERE:
        reason = UnknownReason.ELSEWHERE
    elif isinstance(error, TargetHaltedError) and (fault.status == 401 or fault.code in _UNKNOWN_CALLER):
        reason = UnknownReason.CREDENTIALS
    else:
        reason = UnknownReason.FORBIDDEN
    return Unknown(reason=reason, fault=fault)


@dataclass(slots=True, kw_only=True)
class TargetFacts:
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
    names: Mapping[str, ImageMatches] | Unknown | None = None
    """By image key, what is there already."""

    systems: dict[str, frozenset[str] | Unknown] = field(default_factory=dict)
    """By architecture ("" is all of them), what os_version may be."""

    keys: dict[str, KeyState | Unknown | None] = field(default_factory=dict)
    """By id, whether a KMS key can be used; None: nobody could be asked."""

    buckets: dict[str, BucketInfo | Unknown | None] = field(default_factory=dict)
    """None: there is no such bucket."""

    objects: dict[ObjectRef, ObjectInfo | Unknown | None] = field(default_factory=dict)
    """None: there is no such object."""

    headers: dict[ObjectRef, DiskHeader | Unknown] = field(default_factory=dict)
    """What lies inside the files, of those that were looked into."""

    unread_headers: int = 0
    """Files that could be looked into, and were left out because there are many."""

    uploads: set[ObjectRef] = field(default_factory=set)
    """Missing objects whose upload in parts was begun and not completed."""

    @property
    def unusable(self) -> bool:
        """The target cannot be used at all, so nothing further was asked."""
        if isinstance(self.date, float) and abs(self.date) > LARGEST_SKEW:
            return True
        return any(
            isinstance(answer, Unknown)
            and answer.reason
            in (UnknownReason.UNREACHABLE, UnknownReason.CREDENTIALS, UnknownReason.ELSEWHERE)
            for answer in (self.date, self.quota)
        )

    @property
    def to_import(self) -> list[Image]:
        """The images that the run will really import: no image of theirs is there, nor of that name."""
        if not isinstance(self.names, Mapping):
            return [image for image, _ in self.work]
        matches_by_key = self.names
        return [
            image
            for image, _ in self.work
            if not (living(matches_by_key[image.key]) or matches_by_key[image.key].foreign)
        ]


def living(matches: ImageMatches) -> list[CloudImage]:
    """Our images of one item, without those whose import failed: the next one does not mind them."""
    return [found for found in matches.ours if found.status != "killed"]


def file_facts(image: Image, facts: TargetFacts) -> FileFacts | None:
    """What is known of the file of an image; None where it is not there, or nobody could tell."""
    found = facts.objects.get(image.source)
    if not isinstance(found, ObjectInfo):
        return None
    companion = companion_of(image)
    beside = None if companion is None else facts.objects.get(companion, UNASKED)
    there = None if beside is UNASKED or isinstance(beside, Unknown) else beside is not None
    return FileFacts(size=found.size, companion=None if companion is None else there)


UNASKED = object()
"""Stands for an object that nobody asked about."""

LARGEST_SKEW = 900.0
"""Seconds at which signatures are refused (API gateway, "Signing API Requests"; OBS API reference,
"Authentication in the Header")."""


def objects_of(image: Image) -> list[ObjectRef]:
    """The objects that an import of `image` reads: its file first."""
    companion = companion_of(image)
    return [image.source] if companion is None else [image.source, companion]
