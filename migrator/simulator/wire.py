"""What goes over the wire, as values: a call in, a reply out, and every shape of body that an error may have.

Shapes: IMS API reference, "Returned Values"; API gateway, "Error Codes"; IAM API reference, "Status Codes";
OBS API reference, "Error Responses".
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from html import escape
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from migrator.domain.units import Moment
from migrator.ims.error_codes import CODES

JSON_TYPE = {"Content-Type": "application/json"}
encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Call(Struct, frozen=True, kw_only=True):
    """One HTTP request as it arrived."""

    method: str
    host: str
    """The Host header."""

    path: str
    """Decoded."""

    raw_path: str = ""
    """As sent, without the query; OBS signs this one. Empty means the same as `path`."""

    query: tuple[tuple[str, str], ...] = ()
    """Decoded pairs, in the order sent."""

    headers: Mapping[str, str] = {}
    """Names in lower case."""

    body: bytes = b""
    scheme: str = "https"
    """How the caller came here, for the addresses in answers."""

    def one(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


class Act(StrEnum):
    """What the transport does with a reply."""

    NONE = "none"
    RESET = "reset_before_answer"
    HANG = "hang"
    TRUNCATE = "truncate"


class Reply(Struct, frozen=True, kw_only=True):
    """One HTTP answer, and how it is to be delivered."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delay: float = 0.0
    """Simulated seconds before it leaves."""

    act: Act = Act.NONE
    code: str = ""
    """The error code in the body, for the statistics."""


def stamp(moment: Moment, digits: int = 0, *, suffix: str = "Z") -> str:
    """A moment as the services write it: "2025-01-02T03:04:05Z", with `digits` of fractions."""
    text = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text[: 19 + (digits + 1 if digits else 0)] + suffix


def ok(payload: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in JSON."""
    body = encode(payload).encode()
    return Reply(status=status, headers={**JSON_TYPE, **headers} if headers else JSON_TYPE, body=body)


def ok_json(text: str) -> Reply:
    """An answer whose JSON is there already."""
    return Reply(status=200, headers=JSON_TYPE, body=text.encode())


def empty(status: int = 204) -> Reply:
    return Reply(status=status)


def message_of(code: str) -> str:
    """The service's English text for a code; a plain one where none is known."""
    row = CODES.get(code)
    return row.message if row else "The operation failed."


def ims_error(code: str, text: str = "") -> Reply:
    """An error of the image service itself; 400 for a code that nobody documented a status for."""
    status = CODES[code].status if code in CODES else 400
    return replace(ok({"error": {"message": text or message_of(code), "code": code}}, status), code=code)


def gateway_error(code: str, text: str = "", *, status: int | None = None, message: str = "") -> Reply:
    """An error of the gateway in front; `text` follows the documented message, or `message` itself."""
    message = message or message_of(code).rstrip(".")
    body = {"error_msg": f"{message}: {text}" if text else message, "error_code": code, "request_id": ""}
    return replace(ok(body, status or CODES[code].status), code=code)


def iam_error(status: int, message: str, title: str) -> Reply:
    """An error of the identity service in its old shape, with an integer for a code."""
    body = {"error": {"code": status, "message": message, "title": title}}
    return replace(ok(body, status), code=f"IAM {status}")


def iam_new_error(code: str, text: str = "") -> Reply:
    """An error of the identity service in its new shape."""
    row = CODES[code]
    return replace(ok({"error_msg": text or row.message, "error_code": code}, row.status), code=code)


def obs_error(status: int, code: str, message: str, *, method: str) -> Reply:
    """An error of the object storage: XML, or no body at all for HEAD."""
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        "<RequestId>0000018A2F2E4D0A</RequestId><HostId>simulator</HostId></Error>"
    )
    body = b"" if method == "HEAD" else xml.encode()
    return Reply(status=status, headers={"Content-Type": "application/xml"}, body=body, code=code)


def html_page(status: int, title: str) -> Reply:
    """What a proxy on the way says."""
    body = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>openresty</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Reply(
        status=status, headers={"Content-Type": "text/html"}, body=body.encode(), code=f"HTML {status}"
    )
