"""One project's imports: which job becomes what, when, and what queries answer about it.

A job's whole life is decided when it is accepted, by a dice of its own (seed, project, image name, which
import of that name), so that neither the order of submissions nor other faults change it. What is true at a
moment is then a plain function of that moment. Only the place where a failure is told goes in turn, so that
a few failures show all of them.

Shapes: IMS API reference, "Asynchronous Job Query" and "Asynchronous Job Progress Query".
"""

import heapq
import math
from bisect import insort
from dataclasses import dataclass, field
from random import Random
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.settings import FailPlace, Settings
from migrator.simulator.validate import ImportRequest
from migrator.simulator.wire import message_of, stamp

GENERIC = "IMG.0061"
"""The code on top where only a sub job tells what was wrong."""


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
    """One image, from acceptance on."""

    number: int
    """Place in the order of creation."""

    id: str
    asked: ImportRequest
    project_id: str
    size: int
    created: Moment
    """Whole seconds, as lists show it."""

    job: "Job"
    tags: dict[str, str]
    attributes: dict[str, Any] = field(default_factory=dict)
    """What was patched, or went wrong, over what was asked for; None for a removed attribute."""

    lag: float = 1.0
    """How much later than others it shows in lists, as a factor."""

    deleted: bool = False
    drawn: "Drawn | None" = None
    """How lists showed it last."""

    @property
    def name(self) -> str:
        return str(self.attributes.get("name", self.asked.name))

    @property
    def enterprise_project_id(self) -> str:
        return str(self.attributes.get("enterprise_project_id", self.asked.enterprise_project_id))

    def status(self, now: Moment) -> str | None:
        """ "queued", "saving", "active" or "killed"; None when there is no such image."""
        if self.deleted:
            return None
        if now < self.job.starts:
            return "queued"
        if now < self.job.ends:
            return "saving"
        if self.job.fate in ("ok", "different"):
            return "active"
        return "killed" if self.job.fate == "killed" or self.job.leaves_killed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An image as a list showed it, and what that depends on."""

    since: Moment
    until: Moment
    """It holds from the one moment to just before the other."""

    ends: Moment
    """When its job was to end."""

    settings: Settings
    tags: dict[str, str]
    attributes: dict[str, Any]
    tagged: bool
    """Whether lists find it by its tags."""

    text: str
    """Empty while lists do not show it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One accepted import."""

    id: str
    sub_id: str
    record: Record = field(init=False)
    accepted: Moment
    starts: Moment
    ends: Moment
    fate: str
    """"ok", "missing", "killed", "different", or the code it fails with."""

    fail_place: FailPlace
    """Where a failure hides its code."""

    leaves_killed: bool

    @property
    def fails(self) -> bool:
        return "." in self.fate

    def status(self, now: Moment) -> str:
        if now < self.starts:
            return "INIT"
        if now < self.ends:
            return "RUNNING"
        return "FAIL" if self.fails else "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedImport:
    """A line of the ledger: one import that the service took in, whatever its client was answered."""

    project_id: str
    name: str
    job_id: str
    image_id: str
    accepted_at: Moment
    tags: dict[str, str]
    method: str
    """By which call: "quick" or "normal"."""

    duplicate: bool
    """An earlier import of this name was still under way, or its image stood ready: it was imported twice."""


class Project:
    """The jobs and images of one project in one region."""

    def __init__(self, settings: Settings, project_id: str) -> None:
        self.settings = settings
        self.id = project_id
        self.records: list[Record] = []
        self.by_id: dict[str, Record] = {}
        self.by_name: dict[str, list[Record]] = {}
        self.by_tag: dict[tuple[str, str], list[Record]] = {}
        self.jobs: dict[str, Job] = {}
        self.most_running = 0
        self._used = settings.quota_used
        self._ids = Random(f"{settings.seed}:{project_id}")  # noqa: S311
        self._unfinished: list[tuple[Moment, int]] = []
        self._slots: list[Moment] = []
        self._failing = 0

    # --- Room ---

    def release_finished(self, now: Moment) -> None:
        """Give back what jobs that have ended by now held."""
        while self._unfinished and self._unfinished[0][0] <= now:
            _, number = heapq.heappop(self._unfinished)
            record = self.records[number]
            if record.deleted:
                continue
            if record.status(now) is None and self.settings.quota_counts_running:
                self._used -= 1
            elif record.status(now) is not None and not self.settings.quota_counts_running:
                self._used += 1

    def unfinished(self, now: Moment) -> int:
        """Jobs accepted and not ended."""
        self.release_finished(now)
        return len(self._unfinished)

    def job_limit_reached(self, now: Moment) -> bool:
        """Whether one more job has to be refused with IMG.0060."""
        room = self.settings.max_jobs - self.settings.other_jobs
        return self.settings.at_job_limit == "refuse" and self.unfinished(now) >= room

    def used(self, now: Moment) -> int:
        """Private images that count for the quota."""
        self.release_finished(now)
        return self._used

    # --- Taking in ---

    def accept(
        self,
        asked: ImportRequest,
        size: int,
        now: Moment,
        broken: str = "",
        takes: float | None = None,
    ) -> tuple[Job, AcceptedImport]:
        """Start an import. `broken` is the code that it must fail with, because its object is no good.

        One of which somebody knows what it `takes` is a copy, and ends well.
        """
        earlier = self.by_name.get(asked.name, [])
        twice = any(r.status(now) in ("queued", "saving", "active") for r in earlier)
        dice = Random(f"{self.settings.seed}:{self.id}:{asked.name}:{len(earlier)}")  # noqa: S311
        seconds = _duration(self.settings, size, dice)
        if asked.method == "normal":
            seconds *= self.settings.normal_factor
        fate, leaves, part = _fate(self.settings, asked.name, dice)
        fate = broken or fate
        if takes is not None:
            seconds, fate = takes, "ok"
        place = self.settings.fail_places[self._failing % len(self.settings.fail_places)]
        if "." in fate:
            seconds *= part
            self._failing += 1
        starts = self._start(now, seconds)
        job = Job(
            id=f"ff808082{self._ids.getrandbits(96):024x}",
            sub_id=f"ff808082{self._ids.getrandbits(96):024x}",
            accepted=now,
            starts=starts,
            ends=starts + seconds,
            fate=fate,
            fail_place=place,
            leaves_killed=leaves,
        )
        bits = f"{self._ids.getrandbits(128):032x}"
        record = Record(
            number=len(self.records),
            id=f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-8{bits[17:20]}-{bits[20:]}",
            asked=asked,
            project_id=self.id,
            size=size,
            created=math.floor(now),
            job=job,
            tags=dict(asked.tags),
            attributes=_spoiled(asked, size, dice) if fate == "different" else {},
            lag=_lag(self.settings, dice),
        )
        job.record = record
        self._keep(record)
        heapq.heappush(self._unfinished, (job.ends, record.number))
        if self.settings.quota_counts_running:
            self._used += 1
        running = min(self.unfinished(now), self.settings.max_jobs - self.settings.other_jobs)
        self.most_running = max(self.most_running, running)
        return job, _line(record, duplicate=twice)

    def _start(self, now: Moment, seconds: float) -> Moment:
        if self.settings.at_job_limit == "refuse":
            return now
        if len(self._slots) < max(1, self.settings.max_jobs - self.settings.other_jobs):
            heapq.heappush(self._slots, now + seconds)
            return now
        starts = max(now, self._slots[0])
        heapq.heapreplace(self._slots, starts + seconds)
        return starts

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        self.by_id[record.id] = record
        self.by_name.setdefault(record.name, []).append(record)
        for tag in record.tags.items():
            self.by_tag.setdefault(tag, []).append(record)
        self.jobs[record.job.id] = record.job

    # --- Changing ---

    def tag(self, record: Record, key: str, value: str) -> None:
        self.untag(record, key)
        record.tags[key] = value
        insort(self.by_tag.setdefault((key, value), []), record, key=lambda r: r.number)

    def untag(self, record: Record, key: str) -> None:
        if key in record.tags:
            self.by_tag[key, record.tags.pop(key)].remove(record)

    def rename(self, record: Record, name: str) -> None:
        self.by_name[record.name].remove(record)
        record.attributes["name"] = name
        insort(self.by_name.setdefault(name, []), record, key=lambda r: r.number)

    def delete(self, record: Record, now: Moment) -> None:
        self.release_finished(now)
        if record.status(now) is not None:
            self._used -= 1
        record.deleted = True


def _line(record: Record, *, duplicate: bool) -> AcceptedImport:
    asked, job = record.asked, record.job
    return AcceptedImport(
        project_id=record.project_id,
        name=asked.name,
        job_id=job.id,
        image_id=record.id,
        accepted_at=job.accepted,
        tags=dict(asked.tags),
        method=asked.method,
        duplicate=duplicate,
    )


def _duration(settings: Settings, size: int, dice: Random) -> float:
    mean, throw, bell = settings.job_seconds, dice.random(), dice.gauss(0.0, 1.0)
    match settings.job_spread:
        case "fixed":
            seconds = mean
        case "uniform":
            seconds = mean * (0.5 + throw)
        case "exponential":
            seconds = -mean * math.log(1.0 - throw)
        case "lognormal":
            seconds = mean * math.exp(settings.job_sigma * bell - settings.job_sigma**2 / 2)
    if settings.job_by_size:
        seconds *= size / (sum(settings.object_gb) / 2 * 2**30)
    return seconds


def _lag(settings: Settings, dice: Random) -> float:
    return -math.log(1.0 - dice.random()) if settings.lag_spread == "exponential" else 1.0


def _fate(settings: Settings, name: str, dice: Random) -> tuple[str, bool, float]:
    """(fate, leaves a killed image, part of its time after which it fails).

    Every throw is made whatever the settings, so that one setting does not change what another one decides.
    """
    failing, lying = dice.random(), dice.random()
    code, lie = dice.choice(settings.fail_codes), dice.choice(settings.lie_kinds)
    dice.randrange(3)  # no longer decides anything; without it, every recorded figure would be of other dice
    leaves = dice.random() < settings.fail_leaves_killed
    part = dice.uniform(0.1, 1.0)
    if name in settings.fates:
        return settings.fates[name], leaves, part
    if failing < settings.fail:
        return code, leaves, part
    return lie if lying < settings.lie else "ok", leaves, part


def _spoiled(asked: ImportRequest, size: int, dice: Random) -> dict[str, Any]:
    """One attribute of the finished image that is not what was asked for."""
    choices: list[dict[str, Any]] = [{"min_disk": max(1, asked.min_disk - 1)}]
    if asked.os_version is not None:
        choices.append({"__os_version": "Other Linux(64 bit)", "__platform": "Other"})
        choices.append({"hw_firmware_type": "bios" if asked.firmware == "uefi" else "uefi"})
    else:
        choices.append({"__os_type": "Windows" if asked.os_type == "Linux" else "Linux"})
    return dice.choice(choices)


# --- Answers to queries ---


def job_body(job: Job, now: Moment, settings: Settings) -> dict[str, Any]:
    """What either job query answers."""
    status = job.status(now)
    over = now >= job.ends
    system = job.record.asked.type != "DataImage"
    body: dict[str, Any] = {
        "job_id": job.id,
        "job_type": "imsImportImageJob" if system else "imsImportDataImageJob",
        "begin_time": stamp(job.accepted, 3),
        "end_time": stamp(job.ends, 3) if over else "",
        "status": status,
        "error_code": None,
        "fail_reason": None,
        "entities": {},
    }
    if status == "INIT":
        return body
    entities: dict[str, Any] = {"image_name": job.record.asked.name}
    body["entities"] = entities
    if status == "FAIL":
        _add_failure(job, body, entities)
        return body
    entities["image_id"] = job.record.id
    entities["current_task"] = "" if over else "ImportImageTask:"
    percent = 1 if over else _percent(job, now, settings)
    if percent is not None:
        entities["process_percent"] = percent
    if not over:
        entities["subJobId"] = job.sub_id
    return body


def _percent(job: Job, now: Moment, settings: Settings) -> float | None:
    part = (now - job.starts) / (job.ends - job.starts)
    match settings.progress:
        case "missing":
            return None
        case "stuck":
            return min(0.2, round(part, 2))
        case "coarse":
            return math.floor(part * 4) / 4
        case "linear":
            return min(0.99, round(part, 2))


def _add_failure(job: Job, body: dict[str, Any], entities: dict[str, Any]) -> None:
    code, reason = job.fate, message_of(job.fate)
    if job.leaves_killed:
        entities["image_id"] = job.record.id
    match job.fail_place:
        case "top":
            body["error_code"], body["fail_reason"] = code, reason
        case "entities":
            entities["error_code"], entities["error"] = code, reason
        case "error":
            entities["error"] = f"{code}: {reason}"
        case "addition":
            entities["addition_error_code"], entities["addition_error_msg"] = code, reason
        case "sub_job" | "generic":
            entities["sub_jobs_list"] = [job.sub_id]
            entities["sub_jobs_result"] = [_failed_sub_job(job, body, code, reason)]
    if job.fail_place == "generic":
        body["error_code"], body["fail_reason"] = GENERIC, message_of(GENERIC)


def _failed_sub_job(job: Job, body: dict[str, Any], code: str, reason: str) -> dict[str, Any]:
    return {
        "status": "FAIL",
        "job_id": job.sub_id,
        "job_type": "imsImportBigFileImageJob",
        "begin_time": body["begin_time"],
        "end_time": body["end_time"],
        "error_code": code,
        "fail_reason": reason,
        "entities": {"image_name": job.record.asked.name},
    }
