"""What the program believes about the service without proof, and what was seen of it.

Nobody who wrote this can ask the real service. So whatever rests on an unproven fact stands here once, with
its source, how certain it is, what depends on it, and what to do where a service is seen to do otherwise.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct, field

from migrator.domain.cloud import CloudImage, ImageQuery, JobStatus
from migrator.domain.errors import RetryableError
from migrator.domain.image import Image, Marker
from migrator.ims.fields import shown_attributes
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays


class Certainty(StrEnum):
    """How much speaks for a belief before any service was asked."""

    DOCUMENTED = "documented"
    DERIVED = "derived"
    """Follows from what is documented, or was seen by others."""

    UNKNOWN = "unknown"
    """The documents are silent; the program is ready for either."""


class Verdict(StrEnum):
    """What became of a belief."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_SEEN = "not yet seen"


class Belief(Struct, frozen=True, kw_only=True):
    """One thing that is taken for true of the service."""

    id: str
    says: str
    source: str
    """Page or document."""

    certainty: Certainty
    depends: str
    """What the program does because of it."""

    otherwise: str
    """What follows, and what to do, where a service is seen to do otherwise."""


_LIST = "IMS API reference, Querying Images"
_JOBS = "IMS API reference, Querying the Status of an Asynchronous Job"
_TOLD = "Compare these in the console: the report lists them as not compared."


def _tells(attribute: str, what: str) -> Belief:
    return Belief(
        id=f"tells-{attribute.replace('_', '-')}",
        says=f"A finished image tells {what} that its import asked for.",
        source=_LIST,
        certainty=Certainty.DERIVED,
        depends=f"Verification compares {what}.",
        otherwise=_TOLD,
    )


BELIEFS: tuple[Belief, ...] = (
    Belief(
        id="running-listed-by-tag",
        says="An import that runs is listed under its tags.",
        source=f"{_LIST}; silent about imports that run",
        certainty=Certainty.UNKNOWN,
        depends="How long an attempt in doubt is looked up before it counts as never accepted.",
        otherwise="Attempts in doubt wait until comparable jobs have ended, or are held for a person.",
    ),
    Belief(
        id="running-listed-by-name",
        says="An import that runs is listed under its name.",
        source=f"{_LIST}; silent about imports that run",
        certainty=Certainty.UNKNOWN,
        depends="The same, where tags show nothing.",
        otherwise="Attempts in doubt wait until comparable jobs have ended, or are held for a person.",
    ),
    Belief(
        id="tag-filter-honoured",
        says="A list that is filtered by a tag holds only images that bear it.",
        source=_LIST,
        certainty=Certainty.DOCUMENTED,
        depends="Look-ups ask for the marker of one image.",
        otherwise="Of such a list only what bears the marker is believed; lists are longer than needed.",
    ),
    Belief(
        id="name-filter-honoured",
        says="A list that is filtered by a name holds only images of exactly that name.",
        source=_LIST,
        certainty=Certainty.DOCUMENTED,
        depends="Look-ups ask for the exact name where tags show nothing.",
        otherwise="Of such a list only what has the name is believed; lists are longer than needed.",
    ),
    Belief(
        id="job-progress-call",
        says="GET /v1/cloudimages/job/{job_id} tells how a job does.",
        source="IMS API reference, Querying the Progress of an Asynchronous Job",
        certainty=Certainty.DOCUMENTED,
        depends="The first job query of a run.",
        otherwise='The older call is used; set job_api = "status" to save the first question of each run.',
    ),
    Belief(
        id="jobs-end-in-success-or-fail",
        says="A job ends in SUCCESS or FAIL.",
        source=_JOBS,
        certainty=Certainty.DOCUMENTED,
        depends="When a job counts as over.",
        otherwise="Jobs in other states are followed by their images; tell the maintainers the state.",
    ),
    Belief(
        id="progress-told",
        says="A job that runs tells its progress.",
        source=f"{_JOBS}, process_percent",
        certainty=Certainty.DERIVED,
        depends="When a job is asked about next.",
        otherwise="Jobs are asked about by what earlier ones took; estimates are coarser.",
    ),
    Belief(
        id="progress-moves",
        says="The progress of a job that runs moves with it.",
        source=f"{_JOBS}, process_percent",
        certainty=Certainty.UNKNOWN,
        depends="When a job is asked about next.",
        otherwise="Jobs are asked about by what earlier ones took; estimates are coarser.",
    ),
    Belief(
        id="throttle-is-429",
        says="A request beyond the rate is refused with status 429.",
        source="API Gateway, error codes (APIGW.0308)",
        certainty=Certainty.DOCUMENTED,
        depends="What slows everybody down, rather than being held against an image.",
        otherwise="Tell the maintainers the code; meanwhile set lower rates in [limits].",
    ),
    Belief(
        id="throttle-says-how-long",
        says="A refusal for the rate says for how long, or which rate is allowed.",
        source="API Gateway, response headers",
        certainty=Certainty.UNKNOWN,
        depends="How soon the right rate is found.",
        otherwise="The rate is found by trying; set [limits] to what the service allows to save refusals.",
    ),
    Belief(
        id="job-limit-is-img-0060",
        says="An import beyond the limit of running jobs is refused with IMG.0060.",
        source="IMS API reference, error codes",
        certainty=Certainty.DERIVED,
        depends="When fewer jobs are submitted at once.",
        otherwise="Set [limits] max_jobs to what the service takes.",
    ),
    Belief(
        id="old-signature-refused",
        says="A request that was signed more than 15 minutes ago is refused.",
        source="API Gateway, signing guide",
        certainty=Certainty.DERIVED,
        depends="policy.late: after it, a request without an answer cannot be accepted any more.",
        otherwise="Set [policy] late to more than the age that is accepted, or on_doubt to hold.",
    ),
    Belief(
        id="data-origin-names-file",
        says='__data_origin of an imported image is "file,<bucket>:<key>".',
        source=f"{_LIST}, __data_origin",
        certainty=Certainty.DERIVED,
        depends="Verification compares where the image came from.",
        otherwise="Look at the image in the console before it is used; tell the maintainers what it says.",
    ),
    _tells("os_version", "the operating system"),
    _tells("os_type", "the kind of operating system"),
    _tells("min_disk", "the size of the disk"),
    _tells("virtual_env_type", "the kind of image"),
    _tells("architecture", "the architecture"),
    _tells("hw_firmware_type", "the firmware"),
    _tells("enterprise_project_id", "the enterprise project"),
    _tells("description", "the description"),
    _tells("cmk_id", "the KMS key"),
    _tells("min_ram", "the smallest memory"),
    _tells("max_ram", "the largest memory"),
    _tells("tags", "the tags"),
    _tells("data_origin", "the file"),
)

_BY_KEY = {key: f"tells-{shown.attribute.replace('_', '-')}" for key, shown, _ in shown_attributes()}
_IDS = frozenset(belief.id for belief in BELIEFS)
_ENDED, _RUNS = frozenset({"SUCCESS", "FAIL"}), frozenset({"INIT", "RUNNING"})

ENOUGH = 20
"""Images that told an attribute, before one that does not tell it is read again."""

STANDS = 3
"""Answers about one running job, before a progress that stayed as it was counts as one that does not move."""

_WATCHED = 500
"""Images, and jobs, that are remembered at a time to be compared with what was asked or said before."""


class Count(Struct):
    """How often something was seen, and how often its opposite."""

    seen: int = 0
    against: int = 0

    @property
    def verdict(self) -> Verdict:
        if self.against:
            return Verdict.CONTRADICTED
        return Verdict.CONFIRMED if self.seen else Verdict.NOT_SEEN


class ServiceSeen(Struct, kw_only=True):
    """What the service of one region was seen to do: counts and seconds, and nobody's names or ids."""

    beliefs: dict[str, Count] = field(default_factory=dict)
    throttles: dict[str, int] = field(default_factory=dict)
    """Refusals for the rate or the number of jobs, by status and code."""

    listed_by: dict[ListedBy, VisibilityDelays] = field(default_factory=dict)

    def note(self, belief: str, holds: bool, times: int = 1) -> None:
        """One more observation, or so many."""
        count = self.beliefs.setdefault(belief, Count())
        if holds:
            count.seen += times
        else:
            count.against += times

    def count(self, belief: str) -> Count:
        """All observations of one belief."""
        return self.beliefs.get(belief, Count())

    def learned(self, by: ListedBy, delays: VisibilityDelays) -> None:
        """What the run's own jobs taught of lists; it replaces what was known."""
        self.listed_by[by] = delays
        if delays.listed is not None:
            seen, against = (delays.seen, 0) if delays.listed else (0, delays.unseen)
            self.beliefs[f"running-listed-by-{by.value}"] = Count(seen, against)

    def plus(self, other: "ServiceSeen") -> "ServiceSeen":
        """Both together; where only the later can be true, `other` is the later."""
        beliefs = {
            belief: Count(
                self.count(belief).seen + other.count(belief).seen,
                self.count(belief).against + other.count(belief).against,
            )
            for belief in self.beliefs | other.beliefs
        }
        throttles = {
            kind: self.throttles.get(kind, 0) + other.throttles.get(kind, 0)
            for kind in self.throttles | other.throttles
        }
        both = ServiceSeen(beliefs=beliefs, throttles=throttles)
        for by, delays in (self.listed_by | other.listed_by).items():
            both.learned(by, delays)
        return both

    def verdicts(self) -> Iterator[tuple[Belief, Count]]:
        """Every belief, and how often it was seen to hold or not."""
        return ((belief, self.count(belief.id)) for belief in BELIEFS)

    def usually_told(self, key: str) -> bool:
        """Whether finished images told what this key of the plan asked for so often that silence is odd."""
        count = self.count(_BY_KEY.get(key, ""))
        return count.seen >= ENOUGH and count.seen > ENOUGH * count.against


class Observer:
    """Takes in what one target's service answers, whatever it was asked for."""

    def __init__(self, seen: ServiceSeen) -> None:
        self.seen = seen
        self._asked: dict[str, tuple[Image, Marker | None]] = {}
        """Imports whose finished images have not been read yet, by name."""

        self._progress: dict[str, tuple[float | None, int, bool]] = {}
        """Of jobs that run: what they last said, how often they were asked, whether it ever moved."""

    def on_accepted(self, image: Image, marker: Marker | None) -> None:
        """An import was accepted."""
        if len(self._asked) < _WATCHED:
            self._asked[image.name] = (image, marker)

    def on_refused(self, error: RetryableError) -> None:
        """A request was refused because of what we ask too much."""
        if not (error.throttled or error.job_limit_reached):
            return
        fault = error.fault
        if error.job_limit_reached:
            self.seen.note("job-limit-is-img-0060", fault.code == "IMG.0060")
        else:
            self.seen.note("throttle-is-429", fault.status == 429)
            self.seen.note(
                "throttle-says-how-long", error.retry_after is not None or error.allows is not None
            )
        kind = f"{fault.status or ''} {_code(fault.code)}".strip()
        self.seen.throttles[kind] = self.seen.throttles.get(kind, 0) + 1

    def on_job(self, job: JobStatus) -> None:
        """A job was asked about."""
        if job.status not in _RUNS:
            self.seen.note("jobs-end-in-success-or-fail", job.status in _ENDED)
            _, asked, moved = self._progress.pop(job.job_id, (None, 0, False))
            if asked >= STANDS and not moved:
                self.seen.note("progress-moves", False)
            return
        if job.status == "INIT":
            return
        self.seen.note("progress-told", job.progress is not None)
        before, asked, moved = self._progress.get(job.job_id, (job.progress, 0, False))
        if not moved and before is not None and job.progress is not None and job.progress > before:
            moved = True
            self.seen.note("progress-moves", True)
        if job.job_id in self._progress or len(self._progress) < _WATCHED:
            told = job.progress is not None
            self._progress[job.job_id] = (job.progress, asked + told, moved)

    def on_images(self, query: ImageQuery, images: tuple[CloudImage, ...]) -> None:
        """A page of images was read."""
        if query.tag is not None:
            key, value = query.tag
            self._note_all("tag-filter-honoured", [image.tags.get(key) == value for image in images])
        if query.name is not None:
            self._note_all("name-filter-honoured", [image.name == query.name for image in images])
        for image in images:
            if image.status == "active" and (asked := self._asked.get(image.name)) is not None:
                self._compare(image, *asked)

    def _note_all(self, belief: str, held: list[bool]) -> None:
        for holds in (True, False):
            if times := held.count(holds):
                self.seen.note(belief, holds, times)

    def _compare(self, found: CloudImage, image: Image, marker: Marker | None) -> None:
        if marker is not None and found.tags and found.tags.get("migrator_item") != marker.item:
            return  # another of this name
        del self._asked[image.name]
        for key, shown, value_of in shown_attributes():
            belief = _BY_KEY[key]
            if belief not in _IDS or shown.compare is None or value_of(image, marker) in (None, "", {}):
                continue
            self.seen.note(belief, getattr(found, shown.attribute) not in (None, "", {}))
        if found.data_origin:
            self.seen.note("data-origin-names-file", found.data_origin == f"file,{image.image_url}")


def _code(code: str) -> str:
    """A code as the service's pages write them; anything else may be somebody's text."""
    known = len(code) <= 20 and code.replace(".", "").isalnum() and code.isascii()
    return code if known else "another code"


def contradictions(regions: Mapping[str, ServiceSeen]) -> list[tuple[str, Belief, Count]]:
    """(region, belief, count) of every belief that was seen not to hold."""
    return [
        (region, belief, count)
        for region, seen in regions.items()
        for belief, count in seen.verdicts()
        if count.verdict is Verdict.CONTRADICTED
    ]
