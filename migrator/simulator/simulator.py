"""The stand-in cloud as a pure object: calls in, replies out. No I/O, no clock, no dice but its own.

The order in which a call is dealt with:

1. A fault before the service (reset, hang, 5xx, a proxy's page), a burst or a rate limit ends it here.
2. The gateway checks who is calling, the service what is asked, and acts.
3. A fault after the service takes the answer away. What was done stays done, and the ledger says so.
"""

import dataclasses
import heapq
import json
from collections.abc import Callable
from functools import partial
from random import Random

from msgspec.structs import replace

from migrator.domain.units import Moment
from migrator.simulator import attributes, images, native, objects, tags
from migrator.simulator.access import Caller
from migrator.simulator.account import Account
from migrator.simulator.faults import FaultInjector, echoed
from migrator.simulator.filters import filters
from migrator.simulator.identity import IdentityService
from migrator.simulator.inspection import show
from migrator.simulator.jobs import Project, job_body
from migrator.simulator.normal import read_normal, recognised, too_small
from migrator.simulator.settings import Settings
from migrator.simulator.validate import ImportRequest, Invalid, check_object, os_list, read_import
from migrator.simulator.wire import Act, Call, Reply, gateway_error, ims_error, ok

_LONG = 4096
"""Bytes of a body that no error has; a list is not searched for where its request id goes."""

Handler = Callable[[Call, Moment], Reply]
ReadImport = Callable[[bytes, Settings], ImportRequest]


class Simulator(Account):
    """An account, and the identity, image and object storage services in front of it, on one address."""

    def __init__(self, settings: Settings, *, now: Moment) -> None:
        super().__init__(settings, now=now)
        self.identity = IdentityService(self.guard)
        self.faults = FaultInjector(settings, now)
        self._taken: str | None = None  # the job of the import that is being answered
        self._late: list[tuple[Moment, int, Handler, Call]] = []
        self._request_ids = Random(f"{settings.seed}:requests")  # noqa: S311
        os_list()  # read now, so that no call has to

    def change(self, settings: Settings) -> None:
        """Go on under other settings; keys, tokens, jobs and images stay as they are."""
        super().change(settings)
        self.identity.settings = self.faults.settings = settings

    # --- One call ---

    def answer(self, call: Call, now: Moment) -> Reply:
        """Deal with one call at a moment; moments must not run backwards."""
        self._take_in_late(now)
        if call.path.startswith("/_sim/"):
            return show(self, call.method, call.path, call.body, now)
        kind, handler = self._route(call)
        self._taken = None
        reply, fault = self._served(kind, handler, call, now)
        taken = self._taken
        if fault == "foreign" and reply.status == 200:
            reply = self._about_another(call, reply, now)
        reply = self.faults.spoiled(fault, kind, reply)
        if self.settings.echo:
            reply = echoed(call, reply)
        if taken is not None:
            self.answers[taken] = str(reply.status) if reply.act is Act.NONE else reply.act.value
        self.stats.count(kind, now, reply, accepted=taken is not None)
        return self._finished(kind, reply)

    def _served(self, kind: str, handler: Handler, call: Call, now: Moment) -> tuple[Reply, str]:
        """(the service's reply, the fault that is still to befall it)."""
        fault = "" if kind == "metadata" else self.faults.fault(kind)
        instead = self.faults.instead(fault, kind) or self.faults.burst(kind, now)
        if fault == "late":
            due = (now + self.faults.late_by(), len(self._late), handler, call)
            heapq.heappush(self._late, due)
        if instead is not None:
            return instead, ""
        refused, headers = self.faults.limited(kind, now)
        reply = refused or handler(call, now)
        return (replace(reply, headers={**reply.headers, **headers}) if headers else reply), fault

    def _take_in_late(self, now: Moment) -> None:
        """Carry out what was sent long ago, and never answered."""
        while self._late and self._late[0][0] <= now:
            due, _, handler, call = heapq.heappop(self._late)
            self._taken = None
            handler(call, due)
            if self._taken is not None:
                self.answers[self._taken] = "late"

    def _about_another(self, call: Call, reply: Reply, now: Moment) -> Reply:
        asked = call.path.rstrip("/").rpartition("/")[2]
        jobs = [job for project in self.projects.values() for job in project.jobs.values() if job.id != asked]
        if not jobs:
            return reply
        return ok(job_body(jobs[self.faults.another(len(jobs))], now, self.settings))

    def _finished(self, kind: str, reply: Reply) -> Reply:
        request_id = f"{self._request_ids.getrandbits(128):032x}"
        name = "x-obs-request-id" if kind in ("object", "bucket") else "X-Request-Id"
        body = reply.body
        if len(body) < _LONG:
            body = body.replace(b'"request_id":""', b'"request_id":"%b"' % request_id.encode(), 1)
        return replace(
            reply, headers={**reply.headers, name: request_id}, body=body, delay=self.faults.delay()
        )

    # --- Who deals with it ---

    def _route(self, call: Call) -> tuple[str, Handler]:
        if objects.is_storage(call):
            return self._storage(call)
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["v2" | "v2.1", "cloudimages", "quickimport", "action"]:
                return "import", self._inside(partial(self._import, read=read_import), "import")
            case "POST", ["v2" | "v2.1", "cloudimages", "action"]:
                return "import", self._inside(partial(self._import, read=_read_system), "import")
            case "POST", ["v1" | "v2.1", "cloudimages", "dataimages", "action"]:
                return "import", self._inside(partial(self._import, read=_read_data), "import")
            case "POST", ["v1", "cloudimages", "members"]:
                return "share", self._inside(self.after.share, "share")
            case "PUT", ["v1", "cloudimages", "members"]:
                return "share", self._inside(self.after.answer_share, "share")
            case "GET", ["v1", project_id, "cloudimages", image_id, "members"]:
                return "list", self._inside(
                    lambda p, c, n: self.after.list_members(p, image_id, n), "list", project_id
                )
            case "POST", ["v1", "cloudimages", image_id, "cross_region_copy"]:
                return "copy", self._inside(lambda p, c, n: self.after.copy(p, image_id, c, n), "copy")
            case "GET", ["v1", "cloudimages", "job", job_id] if self.settings.progress_path:
                return "poll", self._inside(lambda p, c, n: self._job(p, job_id, n), "poll")
            case "GET", ["v1", project_id, "jobs", job_id] if self.settings.status_path:
                return "poll", self._inside(lambda p, c, n: self._job(p, job_id, n), "poll", project_id)
            case "GET", ["v1", _, "jobs", _] | ["v1", "cloudimages", "job", _]:
                return "poll", _unknown
            case "GET", ["v2", "cloudimages"]:
                return "list", self._inside(images.list_images, "list")
            case "PATCH", ["v2", "cloudimages", image_id]:
                return "patch", self._inside(lambda p, c, n: attributes.patch(p, image_id, c, n), "patch")
            case "GET", ["v2", "images"]:
                return "list", self._inside(native.list_images, "list")
            case "GET", ["v2", "images", image_id]:
                return "list", self._inside(lambda p, c, n: native.show(p, image_id, n), "list")
            case "DELETE", ["v2", "images", image_id]:
                return "delete", self._inside(lambda p, c, n: images.delete(p, image_id, n), "delete")
            case "POST", ["v2", project_id, "images", "resource_instances", "action"]:
                return "tags", self._inside(tags.query_by_tag, "tags", project_id)
            case "GET", ["v2", project_id, "images", "tags"]:
                return "tags", self._inside(_all_tags, "tags", project_id)
            case "GET", ["v1", "cloudimages", "tags"]:
                return "tags", self._inside(_all_tags_old, "tags")
            case "PUT", ["v1", "cloudimages", "tags"]:
                return "tags", self._inside(tags.put_tag, "tags")
            case _, ["v2", project_id, "images", image_id, "tags", *rest]:
                return "tags", self._inside(
                    lambda p, c, n: tags.image_tags(p, image_id, rest, c, n) or _unknown(c, n),
                    "tags",
                    project_id,
                )
            case "GET", ["v1", "cloudimages", "quota"]:
                return "quota", self._inside(lambda p, c, n: images.quota(p, n), "quota")
            case "GET", ["v1", "cloudimages", "os_version"]:
                return "os_version", self._inside(lambda p, c, n: images.os_versions(c), "os_version")
            case "POST", ["v1.0", project_id, "kms", "describe-key"]:
                return "key", self._inside(lambda p, c, n: _key(c, self.settings), "key", project_id)
            case "GET", [""]:
                return "versions", lambda c, n: native.versions(c)
            case "GET", [version] if version in native.VERSIONS:
                return "versions", lambda c, n: native.versions(c, version)
            case "GET", ["v3"]:
                return "versions", self.identity.version
            case "POST", ["v3", "auth", "tokens"]:
                return "token", self.identity.token
            case "POST", ["v3.0", "OS-CREDENTIAL", "securitytokens"]:
                return "token", self.identity.temporary_key
            case "GET", ["v3", "projects"] | ["v3", "auth", "projects"]:
                return "projects", self.identity.projects
            case "PUT", ["meta-data", "latest", "api", "token"]:
                return "metadata", self.identity.metadata_session
            case "GET", ["openstack", "latest", "securitykey"]:
                return "metadata", self.identity.metadata_key
            case _, ["v1" | "v2" | "v2.1" | "v3" | "v3.0" | "meta-data" | "openstack", *_]:
                return "unknown", _unknown
        return self._storage(call)

    def _storage(self, call: Call) -> tuple[str, Handler]:
        kind = "object" if objects.resource(call)[1] else "bucket"
        return kind, lambda c, n: objects.answer(self.store, self.guard, c, n)

    def _inside(
        self, act: Callable[[Project, Call, Moment], Reply], kind: str, project_id: str | None = None
    ) -> Handler:
        """Let the caller into a project first; `project_id` is the one that the path names."""

        def handle(call: Call, now: Moment) -> Reply:
            caller = self.guard.caller(call, now)
            if not isinstance(caller, Caller):
                return caller
            if kind in self.settings.forbidden:
                return gateway_error("APIGW.0302")
            if project_id is not None and project_id != caller.project_id:
                return ims_error("IMG.0030")
            return act(self.project(caller.project_id), call, now)

        return handle

    # --- The calls that it is all about ---

    def _import(self, project: Project, call: Call, now: Moment, *, read: ReadImport) -> Reply:
        broken = ""
        try:
            asked = read(call.body, self.settings)
            try:
                check_object(
                    asked,
                    self.guard.region_of(project.id),
                    self.store.bucket,
                    self.store.object,
                    listed=self.store.listed(asked.bucket, asked.key),
                )
            except Invalid as unfit:
                if self.settings.check_objects == "submit":
                    raise
                broken = unfit.code
        except Invalid as refused:
            return ims_error(refused.code, refused.text)
        if self.settings.unique_names and any(r.status(now) for r in project.by_name.get(asked.name, ())):
            return ims_error("IMG.0009")
        if 0 <= self.settings.quota <= project.used(now):
            return ims_error("IMG.0015")
        if project.job_limit_reached(now):
            return ims_error("IMG.0060")
        found = self.store.object(asked.bucket, asked.key)
        if (system := recognised(asked, found)) is not None:
            version, os_type, platform = system
            asked = dataclasses.replace(asked, os_version=version, os_type=os_type, platform=platform)
        job, line = project.accept(asked, found.size, now, broken or too_small(asked, found))
        self.accepted.setdefault(asked.name, []).append(line)
        self._taken = job.id
        return ok({"job_id": job.id})

    def _job(self, project: Project, job_id: str, now: Moment) -> Reply:
        if (task := self.after.tasks.get(job_id)) is not None:
            return ok(task.body(now))
        job = project.jobs.get(job_id)
        return ims_error("IMG.0023") if job is None else ok(job_body(job, now, self.settings))


_KEY_STATES = {"enabled": "2", "disabled": "3"}


def _key(call: Call, settings: Settings) -> Reply:
    """What a KMS key is like (KMS API reference, "Querying the Information About a CMK")."""
    try:
        key_id = str(json.loads(call.body)["key_id"])
    except (ValueError, KeyError, TypeError):
        return ims_error("IMG.0001")
    state = _KEY_STATES.get(settings.kms_keys.get(key_id, "enabled"))
    if state is None:
        return Reply(
            status=404, body=b'{"error":{"error_code":"KMS.0401","error_msg":"The CMK does not exist."}}'
        )
    return ok({"key_info": {"key_id": key_id, "key_state": state}})


def _read_system(body: bytes, settings: Settings) -> ImportRequest:
    return read_normal(body, settings, data=False)


def _read_data(body: bytes, settings: Settings) -> ImportRequest:
    return read_normal(body, settings, data=True)


def _unknown(call: Call, now: Moment) -> Reply:
    return gateway_error("APIGW.0101")


def _all_tags(project: Project, call: Call, now: Moment) -> Reply:
    every = tags.project_tags(project, now)
    return ok({"tags": [{"key": key, "values": values} for key, values in every.items()]})


def _all_tags_old(project: Project, call: Call, now: Moment) -> Reply:
    try:
        every = tags.project_tags(project, now, filters(project, call, now))
    except ValueError:
        return ims_error("IMG.0001")
    return ok({"tags": [f"{key}.{value}" for key, values in every.items() for value in values]})
