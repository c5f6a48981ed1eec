"""Somebody who calls the stand-in in process, with a token in hand."""

import json
from typing import Any

from migrator.simulator.settings import Settings
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Call, Reply

NOON = 1_735_819_445.0
"""2025-01-02T12:04:05Z."""

PROJECT = "0123456789abcdef0123456789abcdef"


class Caller:
    """Calls one simulator; `now` moves only when a test moves it."""

    def __init__(self, **settings: Any) -> None:
        self.simulator = Simulator(Settings(**settings), now=NOON)
        self.now = NOON
        self.token, _ = self.simulator.guard.new_token("cn-north-4", PROJECT, NOON)

    def call(
        self, method: str, path: str, *query: tuple[str, str], body: Any = None, **headers: str
    ) -> Reply:
        sent = {"x-auth-token": self.token, "host": "127.0.0.1"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.simulator.answer(
            Call(
                method=method,
                host=sent["host"],
                path=path,
                query=query,
                headers=sent,
                body=body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
            ),
            self.now,
        )

    def get(self, path: str, *query: tuple[str, str]) -> Any:
        reply = self.call("GET", path, *query)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def submit(self, name: str = "web-01", **fields: Any) -> Reply:
        return self.call("POST", "/v2/cloudimages/quickimport/action", body=wish(name, **fields))

    def job_id(self, name: str = "web-01", **fields: Any) -> str:
        reply = self.submit(name, **fields)
        assert reply.status == 200, reply.body
        return str(json.loads(reply.body)["job_id"])

    def job(self, job_id: str) -> Any:
        return self.get(f"/v1/cloudimages/job/{job_id}")

    def names(self, *query: tuple[str, str]) -> list[str]:
        return [image["name"] for image in self.get("/v2/cloudimages", *query)["images"]]


def wish(name: str = "web-01", **fields: Any) -> dict[str, Any]:
    """The body of a plain import; a field of None is left out."""
    body = {
        "name": name,
        "os_version": "CentOS 7.6 64bit",
        "image_url": "mig-bucket:images/web-01.zvhd2",
        "min_disk": 40,
        **fields,
    }
    return {key: value for key, value in body.items() if value is not None}


def error(reply: Reply) -> str:
    """The code in an error's body, whichever shape it has."""
    body = json.loads(reply.body)
    return str(body.get("error_code") or body["error"]["code"])
