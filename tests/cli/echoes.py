"""A cloud that repeats to everybody what it was sent, in every answer, and a search for what came through."""

import base64
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, unquote

SHORTEST = 8

WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "percent": lambda text: quote(text, safe=""),
    "cut short": lambda text: text[: max(SHORTEST, len(text) // 2)],
    "very short": lambda text: text[:SHORTEST],
}


class Echoes(ThreadingHTTPServer):
    """Answers every request with the secrets that it was told or sent, `written` in one way."""

    daemon_threads = True

    def __init__(self, secrets: set[str], written: Callable[[str], str], issued: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets = secrets
        self.written = written
        self.issued = issued
        """The token that a login gives."""

        self.always: tuple[int, object] | None = None
        """The one answer to everything; None for one after the other."""

        self.lock = threading.Lock()
        self.asked: dict[str, int] = {}
        """Requests, by what they were."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, what: str) -> int:
        with self.lock:
            self.asked[what] = self.asked.get(what, 0) + 1
            return self.asked[what] - 1

    def all_of_it(self) -> str:
        return " ".join(f"{name} {self.written(one)} not exist" for name, one in self.named())

    def named(self) -> Iterator[tuple[str, str]]:
        yield from zip(("ak", "token", "key", "for", "of"), sorted(self.secrets), strict=False)

    def one(self, number: int) -> str:
        return self.written(sorted(self.secrets)[number % len(self.secrets)])


class _Handler(BaseHTTPRequestHandler):
    server: Echoes
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        path = self.path.partition("?")[0]
        if self.server.always is not None:
            self._send(*self.server.always)
        elif path.endswith("/v3/auth/tokens"):
            self._login()
        elif path.endswith("/securitytokens"):
            self._refuse(self.server.count("keys"))
        elif path.endswith("/action"):
            self._import(self.server.count("import"))
        elif "/job" in path:
            self._job(path.rpartition("/")[2])
        elif path.endswith("/cloudimages"):
            self._images(self.server.count("images"))
        elif path.endswith("/projects"):
            self._projects(self.server.count("projects"))
        else:
            self._refuse(self.server.count(path))

    def _login(self) -> None:
        number = self.server.count("login")
        if number < 2:  # what may pass is tried again
            return self._send(500, {"error": {"code": 500, "message": self.server.all_of_it()}}, token=True)
        return self._send(
            201, {"token": {"project": {"id": "0" * 32}, "said": self.server.all_of_it()}}, token=True
        )

    def _refuse(self, number: int) -> None:
        said = self.server.all_of_it()
        answers: list[tuple[int, object]] = [
            (500, {"error": {"code": "IMG.0001", "message": said}}),
            (503, f"<html>{said}</html>"),
            (200, {"unexpected": said}),
            (429, {"error_code": "APIGW.0308", "error_msg": said}),
            (404, {"message": said, "code": self.server.one(number)}),
            (403, {"error_msg": said, "error_code": "APIGW.0302"}),
        ]
        self._send(*answers[number % len(answers)])

    def _import(self, number: int) -> None:
        said = self.server.all_of_it()
        answers: list[tuple[int, object]] = [
            (500, {"error": {"code": "IMG.0001", "message": said}}),
            (502, said),
            (200, {"said": said}),
            (200, {"job_id": self.server.one(0)}),
            (400, {"error": {"code": "IMG.0057", "message": said}}),
            (400, {"error_code": self.server.one(number), "error_msg": said}),
            (200, said),
        ]
        if number % 2:
            return self._send(*answers[number // 2 % len(answers)])
        return self._send(200, {"job_id": f"job-{number}"})

    def _job(self, job: str) -> None:
        said, number = self.server.all_of_it(), self.server.count(job)
        kind = int(job.rpartition("-")[2]) // 2 % 5 if job.startswith("job-") else 0
        if number == 0:
            return self._send(
                200, {"status": self.server.one(1), "job_id": job, "entities": {"image_id": said}}
            )
        if number == 1:
            return self._send(500, {"error": {"code": said, "message": said}})
        if kind == 0:
            return self._send(
                200, {"status": "FAIL", "job_id": job, "fail_reason": said, "error_code": "IMG.0057"}
            )
        if kind == 1:
            sub = {"status": "FAIL", "fail_reason": said, "error_code": self.server.one(0)}
            return self._send(200, {"status": "FAIL", "job_id": job, "entities": {"sub_jobs_result": [sub]}})
        if kind == 2:
            wrong = {"error_code": "IMG.0061", "error_msg": said, "fail_reason": said}
            return self._send(200, {"status": "FAIL", "job_id": job, **wrong})
        if kind == 3:
            return self._send(
                200, {"status": "SUCCESS", "job_id": job, "entities": {"image_id": self.server.one(0)}}
            )
        return self._send(200, {"status": "SUCCESS", "job_id": job, "entities": {"image_id": "image-1"}})

    def _images(self, number: int) -> None:
        said = self.server.all_of_it()
        if number < 3 or number % 7 == 0:
            return self._refuse(number % 3)  # of those, none that stops everybody
        image = {
            "id": "image-1",
            "name": f"other {said}",
            "status": "active" if "id=image-1" in self.path else said,
            "tags": [f"{said}={said}", f"migrator_item={said}"],
            "__os_version": said,
            "__os_type": said,
            "min_disk": 40,
            "hw_firmware_type": said,
            "virtual_env_type": said,
            "enterprise_project_id": said,
            "__data_origin": said,
        }
        return self._send(200, {"images": [image] if "marker" not in self.path else []})

    def _projects(self, number: int) -> None:
        project = {"id": "0" * 32, "name": "cn-north-4", "description": self.server.all_of_it()}
        if number == 0:
            return self._send(500, {"error": {"code": 500, "message": self.server.all_of_it()}})
        return self._send(200, {"projects": [project]})

    def _send(self, status: int, body: object, *, token: bool = False) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status, "OK")
        said = re.sub("[^ -~]", "?", self.server.all_of_it())
        self.send_header("X-Request-Id", said[:200])
        self.send_header("X-Obs-Bucket-Location", said[:100])
        self.send_header("X-Obs-Storage-Class", said[:100])
        self.send_header("ETag", said[:100])
        if token:
            self.send_header("X-Subject-Token", self.server.issued)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


@contextmanager
def echoing(secrets: set[str], written: Callable[[str], str], issued: str) -> Iterator[Echoes]:
    server = Echoes(secrets, written, issued)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- The search -----------------------------------------------------------------------------------------


def betrayed(text: str, secrets: set[str]) -> set[str]:
    """The secrets of which at least a beginning can be read in a text, however it was written."""
    readings = {text, unescape(text), unquote(text), unquote(unescape(text)), text.replace("\\/", "/")}
    readings.add(re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text))
    found = set()
    for secret in secrets:
        forms = {secret[:SHORTEST]}
        for before in (b"", b"x", b"xx"):
            whole = base64.b64encode(before + secret[:SHORTEST].encode()).decode()
            forms.add(whole[-(-4 * len(before) // 3) : 4 * (len(before) + SHORTEST) // 3])
        if any(form in reading for form in forms for reading in readings):
            found.add(secret)
    return found


def betrayed_in(folder: Path, streams: dict[str, str], secrets: set[str]) -> dict[str, set[str]]:
    """The same for every file below a folder, and for what was said."""
    texts = dict(streams)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".toml":
            raw = path.read_bytes()
            name = str(path.relative_to(folder))
            texts[name] = raw.decode("utf-8", "replace")
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(BytesIO(raw)) as book:
                    texts |= {f"{name}/{part}": book.read(part).decode() for part in book.namelist()}
    return {name: found for name, text in texts.items() if (found := betrayed(text, secrets))}
