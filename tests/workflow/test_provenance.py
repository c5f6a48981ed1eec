"""When the images of a journal are those of the plan, and when its lists have to be read again."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from migrator.domain.image import Image
from migrator.workflow.events import AttemptBegan, Event, ImagePlanned, ImageRemoved, RunBegan
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.plan_facts import Provenance
from migrator.workflow.provenance import ListsDigest, Sources, images_as_planned, plan_digest, provenance
from migrator.workflow.resume import digest
from tests.ledgers import image

WEB, DB, MAIL = image("web-01"), image("db-01"), image("mail-01")
READ = Sources("a plan", "its lists")


def items(*images: Image) -> dict[str, Planned]:
    return {one.key: Planned(image=one, digest=digest(one)) for one in images}


def began(provenance: Provenance | None = None, run: str = "r1") -> RunBegan:
    return RunBegan(at=1.0, run=run, version="1", host="jump", pid=7, provenance=provenance)


def events(*images: Image) -> list[Event]:
    return [ImagePlanned(at=1.0, key=one.key, image=one, digest=digest(one)) for one in images]


def recorded(before: Sequence[Event], *images: Image, coming: int | None = None) -> list[Event]:
    """What a run appends that begins after `before` with a plan of `images`."""
    ledger, plan = fold(before), items(*images)
    new = [event for event in events(*images) if ledger.planned.get(event.key) != plan[event.key]]  # type: ignore[attr-defined]
    return [began(provenance(READ, plan, ledger, 1 + len(new))), *new]


def known(ledger: Ledger) -> tuple[Image, ...] | None:
    found = images_as_planned(ledger, READ)
    return None if found is None else found[0]


def test_the_next_run_takes_the_images_from_the_journal_in_the_plans_order():
    ledger = fold(recorded([], WEB, DB))

    assert known(ledger) == (WEB, DB)


def test_images_that_are_appended_to_a_list_are_known_by_the_run_after_the_next():
    first = recorded([], WEB)
    second = recorded(first, WEB, DB)

    assert known(fold([*first, *second])) == (WEB, DB)


def test_a_journal_from_before_learns_it_from_a_run_that_reads_the_whole_plan():
    old: list[Event] = [began(), *events(WEB, DB)]

    ledger = fold([*old, *recorded(old, WEB, DB)])

    assert images_as_planned(fold(old), READ) is None
    assert known(ledger) == (WEB, DB)


@pytest.mark.parametrize("other", [READ._replace(plan="another"), READ._replace(lists="others")])
def test_what_comes_from_elsewhere_is_read(other):
    assert images_as_planned(fold(recorded([], WEB)), other) is None


@pytest.mark.parametrize("missing", [1, 2])
def test_of_a_run_that_was_killed_while_it_wrote_down_its_plan_nothing_is_known(missing):
    life = recorded([], WEB, DB)

    assert fold(life[:-missing]).came_from is None
    assert images_as_planned(fold(life[:-missing]), READ) is None


def test_a_run_that_was_killed_before_it_wrote_down_an_edit_is_found_out_however_many_facts_followed():
    edited = replace(DB, priority=7)  # no part of what is sent
    first = recorded([], WEB, DB)
    killed = recorded(first, WEB, edited)[:-1]
    more = [AttemptBegan(at=2.0, key=WEB.key, attempt=1, digest=digest(WEB))]

    ledger = fold([*first, *killed, *more])

    assert ledger.came_from is not None
    assert images_as_planned(ledger, READ) is None


def test_a_run_that_says_nothing_takes_back_what_the_one_before_it_said():
    life = [*recorded([], WEB), began(run="r2")]

    assert fold(life).came_from is None


@pytest.mark.parametrize(
    "images",
    [
        pytest.param((WEB,), id="one was taken out"),
        pytest.param((DB, WEB), id="in another order"),
        pytest.param((MAIL, WEB, DB), id="a new one stands first"),
        pytest.param((), id="none is left"),
    ],
)
def test_nothing_is_recorded_where_the_journal_has_other_images_or_another_order(images):
    assert provenance(READ, items(*images), fold(events(WEB, DB)), 9) is None


def test_nothing_is_recorded_where_something_is_to_be_said_of_the_images():
    assert provenance(None, items(WEB), Ledger(), 2) is None


def test_an_image_that_was_removed_meanwhile_is_no_image_of_the_plan():
    life = [*recorded([], WEB, DB), ImageRemoved(at=2.0, key=DB.key)]

    assert images_as_planned(fold(life), READ) is None


def test_what_a_run_took_from_the_journal_it_records_as_it_was_recorded():
    first = recorded([], WEB, DB)
    ledger = fold(first)
    found = images_as_planned(ledger, READ)
    assert found is not None

    again = provenance(found[1], items(*found[0]), ledger, 1)

    assert again == provenance(READ, items(WEB, DB), ledger, 1)


def test_a_digest_of_a_plan_is_of_each_byte_and_of_the_program():
    one = plan_digest(b"name", ["1.0", "3.11"])

    assert one == plan_digest(b"name", ["1.0", "3.11"])
    assert len({one, plan_digest(b"Name", ["1.0", "3.11"]), plan_digest(b"name", ["1.03", ".11"])}) == 3


def test_a_digest_of_lists_is_of_each_byte_their_order_and_which_of_them_are_one_file():
    def of(*lists: tuple[str, bytes]) -> str:
        found = ListsDigest()
        for identity, data in lists:
            found.add(identity, data)
        return found.text()

    one = of(("/a/x", b"1"), ("/a/y", b"2"))

    assert one == of(("/moved/x", b"1"), ("/moved/y", b"2"))
    others = [
        of(("/a/x", b"1"), ("/a/y", b"3")),
        of(("/a/x", b"2"), ("/a/y", b"1")),
        of(("/a/x", b"12"), ("/a/y", b"")),
        of(("/a/x", b"1")),
    ]
    assert len({one, *others}) == 5
    assert of(("/a/x", b"1"), ("/a/x", b"1")) != of(("/a/x", b"1"), ("/a/y", b"1"))
