"""A cloud that answers as told, request by request, and keeps a ledger of its own.

It shares nothing with the program or its simulator: what was imported, and how often, is judged here. Time
runs `speed` times as fast for it as for the wall clock, as it does for the program that is told so. Without a
script it is a plain image service: it accepts, its jobs take a while, and finished images carry what was
asked for.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

Json = dict[str, Any]


@dataclass(kw_only=True)
class Job:
    """One accepted import."""

    id: str
    image_id: str
    asked: Json
    accepted: float
    """When, in seconds of this cloud's time; late acceptance lies in the future."""

    ends: float
    state: str = "SUCCESS"
    """What it ends in."""

    says: Json = field(default_factory=dict)
    """What its answers say beside, or instead."""

    image: Json = field(default_factory=dict)
    """What its image says instead; None takes an attribute away."""

    listed: float = 0.0
    """Seconds after acceptance until lists show it; inf for not before it ended."""

    @property
    def name(self) -> str:
        return str(self.asked["name"])


@dataclass(kw_only=True)
class Asked:
    """One request as it came in."""

    kind: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json
    at: float
    number: int
    """0 is the first of its kind."""

    name: str = ""
    """Of the image, for an import."""


@dataclass(kw_only=True)
class Answer:
    """What to say; `drop` says nothing and closes the connection."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    raw: bytes | None = None


Script = Callable[[Asked], Answer | None]
"""None leaves it to the plain service."""


class Adversary:
    """The cloud, in a thread of its own."""

    def __init__(self, *, speed: float = 1.0, job_seconds: float = 60.0) -> None:
        self.speed = speed
        self.anchor = time.time()
        self.job_seconds = job_seconds
        self.jobs: dict[str, Job] = {}
        self.asked: list[Asked] = []
        self.scripts: dict[str, Script] = {}
        self.lists_hide = False
        """Whether running imports show in no list."""

        self.url = ""
        self._numbers: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    # --- What a test says and asks ---

    def on(self, kind: str, script: Script) -> None:
        """Let `script` answer every request of a kind: "import", "job", "list", "quota", "object", "iam"."""
        self.scripts[kind] = script

    def now(self) -> float:
        return self.anchor + (time.time() - self.anchor) * self.speed

    def accept(self, asked: Json, *, after: float = 0.0, **about: Any) -> Job:
        """Take an import in, `after` seconds from now, and remember it for ever."""
        number = len(self.jobs) + 1
        at = self.now() + after
        job = Job(
            id=f"job{number:029d}",
            image_id=f"{number:08d}-0000-4000-8000-000000000000",
            asked=asked,
            accepted=at,
            ends=at + self.job_seconds,
        )
        for name, value in about.items():
            setattr(job, name, value)
        self.jobs[job.id] = job
        return job

    @property
    def accepted(self) -> dict[str, int]:
        """Imports by image name: the bill."""
        now = self.now()
        return dict(Counter(job.name for job in self.jobs.values() if job.accepted <= now))

    def count(self, kind: str) -> int:
        return self._numbers[kind]

    # --- Serving ---

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind = _kind(request.method, request.path)
        body: Json = {}
        with suppress(ValueError):
            body = json.loads(await request.read() or b"{}")
        number = self._numbers[kind]
        self._numbers[kind] += 1
        asked = Asked(
            kind=kind,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=dict(request.headers),
            body=body,
            at=self.now(),
            number=number,
            name=str(body.get("name", "")),
        )
        self.asked.append(asked)
        script = self.scripts.get(kind)
        answer = script(asked) if script is not None else None
        if answer is None:
            answer = self.plain(asked)
        if answer.drop:
            assert request.transport is not None
            request.transport.close()
        headers = {"Content-Type": "application/json", **answer.headers}
        data = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
        return web.Response(status=answer.status, body=data, headers=headers)

    # --- The plain service ---

    def plain(self, asked: Asked) -> Answer:
        """What an image service without malice answers."""
        match asked.kind:
            case "import":
                return Answer(body={"job_id": self.accept(asked.body).id})
            case "job":
                return self.tell(asked.path.rsplit("/", 1)[1])
            case "list":
                return Answer(body={"images": self.listed(asked.query)})
            case "quota":
                row = {"type": "image", "used": 0, "quota": 1000, "min": 0, "max": 1000}
                return Answer(body={"quotas": {"resources": [row]}})
            case _:
                return Answer(status=404, body={"error": {"code": "IMG.0000", "message": "no such thing"}})

    def tell(self, job_id: str) -> Answer:
        """How a job does."""
        job = self.jobs.get(job_id)
        if job is None:
            return Answer(status=400, body={"error": {"code": "IMG.0031", "message": "no such job"}})
        over = self.now() >= job.ends
        body: Json = {"job_id": job.id, "status": job.state if over else "RUNNING", "entities": {}}
        if over and job.state == "SUCCESS":
            body["entities"] = {"image_id": job.image_id}
        return Answer(body=body | (job.says if over else {}))

    def listed(self, query: dict[str, str]) -> list[Json]:
        """Images that a list shows."""
        now = self.now()
        shown = []
        for job in sorted(self.jobs.values(), key=lambda job: job.accepted):
            over = now >= job.ends
            hidden = job.listed == float("inf") or self.lists_hide
            if job.accepted > now or (not over and (hidden or now < job.accepted + job.listed)):
                continue
            if over and job.state != "SUCCESS" and not job.image:
                continue
            shown.append(self._image(job, over=over))
        if "marker" in query:
            ids = [image["id"] for image in shown]
            shown = shown[ids.index(query["marker"]) + 1 :] if query["marker"] in ids else []
        return [image for image in shown if _fits(image, query)]

    def _image(self, job: Job, *, over: bool) -> Json:
        asked = job.asked
        tags = [f"{tag['key']}={tag['value']}" for tag in asked.get("image_tags", [])]
        tags += [tag.replace(".", "=", 1) for tag in asked.get("tags", [])]
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(job.accepted))
        image = {
            "id": job.image_id,
            "name": asked["name"],
            "status": "active" if over else "saving",
            "tags": tags,
            "created_at": moment,
            "min_disk": asked["min_disk"],
            "virtual_env_type": "FusionCompute",
            "__os_version": asked.get("os_version", ""),
            "__os_type": "Linux",
            "__image_size": "5000000000",
            "__description": asked.get("description", ""),
            "enterprise_project_id": asked.get("enterprise_project_id", "0"),
            "__data_origin": f"file,{asked['image_url']}",
        }
        if asked.get("hw_firmware_type"):
            image["hw_firmware_type"] = asked["hw_firmware_type"]
        if over:
            image |= job.image
        return {name: value for name, value in image.items() if value is not None}


def _fits(image: Json, query: dict[str, str]) -> bool:
    return (
        ("id" not in query or image["id"] == query["id"])
        and ("name" not in query or image.get("name") == query["name"])
        and ("tag" not in query or query["tag"] in image.get("tags", []))
    )


def _kind(method: str, path: str) -> str:
    if method == "POST" and path == "/v2/cloudimages/quickimport/action":
        return "import"
    if "/job/" in path or "/jobs/" in path:
        return "job"
    if path == "/v2/cloudimages":
        return "list"
    if path.endswith("/quota"):
        return "quota"
    return "iam" if path.startswith("/v3") else "object"


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error as the service writes it."""
    return Answer(status=status, body={"error": {"code": code, "message": message}}, headers=headers)
