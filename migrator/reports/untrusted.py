"""Text that others chose: names of a plan, messages of the service, made fit to be shown."""

import re

from msgspec.structs import replace

from migrator.domain.cloud import Fault

_HIDDEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_BLANK = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029 ]+")


def one_line(text: str) -> str:
    """The text without line breaks, control characters, lone surrogates, or marks that turn its direction."""
    if text.isprintable():
        return text
    return _BLANK.sub(" ", _HIDDEN.sub("", text)).strip()


def plain(fault: Fault) -> Fault:
    """The fault with each of its texts on one line."""
    message, code, remedy, request_id = fault.message, fault.code, fault.remedy, fault.request_id
    if message.isprintable() and code.isprintable() and remedy.isprintable() and request_id.isprintable():
        return fault  # most are, and a large report has a hundred thousand of them
    return replace(
        fault,
        message=one_line(message),
        code=one_line(code),
        remedy=one_line(remedy),
        request_id=one_line(request_id),
    )


def spelled_out(text: str, encoding: str = "utf-8") -> str:
    """Untrusted text on one line: what would act, hide or not be writable is spelled out."""
    if not text.isprintable():
        text = "".join(
            one if one.isprintable() else " " if one.isspace() and one not in _BREAKS else _spelled(one)
            for one in text
        )
    return text.encode(encoding, "backslashreplace").decode(encoding)


_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"


def _spelled(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode()
        if character > "\x7f"
        else (repr(character)[1:-1])
    )
