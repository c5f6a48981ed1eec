"""What the answers of all services have in common: error bodies and waiting times.

Nothing in a body is trusted: it may be huge, not UTF-8, nested without end, or a proxy's page, and repeat
our own secrets. Whatever it is, the readers give a value or one of our errors, and every text of theirs went
through `SECRETS`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import convert
from msgspec.json import decode
from msgspec.structs import replace

from migrator.domain.cloud import Fault, RateHint
from migrator.domain.errors import (
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.http import Response
from migrator.domain.secrets import SECRETS
from migrator.domain.units import Moment
from migrator.ims import error_codes
from migrator.ims.error_codes import Certainty, ErrorCode

T = TypeVar("T")

TEXT = 500
"""Characters of a service's message that are kept."""

_READ = 64 * 1024
"""Bytes of an error body that are looked at."""

_LARGE = 1e18
_DAY = 86400.0
MOST_WAIT = 600.0
"""Seconds that anybody is waited for at once, whatever an answer asks: one header must not stall a run."""
_DEEP = 6
"""How far inside an error body a code and its message may hide."""

_PAIRS = (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message"))
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_AK = re.compile(
    r"\b((?i:ak\s*[:=]\s*|access=))(\w{4})\w+(\w\w)\b"
    r"|\b((?i:ak|access[ _-]?key(?:[ _-]?id)?)[\s\"':=]+)([A-Z0-9]{4})[A-Z0-9]{6,}([A-Z0-9]{2})\b"
)
_SECRET = re.compile(
    r"(?i)\b((?:sk|signature|security-?token|auth-?token|password)\s*[:=]\s*)[^\s,;\"'}]{8,}"
)
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_LIMIT = re.compile(r"limit:\s*(\d{1,9}),\s*time:\s*(\d{1,6})?\s*(second|minute|hour|day)", re.IGNORECASE)
_REMAIN = re.compile(r"remain:\s*(\d{1,9})", re.IGNORECASE)
_THRESHOLD = re.compile(r"(\d{1,9}) times per (\d{1,6}) ?(second|minute|hour)", re.IGNORECASE)


def text(value: object, limit: int = TEXT) -> str:
    """`value` if it is a string, else "": on one line, without invisible characters or secrets, shortened."""
    if not isinstance(value, str):
        return ""
    plain = value[: 4 * limit]
    if not (plain.isascii() and plain.isprintable()):
        plain = _HIDDEN.sub(" ", plain)
    plain = SECRETS.masked(plain.strip())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def document(body: bytes) -> object:
    """The JSON value that `body` holds; None when it holds none (or null)."""
    return shaped(body, Any)


def shaped(body: bytes, kind: type[T]) -> T | None:
    """The JSON value that `body` holds, as a `kind`; None when it holds none, or of another shape.

    Members that `kind` does not name are passed over without making anything of them.
    """
    try:
        return decode(body, type=kind)
    except (ValueError, RecursionError):
        pass  # half a character, or a byte order mark: Python's own reader is slower, and takes more
    try:
        return convert(json.loads(body), kind)
    except (ValueError, RecursionError):  # not UTF-8 and numbers of absurd length are ValueErrors as well
        return None


def members(value: object) -> Mapping[str, object]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def number(value: object) -> float | None:
    """A finite number, written as one or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < _LARGE else None


def whole(value: object) -> int | None:
    """A whole number, written as one or as text; None for anything else."""
    if type(value) is int and -_LARGE < value < _LARGE:
        return value
    found = number(value)
    return None if found is None else int(found)


def moment(value: object) -> Moment | None:
    """A UTC time in one of the service's two spellings; None for anything else, never an error.

    "2025-01-02T03:05:11.204Z" is current, "04-Jun-2015 18:11:06:586" is that of old samples (IMS API
    reference, "Querying the Status of an Asynchronous Job").
    """
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
        for shape in ("%d-%b-%Y %H:%M:%S:%f", "%d-%b-%Y %H:%M:%S"):
            try:
                found = datetime.strptime(value, shape).replace(tzinfo=UTC)
                break
            except ValueError:
                continue
    if found is None:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


# --- Errors ---------------------------------------------------------------------------------------------


def read_fault(response: Response) -> Fault:
    """What an answer says went wrong, from any of the shapes that the services and their gateway use.

    `{"error": {"code", "message"}}` (IMS, IAM), `{"error_code", "error_msg"}` (gateway, IAM),
    `{"errorCode", "errorMsg"}`, `{"code", "message"}`, any object that holds such a pair, OBS's XML, and
    plain text or a proxy's page. The remedy is the code's own, or that of the status.
    """
    body = response.body
    shown = members(document(body)) if len(body) <= _READ else {}
    code, message = _code_and_message(shown) or _xml(body) or ("", "")
    if code == str(response.status):  # the identity service repeats the status where others have a code
        code = ""
    row = error_codes.judge(response.status, code)
    message = message or _plain(body) or row.message or "no explanation given"
    if not code:
        message = f"HTTP {response.status}: {message}"
    request_id = response.headers.get("x-request-id") or response.headers.get("x-obs-request-id")
    return Fault(
        message=redacted(message),
        code=code,
        remedy=row.remedy,
        request_id=text(request_id or shown.get("request_id") or shown.get("requestId"), 80),
        status=response.status,
    )


def explained(response: Response) -> bool:
    """Whether a body has an explanation of its own; one that has none would be quoted from its beginning."""
    return _code_and_message(members(document(response.body))) is not None


def _code_and_message(value: object) -> tuple[str, str] | None:
    for found in _objects(value):
        for code_name, message_name in _PAIRS:
            code, message = found.get(code_name), found.get(message_name)
            if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 1_000_000:
                code = str(code)
            if isinstance(code, str) and (code or message) and isinstance(message, str | None):
                return text(code, 60), text(message)
    return None


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """The objects inside a JSON value, outermost first."""
    level = [value]
    for _ in range(_DEEP):
        yield from (item for item in level if isinstance(item, dict))
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]


def _xml(body: bytes) -> tuple[str, str] | None:
    if b"<Error>" not in body[:_READ]:
        return None
    parts = []
    for name in (b"Code", b"Message"):
        found = re.search(rb"<%s>([^<]{0,2000})</%s>" % (name, name), body[:_READ])
        parts.append(text(found[1].decode(errors="replace")) if found else "")
    return (parts[0], parts[1]) if parts[0] else None


def _plain(body: bytes) -> str:
    """What a body without a message of its own says: of a page its title, of JSON its texts, or itself."""
    begin = body[:_READ].decode(errors="replace")
    if _PAGE.search(begin[:2000]):
        title = _TITLE.search(begin)
        from html import unescape  # brings a table of two thousand names, for what seldom comes

        said = " ".join(unescape(_TAG.sub(" ", title[2] if title else begin)).split())[:_TITLE_SHOWN]
        return text(f"a web page, {said}" if said else "a web page without text")
    found = document(body) if len(body) <= _READ else None
    members_of = (each.items() for each in _objects(found))
    pairs = [
        f"{name}: {value}" for each in members_of for name, value in each if isinstance(value, str | int)
    ]
    return text(", ".join(pairs) or body[: 4 * TEXT].decode(errors="replace"))


_PAGE = re.compile(r"<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1|h2)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>?", re.IGNORECASE | re.DOTALL)
_TITLE_SHOWN = 120


def redacted(message: str) -> str:
    """`message` without what looks like a secret by the words around it, though it is none of ours."""
    return _SECRET.sub(r"\1…", _AK.sub(_short_key, message))


def _short_key(found: re.Match[str]) -> str:
    before, first, last = (part for part in found.groups() if part is not None)
    return f"{before}{first}…{last}"


# --- Waiting --------------------------------------------------------------------------------------------


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks us to wait (RFC 9110, 10.2.3), at most MOST_WAIT; None when it does not
    say.

    A date is measured against the answer's own Date, so that a wrong clock on this side does no harm.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MOST_WAIT)
    try:
        waiting = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(waiting.total_seconds(), 0.0), MOST_WAIT)


def rate_hint(headers: Mapping[str, str]) -> RateHint | None:
    """What `X-Apig-Ratelimit-Api: remain:92,limit:100,time:1 minute` says (API gateway guide), or None."""
    shown = ",".join([value for name, value in headers.items() if name.startswith("x-apig-ratelimit")])
    return _hint(shown[:1000]) if shown else None


def text_hint(message: str) -> RateHint | None:
    """What a throttle's text says: "limit:10,time:1 minute" or "Threshold: 10 times per 60 seconds"."""
    return _hint(message) or _hint(_THRESHOLD.sub(r"limit:\1,time:\2 \3", message))


@lru_cache(maxsize=1024)  # the same few stand in every answer
def _hint(shown: str) -> RateHint | None:
    hints = [
        RateHint(limit=int(limit), period=int(count or 1) * _UNITS[unit.lower()])
        for limit, count, unit in _LIMIT.findall(shown)
        if int(limit) and int(count or 1)
    ]
    if not hints:
        return None
    tightest = min(hints, key=lambda hint: hint.limit / hint.period)
    remain = _REMAIN.search(shown)
    return replace(tightest, remain=int(remain[1])) if remain else tightest


def optional_text(value: object) -> str | None:
    """Text as it is, but for secrets and what no file could hold: names are compared, so they are not
    shortened."""
    if not isinstance(value, str) or not value:
        return None
    return SECRETS.masked(value if value.isascii() else value.encode(errors="replace").decode())


_IDENTIFIER = re.compile(r"[A-Za-z0-9][\w.\-]{0,127}", re.ASCII)


def identifier(value: str) -> bool:
    """Whether a text may be the id of a job or an image; one of our secrets is none."""
    return _IDENTIFIER.fullmatch(value) is not None and SECRETS.masked(value) == value


def checked(name: str) -> str:
    """An id that stays one segment of a path. Raises RejectedError for anything else."""
    if _IDENTIFIER.fullmatch(name):
        return name
    remedy = "This id cannot be the service's own; see whether the journal was edited."
    raise RejectedError(Fault(code="MIG.id", message=f"not an id: {text(name, 80)!r}", remedy=remedy))


def listed_objects(value: object) -> Iterator[Mapping[str, object]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


# --- From answers to our errors ---------------------------------------------------------------------------


def failure(response: Response, *, submit: bool = False) -> Exception:
    """The error of an answer that is not what was asked for.

    For a question, a passing failure is RetryableError. For a submission, everything that may have happened
    is OutcomeUnknown, and only what surely did not is RetryableError.
    """
    fault = read_fault(response)
    row = error_codes.judge(response.status, fault.code)
    hint = text_hint(fault.message) if row.throttle else None
    return error_of(row, fault, wait=retry_after(response.headers), hint=hint, submit=submit)


def error_of(
    row: ErrorCode,
    fault: Fault,
    *,
    wait: float | None = None,
    hint: RateHint | None = None,
    submit: bool = False,
) -> Exception:
    """The error that a row of the code table stands for."""
    if row.quota:
        return TargetHaltedError(fault, quota=True)
    match row.certainty:
        case Certainty.NEVER_HAPPENED:
            return RetryableError(
                fault,
                retry_after=wait,
                throttled=row.throttle,
                job_limit_reached=row.job_limit_reached,
                allows=hint,
            )
        case Certainty.MAY_HAVE_HAPPENED:
            return (
                OutcomeUnknown(fault, final=row.final) if submit else RetryableError(fault, retry_after=wait)
            )
        case Certainty.NEVER_WILL:
            return NameTaken(fault) if row.name_taken else RejectedError(fault)
        case Certainty.STOP_EVERYBODY:
            return TargetHaltedError(fault)


def unreadable(response: Response, what: str, *, submit: bool = False) -> Exception:
    """The error of a 2xx in which `what` cannot be found."""
    request_id = text(response.headers.get("x-request-id"), 80)
    seen = redacted(_plain(response.body)[:120])
    fault = Fault(
        code="MIG.unreadable",
        message=f"HTTP {response.status} without {what}: {seen or 'an empty answer'}",
        remedy=error_codes.by_status(200).remedy if submit else "Nothing to do: migrator asks again.",
        request_id=request_id,
        status=response.status,
    )
    return OutcomeUnknown(fault, final=True) if submit else RetryableError(fault)
