"""The message that somebody gets, and what is still owed."""

import json

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from migrator.domain.notify import Level, NotifyOn, Receiver
from migrator.domain.secrets import SECRETS
from migrator.workflow.events import Counts, NotificationDelivered, NotificationFailed, NotificationOwed
from migrator.workflow.ledger import fold
from migrator.workflow.notifications import (
    message,
    message_of_test,
    notification_id,
    notification_schema,
    undelivered,
)

COUNTS = Counts(images=2, succeeded=1, failed=1)


def owed(id_: str = "i", receiver: str = "ops", on: NotifyOn = NotifyOn.END, **more) -> NotificationOwed:
    fact = NotificationOwed(
        at=1_900_000_000.25, id=id_, receiver=receiver, on=on, run="r", text="t", counts=COUNTS
    )
    return replace(fact, **more)


@pytest.mark.parametrize("on", NotifyOn)
def test_every_message_keeps_to_the_published_schema(on):
    sent = message(owed(on=on, wave="pilot", images=("north/a",), more=3, exit_code=3), "dc-east")

    body = json.loads(sent.body)
    schema = notification_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(body)
    assert body["event"] == on.value
    assert body["at"] == "2030-03-17T17:46:40.250Z"
    assert (body["id"], body["plan"], body["more_images"]) == (sent.id, "dc-east", 3)


def test_a_test_keeps_to_it_too_and_each_is_another():
    one, two = (message_of_test("p", "ops", at, 5) for at in (1.0, 2.0))

    Draft202012Validator(notification_schema()).validate(json.loads(one.body))
    assert one.id != two.id


def test_no_secret_and_nothing_that_acts_on_a_terminal_is_in_a_message():
    SECRETS.register("swordfish-and-more")

    sent = message(owed(text="said swordfish-and-more\x1b[2J\nnext", images=("north/\x07",)), "p")

    assert sent.text == "said ***\\u001b[2J\\nnext"
    assert b"swordfish" not in sent.body
    assert json.loads(sent.body)["images"] == ["north/\\u0007"]


@pytest.mark.parametrize(
    ("on", "code", "level"),
    [
        (NotifyOn.BEGIN, None, Level.INFO),
        (NotifyOn.WAVE, None, Level.WARNING),
        (NotifyOn.FAILED_THRESHOLD, None, Level.FAILURE),
        (NotifyOn.STALLED, None, Level.WARNING),
        (NotifyOn.HELD, None, Level.WARNING),
        (NotifyOn.END, 0, Level.SUCCESS),
        (NotifyOn.END, 3, Level.WARNING),
        (NotifyOn.END, 5, Level.FAILURE),
        (NotifyOn.END, 130, Level.WARNING),
    ],
)
def test_how_bad_it_is(on, code, level):
    assert message(owed(on=on, exit_code=code), "p").level is level


def test_an_id_is_of_one_thing_for_one_receiver_of_one_journal():
    ids = {
        notification_id(journal, on, subject, receiver)
        for journal in ("j", "k")
        for on in (NotifyOn.END, NotifyOn.BEGIN)
        for subject in ("r", "s")
        for receiver in ("ops", "boss")
    }

    assert len(ids) == 16
    assert notification_id("j", NotifyOn.END, "r", "ops") in ids


def test_what_is_owed_is_counted_by_receiver_with_its_latest_reason():
    ledger = fold(
        [
            owed("a"),
            owed("b"),
            owed("c", "boss"),
            owed("d", "gone"),
            NotificationFailed(at=2.0, id="a", reason="connection refused"),
            NotificationFailed(at=3.0, id="a", reason="it answers HTTP 503"),
            NotificationDelivered(at=4.0, id="c"),
        ]
    )

    found = undelivered(ledger, [Receiver(name=name, on=(NotifyOn.END,)) for name in ("boss", "ops")])

    assert [str(one) for one in found] == [
        "2 notifications to ops are not delivered yet: it answers HTTP 503"
    ]
