"""What is done with images that are there: shared with other projects, copied to other regions.

Answers: IMS API reference, "Adding Tenants That Can Use Shared Images", "Updating the Statuses of Tenants Who
Can Use Shared Images", "Replicating an Image Across Regions", "Error Codes". What a list of members looks
like: the vendor's SDK, ImageMember.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.access import Guard
from migrator.simulator.jobs import Project, Record
from migrator.simulator.settings import Settings
from migrator.simulator.validate import Invalid, check_name
from migrator.simulator.wire import Call, Reply, ims_error, message_of, ok, stamp

MOST_COPIES = 5
"""Copies of one account under way at once (IMG.0149)."""

LARGEST_COPY = 2**37
"""Bytes; "128 GB" in the documents, read generously."""


@dataclass(slots=True, kw_only=True)
class Task:
    """A job that imports nothing."""

    id: str
    type: str
    accepted: Moment
    ends: Moment
    image_id: str
    code: str = ""
    """With which it fails."""

    def body(self, now: Moment) -> dict[str, Any]:
        """What either job query answers."""
        over = now >= self.ends
        failed = over and self.code
        return {
            "job_id": self.id,
            "job_type": self.type,
            "begin_time": stamp(self.accepted, 3),
            "end_time": stamp(self.ends, 3) if over else "",
            "status": "FAIL" if failed else "SUCCESS" if over else "RUNNING",
            "error_code": self.code if failed else None,
            "fail_reason": message_of(self.code) if failed else None,
            "entities": {"image_id": self.image_id} if over and not failed else {},
        }


@dataclass(slots=True, kw_only=True)
class Member:
    """A project that may use an image."""

    since: Moment
    """When its job ended."""

    accepted_at: Moment = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A line of the books: one share or copy that was taken in, whatever its client was answered."""

    kind: str
    """"share" or "copy"."""

    image_id: str
    to: str
    """Id of a project."""

    at: Moment
    duplicate: bool
    """There was one already."""


@dataclass(slots=True)
class AfterImport:
    """Every share and copy of one account."""

    settings: Settings
    guard: Guard
    project_in: Callable[[str, str], Project]
    """A project by its region and id."""

    members: dict[tuple[str, str], Member] = field(default_factory=dict)
    """By image and project."""

    books: list[Made] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    _copying: list[Moment] = field(default_factory=list)
    """When each copy of the account that is under way ends."""

    # --- Shares -----------------------------------------------------------------------------------------

    def share(self, project: Project, call: Call, now: Moment) -> Reply:
        """POST /v1/cloudimages/members"""
        try:
            asked = json.loads(call.body)
            images, receivers = list(asked["images"]), list(asked["projects"])
        except (ValueError, KeyError, TypeError):
            return ims_error("IMG.0001")
        for image_id in images:
            record = project.by_id.get(image_id)
            if record is None or record.status(now) is None:
                return ims_error("IMG.0144")
            if record.status(now) != "active" or record.asked.cmk_id:
                return ims_error("IMG.0105")
        ends = now + self.settings.step_seconds
        for image_id in images:
            for receiver in receivers:
                known = (image_id, receiver) in self.members
                self.books.append(Made(kind="share", image_id=image_id, to=receiver, at=now, duplicate=known))
                self.members.setdefault((image_id, receiver), Member(since=ends))
        return self._accepted("imsAddImageMembersJob", images[0] if images else "", now, ends)

    def answer_share(self, project: Project, call: Call, now: Moment) -> Reply:
        """PUT /v1/cloudimages/members: a receiver accepts, or does not."""
        try:
            asked = json.loads(call.body)
            images, receiver, status = list(asked["images"]), str(asked["project_id"]), asked["status"]
        except (ValueError, KeyError, TypeError):
            return ims_error("IMG.0001")
        if receiver != project.id:
            return ims_error("IMG.0030")
        ends = now + self.settings.step_seconds
        for image_id in images:
            member = self.members.get((image_id, receiver))
            if member is None or now < member.since:
                return ims_error("IMG.0144")
            member.accepted_at = min(member.accepted_at, ends) if status == "accepted" else math.inf
        return self._accepted("imsUpdateImageMembersJob", images[0] if images else "", now, ends)

    def list_members(self, project: Project, image_id: str, now: Moment) -> Reply:
        """GET /v1/{project_id}/cloudimages/{image_id}/members"""
        record = project.by_id.get(image_id)
        if record is None or record.status(now) is None:
            return ims_error("IMG.0144")
        shown = [
            {
                "image_id": image_id,
                "member_id": to,
                "status": "accepted" if now >= member.accepted_at else "pending",
                "created_at": stamp(member.since),
                "updated_at": stamp(member.since),
                "schema": "/v2/schemas/member",
            }
            for (of, to), member in self.members.items()
            if of == image_id and now >= member.since
        ]
        return ok({"members": shown, "schema": "/v2/schemas/members"})

    # --- Copies -----------------------------------------------------------------------------------------

    def copy(self, project: Project, image_id: str, call: Call, now: Moment) -> Reply:
        """POST /v1/cloudimages/{image_id}/cross_region_copy"""
        try:
            asked = json.loads(call.body)
            name = check_name(asked.get("name"))
            region, project_name, agency = asked["region"], asked["project_name"], asked["agency_name"]
        except Invalid as refused:
            return ims_error(refused.code)
        except (ValueError, KeyError, TypeError, AttributeError):
            return ims_error("IMG.0001")
        record = project.by_id.get(image_id)
        refusal = self._refusal(project, record, region, project_name, agency, now)
        if refusal or record is None:
            return ims_error(refusal or "IMG.0144")
        there = self.project_in(region, self._project_of(region, project_name) or "")
        self._copying = [end for end in self._copying if end > now]
        if len(self._copying) >= MOST_COPIES:
            return ims_error("IMG.0149")
        origin = f"image,{self.guard.region_of(project.id)},{image_id}"
        copied = replace(record.asked, name=name, tags={}, method="copy")
        twice = any(
            one.attributes.get("__data_origin") == origin and one.status(now) not in (None, "killed")
            for one in there.by_name.get(name, ())
        )
        job, _ = there.accept(copied, record.size, now, takes=self.settings.copy_seconds)
        job.record.attributes["__data_origin"] = origin
        self._copying.append(job.ends)
        self.books.append(Made(kind="copy", image_id=image_id, to=there.id, at=now, duplicate=twice))
        return self._accepted("imsCrossRegionCopyImageJob", job.record.id, now, job.ends)

    def _refusal(
        self, project: Project, record: Record | None, region: str, name: str, agency: str, now: Moment
    ) -> str:
        if record is None or record.status(now) != "active":
            return "IMG.0144"
        if record.asked.cmk_id:
            return "IMG.0143"
        if record.size > LARGEST_COPY:
            return "IMG.0146"
        if self._project_of(region, name) is None:
            return "IMG.0145"
        if region == self.guard.region_of(project.id):
            return "IMG.0142"
        return "" if agency in self.settings.agencies else "IMG.0151"

    def _project_of(self, region: str, name: str) -> str | None:
        if name in (region, ""):
            return self.settings.regions.get(region)
        named = (project for project, there in self.settings.projects.items() if there == region)
        return next(named, None) if name.startswith(f"{region}_") else None

    def _accepted(self, kind: str, image_id: str, now: Moment, ends: Moment) -> Reply:
        dice = Random(f"{self.settings.seed}:task:{len(self.tasks)}")  # noqa: S311
        task = Task(
            id=f"ff808083{dice.getrandbits(96):024x}", type=kind, accepted=now, ends=ends, image_id=image_id
        )
        self.tasks[task.id] = task
        return ok({"job_id": task.id})
