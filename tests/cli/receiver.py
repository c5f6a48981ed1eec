"""A real receiver of webhooks, which checks what it gets."""

import hmac
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

KEY = "a-signing-secret-of-ours"
TOKEN = "T0kenOfTheAddress-123456789"


class Receiver(ThreadingHTTPServer):
    """Takes webhooks, answers as it is told to, and keeps what was signed well."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.took: list[dict[str, Any]] = []
        self.arrived: list[str] = []
        self.status = 204
        self.slow = 0.0
        self.answers = threading.Event()
        self.answers.set()

    @property
    def env(self) -> dict[str, str]:
        return {"OPS_URL": f"http://127.0.0.1:{self.server_address[1]}/hook/{TOKEN}", "OPS_KEY": KEY}

    @property
    def told(self) -> list[str]:
        return [one["event"] for one in self.took]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        id_, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        right = hmac.digest(KEY.encode(), f"{id_}.{at}.".encode() + body, "sha256")
        good = self.headers["webhook-signature"] == f"v1,{b64encode(right).decode()}"
        self.server.arrived.append(id_)
        self.server.answers.wait(20)
        time.sleep(self.server.slow)
        if good and self.path == f"/hook/{TOKEN}" and self.server.status == 204:
            self.server.took.append(json.loads(body))
        self.send_response(self.server.status if good else 401)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.answers.set()
        server.shutdown()
        thread.join()
