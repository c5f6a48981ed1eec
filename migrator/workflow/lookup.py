"""What a list of images says about an attempt whose answer was lost, and about items that exist already."""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from migrator.domain.cloud import CloudImage, Fault, JobStatus
from migrator.domain.image import MARKER_ITEM, Image, Marker
from migrator.domain.plan import OnExisting, Policy
from migrator.domain.units import Moment
from migrator.workflow.events import ImageEvent, ImageFound, ImageSkipped, MigrationFailed
from migrator.workflow.states import Outcome, State

CLOCK_SKEW = 900.0
"""Seconds by which our clock and the service's may differ before it refuses our signatures."""

_BEST_FIRST = {"active": 0, "saving": 1, "queued": 2}


class ImageMatches(Struct, frozen=True):
    """The listed images that may have to do with one item."""

    ours: Sequence[CloudImage] = ()
    """They bear its marker, or are surely its import; the best first."""

    foreign: Sequence[CloudImage] = ()
    """They bear its name and are not known to be ours."""

    dead: Sequence[CloudImage] = ()
    """They bear its marker, and are no image of the latest attempt: deleted, disowned, or killed before
    it."""


NOTHING_LISTED = ImageMatches()
"""What most items of a plan have before they are submitted, shared by all of them."""


def match_images(
    wanted: Iterable[tuple[Image, Marker | None, State]], images: Iterable[CloudImage]
) -> dict[str, ImageMatches]:
    """The images sorted by the item that they belong to, by key. Dead and disowned ones are left out."""
    by_item: dict[str, list[CloudImage]] = {}
    by_name: dict[str, list[CloudImage]] = {}
    for found in images:
        by_item.setdefault(found.tags.get(MARKER_ITEM, ""), []).append(found)
        by_name.setdefault(found.name, []).append(found)
    matches_by_key = {}
    for image, marker, state in wanted:
        marked = by_item.get(marker.item, ()) if marker else ()
        named = by_name.get(image.name, ())
        if marked or named:
            matches_by_key[state.key] = _matches(image, marker, state, marked, named)
        else:
            matches_by_key[state.key] = NOTHING_LISTED
    return matches_by_key


def _matches(
    image: Image,
    marker: Marker | None,
    state: State,
    marked: Collection[CloudImage],
    named: Collection[CloudImage],
) -> ImageMatches:
    """The images that bear an item's marker, and those that bear its name, as what they are to it."""
    ours: list[CloudImage] = []
    foreign: list[CloudImage] = []
    dead: list[CloudImage] = []
    for found in marked:
        (ours if _alive(found, state) else dead).append(found)
    ours.sort(key=_best_first)
    for found in named:
        if found not in marked and found.status != "killed" and _alive(found, state):
            (ours if _same_import(image, marker, state, found) else foreign).append(found)
    return ImageMatches(ours or (), foreign or (), dead or ())


def better(one: str | None, other: str) -> str:
    """Of two images of one item, by their status, the one that is further."""
    return other if one is None or _BEST_FIRST.get(other, 3) < _BEST_FIRST.get(one, 3) else one


def _best_first(found: CloudImage) -> tuple[int, Moment, str]:
    return _BEST_FIRST.get(found.status, 3), found.created_at or 0.0, found.id


def _alive(found: CloudImage, state: State) -> bool:
    """Not an image of an earlier life, and not one that died before the latest attempt."""
    if found.status == "deleted" or found.id in state.disowned:
        return False
    return found.status != "killed" or (found.created_at or 0.0) >= began_at(state) - CLOCK_SKEW


def _same_import(image: Image, marker: Marker | None, state: State, found: CloudImage) -> bool:
    """Whether an image that bears the name, but not the marker, is this item's import all the same.

    Tags may show late, and plans may go without. Its source settles it where the service tells; else an image
    that appeared after an attempt of ours began and bears nobody's marker is taken for that attempt's.
    """
    if MARKER_ITEM in found.tags:
        return False
    if found.data_origin:
        return found.data_origin.partition(",")[2] == image.image_url
    if not state.attempts:
        return marker is None
    return found.created_at is not None and found.created_at >= began_at(state) - CLOCK_SKEW


def began_at(state: State) -> Moment:
    """When the latest attempt that may have happened began; 0.0 when there was none."""
    return max((a.began_at for a in state.attempts if a.outcome is not Outcome.NOT_FOUND), default=0.0)


# --- An attempt in doubt --------------------------------------------------------------------------------


class Ours(Struct, frozen=True, kw_only=True):
    """The attempt happened: here is its image."""

    image: CloudImage
    others: tuple[str, ...] = ()
    """Ids of more images that bear the same marker; reported, never deleted unasked."""


class Somebodys(Struct, frozen=True, kw_only=True):
    """The name belongs to an image that is not ours."""

    fault: Fault


class Nowhere(Struct, frozen=True, kw_only=True):
    """Nothing is listed, which proves nothing before the visibility timeout is over."""


Finding = Ours | Somebodys | Nowhere


def judge(image: Image, state: State, matches: ImageMatches) -> Finding:
    """What a look-up says about an attempt in doubt."""
    if matches.ours:
        first, *others = matches.ours
        return Ours(image=first, others=tuple(other.id for other in others))
    if matches.foreign and state.fault is not None and state.fault.code == "IMG.0009":
        return Somebodys(fault=name_taken(image, matches.foreign[0]))
    return Nowhere()


def may_be_leftover(finding: Finding, state: State) -> bool:
    """Whether a found image may be what an earlier attempt left behind, listed late.

    A killed one proves nothing while the latest attempt's own image may still show.
    """
    return isinstance(finding, Ours) and finding.image.status == "killed" and len(state.attempts) > 1


# --- Items that exist already ---------------------------------------------------------------------------


def existing(
    image: Image, state: State, matches: ImageMatches, policy: Policy, now: Moment
) -> ImageEvent | None:
    """What to write down about an image that is to be submitted, given what is there; None: submit it."""
    live = [found for found in matches.ours if found.status != "killed"]
    if live:
        found = live[0]
        if policy.on_existing is OnExisting.ADOPT:
            return ImageFound(at=now, key=image.key, image_id=found.id, active=found.status == "active")
        if policy.on_existing is OnExisting.SKIP:
            return ImageSkipped(at=now, key=image.key, image_id=found.id)
        fault = Fault(
            code="MIG.exists",
            message=f"image {found.id} of this plan item is already there ({found.status})",
            remedy='Delete it, or set policy.on_existing to "adopt" or "skip"; then run with --retry-failed.',
        )
        return MigrationFailed(at=now, key=image.key, fault=fault)
    if matches.foreign:
        return MigrationFailed(at=now, key=image.key, fault=name_taken(image, matches.foreign[0]))
    return None


def name_taken(image: Image, found: CloudImage) -> Fault:
    """The failure of an image whose name belongs to somebody else's."""
    tags = ", ".join(f"{key}={value}" for key, value in sorted(found.tags.items())) or "no tags"
    return Fault(
        code="IMG.0009",
        message=f"the name {image.name!r} belongs to image {found.id} ({found.status}; {tags})",
        remedy="Rename the image in the plan, or remove the other one; then run again with --retry-failed.",
    )


# --- Faults of our own ----------------------------------------------------------------------------------


def held(state: State) -> Fault:
    """Why an attempt in doubt waits for a person, and what that person can do."""
    last = f" ({state.fault})" if state.fault else ""
    return Fault(
        code="MIG.held",
        message=f"nobody knows whether the import happened{last}, and the plan says not to decide",
        remedy=(
            "Look for the image in the console. If it is there, run again: it is adopted. "
            f"If it is not, submit it again with: migrator run PLAN --again {state.key!r}"
        ),
    )


def undecidable(state: State) -> Fault:
    """Why an attempt in doubt is left for a person although the plan would decide: nothing can tell."""
    return replace(
        held(state),
        message="nobody knows whether the import happened, and no other import of this target shows how soon "
        "lists would show it" + (f" ({state.fault})" if state.fault else ""),
    )


def given_up(state: State, why: str) -> Fault:
    """Why an image whose attempts failed in a passing way is not submitted again."""
    last = state.fault
    return Fault(
        code=last.code if last else "MIG.retries",
        message=f"{last.message if last else 'no answer'}; given up: {why}",
        remedy=(last.remedy if last else "") or "Run again with --retry-failed when the service is well.",
        request_id=last.request_id if last else "",
        status=last.status if last else None,
    )


def as_job(found: CloudImage) -> JobStatus:
    """An image's own status, in the words of a job: for adopted imports, whose job id nobody knows."""
    status = {"active": "SUCCESS", "killed": "FAIL", "deleted": "FAIL"}.get(found.status, "RUNNING")
    fault = None
    if status == "FAIL":
        fault = Fault(
            code="MIG.image",
            message=f"image {found.id} is {found.status}: its import failed",
            remedy="Check the image file in OBS, then run again with --retry-failed.",
        )
    return JobStatus(job_id="", status=status, image_id=found.id, fault=fault)


def is_unlisted(job: JobStatus) -> bool:
    """Whether a job is in a state that no manual lists."""
    return job.status not in ("INIT", "RUNNING", "SUCCESS", "FAIL")


def unlisted_state(job: JobStatus) -> Fault:
    """What the service says of a job in a state that no manual lists."""
    said = job.fault
    ended = "ended" if job.end_at is not None else "is"
    return Fault(
        code=said.code if said else "",
        message=f"the job {ended} in the state {job.status}, which no manual lists"
        + (f": {said}" if said and (said.code or said.message) else ""),
        remedy="Look at the job and for the image in the console; then run again with --retry-failed.",
        request_id=said.request_id if said else "",
    )


def vanished(state: State, said: Fault) -> JobStatus:
    """A job that the service no longer knows, and no image to show for it."""
    fault = Fault(
        code=said.code or "MIG.vanished",
        message=f"the service does not know {state.job_id or state.image_id} any more ({said.message}), "
        "and no image bears its marker",
        remedy="Check in the console whether somebody deleted it, then run again with --retry-failed.",
        request_id=said.request_id,
        status=said.status,
    )
    return JobStatus(job_id=state.job_id or "", status="FAIL", fault=fault)
