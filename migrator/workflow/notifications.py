"""What somebody is told: ids, the message as it is sent, its JSON Schema, and what is still owed."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from inspect import cleandoc
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Encoder, schema_components

from migrator.domain.notify import Level, Message, NotifyOn, Receiver
from migrator.domain.secrets import SECRETS
from migrator.domain.text import visible
from migrator.workflow.events import Counts, NotificationOwed
from migrator.workflow.ledger import Ledger

SCHEMA = "migrator.notification/1"

TEST = "test"
"""What a notification of `migrator notify PLAN --test` is about."""

_encode = Encoder().encode


def _means(text: str) -> Meta:
    return Meta(description=text)


class Body(Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """What a webhook gets by POST and a command on stdin.

    Later versions of the same schema may add members, so pass over what you do not know.
    """

    schema_: str = SCHEMA
    id: Annotated[str, _means("The same however often it is sent: whoever has seen it knows it already.")]
    event: Annotated[str, _means("What happened; test is for `migrator notify PLAN --test`.")]
    level: Annotated[Level, _means("How bad it is.")]
    at: Annotated[str, _means("When it happened: ISO 8601, UTC.")]
    plan: Annotated[str, _means("Name of the plan.")]
    run: Annotated[str, _means("Id of the run; empty for a test.")]
    text: Annotated[str, _means("What there is to say, for a person.")]
    wave: Annotated[str | None, _means("The wave that is finished.")]
    counts: Annotated[
        Counts, _means("Of all images of the plan; of those of the wave, where it is about one.")
    ]
    images: Annotated[
        tuple[str, ...], _means("Keys (TARGET/NAME) of images it is about, or the first of them.")
    ]
    more_images: Annotated[int, _means("How many further images it is about.")]
    exit_code: Annotated[int | None, _means("Of a run that ended.")]


def notification_id(journal: str, on: NotifyOn, subject: str, receiver: str) -> str:
    """The id of what one receiver is told of one thing; the same whoever works it out.

    `journal` is the id of the journal's first run; `subject` tells this from others of the same kind.
    """
    text = f"{journal}\0{on.value}\0{subject}\0{receiver}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def level_of(owed: NotificationOwed) -> Level:
    """How bad it is."""
    match owed.on:
        case NotifyOn.BEGIN:
            return Level.INFO
        case NotifyOn.WAVE:
            return Level.WARNING if owed.counts.failed else Level.SUCCESS
        case NotifyOn.STALLED | NotifyOn.HELD:
            return Level.WARNING
        case NotifyOn.FAILED_THRESHOLD:
            return Level.FAILURE
        case NotifyOn.END:
            if owed.exit_code in (1, 5, 6):
                return Level.FAILURE
            return Level.WARNING if owed.exit_code else Level.SUCCESS


_TITLES = {
    NotifyOn.BEGIN: "run began",
    NotifyOn.FAILED_THRESHOLD: "too many images failed",
    NotifyOn.STALLED: "stalled",
    NotifyOn.HELD: "images wait for a person",
    NotifyOn.END: "run ended",
}


def message(owed: NotificationOwed, plan: str) -> Message:
    """What is sent: without secrets, and each text on one line."""
    title = f"wave {owed.wave} is finished" if owed.on is NotifyOn.WAVE else _TITLES[owed.on]
    return _message(
        Body(
            id=owed.id,
            event=owed.on.value,
            level=level_of(owed),
            at=_iso(owed.at),
            plan=plan,
            run=owed.run,
            text=_clean(owed.text),
            wave=owed.wave or None,
            counts=owed.counts,
            images=tuple(map(_clean, owed.images)),
            more_images=owed.more,
            exit_code=owed.exit_code,
        ),
        title,
    )


def message_of_test(plan: str, receiver: str, at: float, images: int) -> Message:
    """What a person sends to find out whether a receiver can be reached."""
    return _message(
        Body(
            id=hashlib.sha256(f"{plan}\0{receiver}\0{at}".encode()).hexdigest()[:32],
            event=TEST,
            level=Level.INFO,
            at=_iso(at),
            plan=plan,
            run="",
            text="A test: whoever reads this is told of this plan.",
            wave=None,
            counts=Counts(images=images, unfinished=images),
            images=(),
            more_images=0,
            exit_code=None,
        ),
        "test",
    )


def _message(body: Body, title: str) -> Message:
    return Message(
        id=body.id, level=body.level, title=f"{body.plan}: {title}", text=body.text, body=_encode(body)
    )


def _clean(text: str) -> str:
    return visible(SECRETS.masked(text)).encode("utf-8", "replace").decode()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def notification_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the body of a notification."""
    (body,), definitions = schema_components([Body], ref_template="#/$defs/{name}")
    for shape in definitions.values():
        if "description" in shape:
            shape["description"] = cleandoc(shape["description"])
    definitions["Body"]["properties"]["schema"] = {"const": SCHEMA}
    event = definitions["Body"]["properties"]["event"]
    event["enum"] = [*(on.value for on in NotifyOn), TEST]
    definitions["Body"]["required"] = ["schema", *definitions["Body"]["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A notification of migrator",
        **body,
        "$defs": definitions,
    }


class Undelivered(Struct, frozen=True, kw_only=True):
    """What one receiver of the plan was not told yet."""

    receiver: str
    count: int
    failure: str
    """Why the latest try failed; empty before any."""

    def __str__(self) -> str:
        what = "1 notification" if self.count == 1 else f"{self.count:,} notifications"
        reason = f": {self.failure}" if self.failure else ""
        return f"{what} to {self.receiver} {'is' if self.count == 1 else 'are'} not delivered yet{reason}"


def undelivered(ledger: Ledger, receivers: Iterable[Receiver]) -> tuple[Undelivered, ...]:
    """What the receivers of a plan were not told yet, in the plan's order."""
    counts: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for one in ledger.notifications.values():
        if not one.done:
            counts[one.owed.receiver] += 1
            failures[one.owed.receiver] = one.failure or failures.get(one.owed.receiver, "")
    return tuple(
        Undelivered(receiver=one.name, count=counts[one.name], failure=failures[one.name])
        for one in receivers
        if counts[one.name]
    )
