"""The manual's pages about what a service answers and what a journal holds, made from their tables."""

import ast
import inspect
import textwrap
from collections.abc import Iterator

import msgspec

from migrator.ims.error_codes import _STATUSES, CODES, Certainty, ErrorCode
from migrator.workflow.events import EVENTS, Event

_CERTAIN = {
    Certainty.NEVER_HAPPENED: "Nothing was started. It is asked for again by itself.",
    Certainty.MAY_HAVE_HAPPENED: "It is looked for in the cloud before it is asked for again.",
    Certainty.NEVER_WILL: "Nothing was started. The image fails; correct it, then `--retry-failed`.",
    Certainty.STOP_EVERYBODY: "Nothing was started. The target stops until a person has acted.",
}


def error_codes() -> str:
    """Every code of the service, as Markdown."""
    certain = "".join(f"| {kind.value} | {says} |\n" for kind, says in _CERTAIN.items())
    codes = "".join(_code(f"`{code.code}`", str(code.status), of=code) for code in CODES.values())
    statuses = "".join(_code(str(status), of=_STATUSES[status]) for status in sorted(_STATUSES))
    return f"""\
# Error codes

Made from `migrator/ims/error_codes.py`: what the service may answer to an import, how certain that leaves
us, whose move it is, and what to do. The reports show code, text and remedy beside each failed image.

| certainty | what follows |
|---|---|
{certain}
A 5xx says that something broke midway, so an import may have happened, whatever the code. A code that means
"too many" is a throttle whatever its status. An `IMG` code that is not listed is a refusal, and its text is
shown. Where there is no code, or none that is known, the HTTP status decides.

## By code

| code | HTTP | the service says | certainty | whose move | what to do |
|---|---|---|---|---|---|
{codes}
## By HTTP status alone

| status | it says | certainty | whose move | what to do |
|---|---|---|---|---|
{statuses}"""


def _code(*first: str, of: ErrorCode) -> str:
    cells = (*first, of.message, of.certainty.value, of.owner, of.remedy)
    return f"| {' | '.join(map(_escaped, cells))} |\n"


def events() -> str:
    """Every event of the journal, as Markdown."""
    parts = "".join(_event(kind) for kind in sorted(EVENTS, key=lambda kind: kind.__name__))
    return f"""\
# Events

Made from `migrator/workflow/events.py`: every fact that a journal may hold. `migrator run PLAN --json` writes
each as one line of JSON once it would survive a power cut, with `event` for its name; `migrator schema
events` prints the JSON Schema of these lines. `at` is UTC, in seconds since 1970; `key` is the image,
`TARGET/NAME`. What is as usual is left out. An event is never changed and never taken back; what an image's
events add up to is its status.

| event | what happened | what it holds |
|---|---|---|
{parts}"""


def _event(kind: type[Event]) -> str:
    said = _said_of_fields(kind)
    held = "; ".join(
        f"`{item.name}`{f': {said[item.name]}' if said.get(item.name) else ''}"
        for item in msgspec.structs.fields(kind)
        if item.name != "at"
    )
    what = " ".join((inspect.getdoc(kind) or "").split())
    return f"| `{kind.__name__}` | {_escaped(what)} | {_escaped(held)} |\n"


def _said_of_fields(kind: type[Event]) -> dict[str, str]:
    """The sentence under each field, of the class and of those that it builds on."""
    found: dict[str, str] = {}
    for part in kind.__mro__:
        if not issubclass(part, Event):
            break
        found |= dict(_sentences(part))
    return found


def _sentences(kind: type) -> Iterator[tuple[str, str]]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    for before, after in zip(body.body, body.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(inspect.cleandoc(text).split()).rstrip(".")


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;").replace(">", "&gt;")
