"""Plan and ledger compared: what a run writes down before it acts, and what is left to do."""

import re
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.ims.fields import FIELDS, Field
from migrator.workflow import resume
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRetryable,
    AttemptUnknown,
    DeadlinePassed,
    Event,
    ImageEvent,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobReattached,
    JobSucceeded,
)
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.resume import (
    INTERRUPTED,
    Listed,
    digest,
    drifted,
    marker,
    plan_tag,
    planned,
    startup_events,
    work_left,
)
from migrator.workflow.states import Phase
from migrator.workflow.transitions import Step, decide
from tests.imports import SENT, by_key, with_key
from tests.ledgers import histories, image, plan_for

WEB, DB = image("web-01"), image("db-01")
BAD = Fault(code="IMG.0057", message="bad file")
NOW = 1000.0


def listed(*images: Image) -> list[Event]:
    return [ImagePlanned(at=0.0, key=one.key, image=one, digest=digest(one)) for one in images]


def began(one: Image = WEB) -> AttemptBegan:
    return AttemptBegan(at=1.0, key=one.key, attempt=1, digest=digest(one))


def path(phase: Phase, one: Image = WEB) -> list[Event]:
    """The shortest way of an image from nothing into a phase."""
    key = one.key
    attempt = began(one)
    accepted = JobAccepted(at=2.0, key=key, job_id="job-1")
    done = JobSucceeded(at=3.0, key=key, image_id="image-1")
    ways: dict[Phase, list[Event]] = {
        Phase.PENDING: [],
        Phase.SUBMITTING: [attempt],
        Phase.IN_DOUBT: [attempt, AttemptUnknown(at=2.0, key=key, fault=BAD)],
        Phase.RUNNING: [attempt, accepted],
        Phase.VERIFYING: [attempt, accepted, done],
        Phase.SUCCEEDED: [attempt, accepted, done, ImageVerified(at=4.0, key=key, image_id="image-1")],
        Phase.FAILED: [attempt, accepted, JobFailed(at=3.0, key=key, fault=BAD)],
        Phase.OVERDUE: [attempt, accepted, DeadlinePassed(at=3.0, key=key)],
        Phase.SKIPPED: [ImageSkipped(at=2.0, key=key, image_id="image-0")],
        Phase.CANCELLED: [ImageRemoved(at=2.0, key=key)],
    }
    return [*listed(one), *ways[phase]]


def held(one: Image = WEB) -> list[Event]:
    return [*path(Phase.IN_DOUBT, one), AttemptHeld(at=3.0, key=one.key, fault=BAD)]


def words(
    ledger: Ledger, *images: Image, retry_failed: bool = False, again: frozenset[str] = frozenset()
) -> list[ImageEvent]:
    plan = planned(plan_for(images=images))
    return list(startup_events(plan, ledger, NOW, retry_failed=retry_failed, again=again))


def kinds(events: list[ImageEvent]) -> list[tuple[type[ImageEvent], str]]:
    return [(type(event), event.key) for event in events]


def taken(ledger: Ledger, events: list[ImageEvent]) -> Ledger:
    for event in events:
        ledger.apply(event)
    return ledger


# --- First words ----------------------------------------------------------------------------------------


def test_a_first_run_writes_down_the_whole_plan_in_its_order():
    said = words(Ledger(), WEB, DB)

    assert said == [
        ImagePlanned(at=NOW, key="north/web-01", image=WEB, digest=digest(WEB)),
        ImagePlanned(at=NOW, key="north/db-01", image=DB, digest=digest(DB)),
    ]
    assert work_left(taken(Ledger(), said)) == ["north/web-01", "north/db-01"]


def test_a_plan_as_the_journal_has_it_needs_no_new_digests_and_leaves_the_journals_alone():
    known = taken(Ledger(), words(Ledger(), WEB, DB)).planned

    found = planned(plan_for(images=(WEB, DB)), known)

    assert list(found) == [WEB.key, DB.key]
    assert all(found[key] is item for key, item in known.items())
    found.clear()
    assert list(known) == [WEB.key, DB.key]


@pytest.mark.parametrize(
    "images",
    [
        pytest.param((DB, WEB), id="another order"),
        pytest.param((WEB,), id="one less"),
        pytest.param((WEB, DB, image("new")), id="one more"),
        pytest.param((WEB, image("db-01", min_disk=99)), id="one edited"),
        pytest.param((WEB, image("new")), id="one instead of another"),
    ],
)
def test_any_other_plan_is_compared_image_by_image(images):
    known = taken(Ledger(), words(Ledger(), WEB, DB)).planned

    found = planned(plan_for(images=images), known)

    assert list(found) == [one.key for one in images]
    assert found == planned(plan_for(images=images))


@given(past=histories())
def test_a_plan_that_is_the_journals_own_is_begun_like_one_that_equals_it(past):
    ledger = fold(past)
    again = frozenset(list(ledger.planned)[::2])
    equal = {key: Planned(image=item.image, digest=item.digest) for key, item in ledger.planned.items()}

    def begun(items: dict[str, Planned]) -> list[ImageEvent]:
        return list(startup_events(items, ledger, NOW, retry_failed=True, again=again))

    assert begun(dict(ledger.planned)) == begun(equal)


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.PENDING, []),
        (Phase.SUBMITTING, [AttemptUnknown(at=NOW, key=WEB.key, fault=INTERRUPTED)]),
        (Phase.IN_DOUBT, []),
        (Phase.RUNNING, []),
        (Phase.VERIFYING, []),
        (Phase.SUCCEEDED, []),
        (Phase.FAILED, []),
        (Phase.OVERDUE, [JobReattached(at=NOW, key=WEB.key)]),
        (Phase.SKIPPED, []),
        (Phase.CANCELLED, [ImagePlanned(at=NOW, key=WEB.key, image=WEB, digest=digest(WEB))]),
    ],
)
def test_a_run_that_resumes_says_only_what_changed(phase: Phase, said: list[ImageEvent]):
    assert words(fold(path(phase)), WEB) == said


@pytest.mark.parametrize("phase", list(Phase))
def test_what_a_run_said_first_needs_not_be_said_again(phase: Phase):
    ledger = fold(path(phase))
    taken(ledger, words(ledger, WEB, DB))

    assert words(ledger, WEB, DB) == []


@pytest.mark.parametrize("phase", list(Phase))
def test_after_the_first_words_of_any_resumed_image_there_is_a_next_step(phase: Phase):
    expected = {
        Phase.PENDING: Step.SUBMIT,
        Phase.SUBMITTING: Step.LOOK_UP,
        Phase.IN_DOUBT: Step.LOOK_UP,
        Phase.RUNNING: Step.POLL,
        Phase.VERIFYING: Step.VERIFY,
        Phase.OVERDUE: Step.POLL,
        Phase.CANCELLED: Step.SUBMIT,
    }
    ledger = fold(path(phase))
    taken(ledger, words(ledger, WEB))

    assert decide(ledger.states[WEB.key]) is expected.get(phase, Step.DONE)
    assert work_left(ledger) == ([WEB.key] if phase in expected else [])


@pytest.mark.parametrize("phase", list(Phase))
def test_retry_failed_reopens_the_failed_and_nothing_else(phase: Phase):
    said = words(fold(path(phase)), WEB, retry_failed=True)

    assert (ImageReopened in [type(event) for event in said]) == (phase is Phase.FAILED)


@pytest.mark.parametrize("phase", list(Phase))
def test_again_reopens_what_is_over_by_its_key(phase: Phase):
    said = words(fold(path(phase)), WEB, again=frozenset({WEB.key}))

    over = {Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED}
    assert (ImageReopened in [type(event) for event in said]) == (phase in over)
    assert ImageReopened not in [
        type(event) for event in words(fold(path(phase)), WEB, again=frozenset({DB.key}))
    ]


def test_again_reopens_an_image_in_doubt_only_where_it_is_held_for_a_person():
    again = frozenset({WEB.key})

    assert words(fold(held()), WEB, again=again) == [ImageReopened(at=NOW, key=WEB.key)]
    assert words(fold(held()), WEB, retry_failed=True) == []
    assert words(fold(path(Phase.IN_DOUBT)), WEB, again=again) == []


def test_a_held_image_is_left_to_do_and_has_no_step():
    ledger = fold(held())

    assert (work_left(ledger), decide(ledger.states[WEB.key])) == ([WEB.key], Step.DONE)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CANCELLED])
def test_an_image_that_left_the_plan_is_followed_to_its_end_and_never_submitted(phase: Phase):
    ledger = fold(path(phase))

    said = words(ledger)
    taken(ledger, said)

    state = ledger.states[WEB.key]
    assert (ImageRemoved, WEB.key) in kinds(said)
    assert state.removed
    assert decide(state) is not Step.SUBMIT
    in_the_cloud = phase in {
        Phase.SUBMITTING,
        Phase.IN_DOUBT,
        Phase.RUNNING,
        Phase.VERIFYING,
        Phase.OVERDUE,
    }
    assert (decide(state) is not Step.DONE) == in_the_cloud
    assert work_left(ledger) == ([WEB.key] if in_the_cloud else [])
    assert words(ledger) == []


def test_an_image_in_flight_at_a_kill_and_then_removed_is_looked_up_and_cancelled_when_absent():
    ledger = fold(path(Phase.SUBMITTING))
    taken(ledger, words(ledger))
    assert decide(ledger.states[WEB.key]) is Step.LOOK_UP

    ledger.apply(AttemptNotFound(at=NOW + 600, key=WEB.key, looked_for=600.0))

    assert ledger.states[WEB.key].phase is Phase.CANCELLED
    assert work_left(ledger) == []


def test_a_removed_image_whose_run_was_killed_is_still_settled_by_the_next():
    ledger = fold([*path(Phase.SUBMITTING), ImageRemoved(at=5.0, key=WEB.key)])

    assert words(ledger) == [AttemptUnknown(at=NOW, key=WEB.key, fault=INTERRUPTED)]


@pytest.mark.parametrize("phase", list(Phase))
def test_an_image_that_comes_back_to_the_plan_is_planned_again(phase: Phase):
    ledger = fold(path(phase))
    if phase is not Phase.CANCELLED:
        ledger.apply(ImageRemoved(at=5.0, key=WEB.key))

    said = words(ledger, WEB)
    taken(ledger, said)

    assert kinds(said)[0] == (ImagePlanned, WEB.key)
    assert not ledger.states[WEB.key].removed


def test_an_edited_image_is_planned_in_its_new_words():
    edited = image("web-01", min_disk=80)
    relabelled = image("web-01", labels={"owner": "li.wei"})
    ledger = fold(listed(WEB))

    assert words(ledger, edited) == [ImagePlanned(at=NOW, key=WEB.key, image=edited, digest=digest(edited))]
    assert [type(event) for event in words(ledger, relabelled)] == [ImagePlanned]
    assert digest(edited) != digest(WEB) == digest(relabelled)


def test_the_first_words_may_be_applied_while_they_are_read():
    ledger = fold([*path(Phase.SUBMITTING, WEB), *path(Phase.OVERDUE, DB)])

    for event in startup_events(planned(plan_for(images=(image("new"),))), ledger, NOW):
        ledger.apply(event)

    assert {key: state.removed for key, state in ledger.states.items()} == {
        "north/web-01": True,
        "north/db-01": True,
        "north/new": False,
    }


@given(histories(max_steps=60), st.booleans())
@settings(max_examples=60)
def test_after_a_kill_at_any_moment_the_first_words_fit_and_leave_no_attempt_open(
    history: list[Event], retry_failed: bool
):
    ledger = fold(history)
    images = tuple(item.image for item in ledger.planned.values())[::2]
    plan = planned(plan_for(images=images))

    said = list(startup_events(plan, ledger, NOW, retry_failed=retry_failed, again=frozenset(plan)))
    taken(ledger, said)

    for key in work_left(ledger):
        assert decide(ledger.states[key]) in Step
        assert key in plan or decide(ledger.states[key]) is not Step.SUBMIT
    assert {key for key, state in ledger.states.items() if not state.removed} == set(plan)
    assert list(startup_events(plan, ledger, NOW)) == []


# --- Work left ------------------------------------------------------------------------------------------


def test_work_left_is_in_the_plans_order():
    for order in permutations([WEB, DB, image("cache-01")]):
        assert work_left(fold(listed(*order))) == [one.key for one in order]


def test_what_is_finished_is_not_left():
    ledger = fold(
        [
            *path(Phase.SUCCEEDED, image("a")),
            *path(Phase.FAILED, image("b")),
            *path(Phase.SKIPPED, image("c")),
            *path(Phase.CANCELLED, image("d")),
            *path(Phase.RUNNING, image("e")),
        ]
    )

    assert work_left(ledger) == ["north/e"]


# --- Drift ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", list(Phase))
def test_only_what_is_or_may_be_in_the_cloud_in_old_words_has_drifted(phase: Phase):
    edited = image("web-01", min_disk=80)
    ledger = fold(path(phase))
    taken(ledger, words(ledger, edited))

    in_old_words = {
        Phase.SUBMITTING,
        Phase.IN_DOUBT,
        Phase.RUNNING,
        Phase.VERIFYING,
        Phase.SUCCEEDED,
        Phase.OVERDUE,
    }
    assert drifted(ledger) == ([WEB.key] if phase in in_old_words else [])


def test_a_refused_image_that_was_edited_has_not_drifted_because_it_goes_out_in_its_new_words():
    ledger = fold([*listed(WEB), began(), AttemptRetryable(at=2.0, key=WEB.key, fault=BAD)])
    taken(ledger, words(ledger, image("web-01", min_disk=80)))

    assert drifted(ledger) == []


def test_drift_ends_when_the_edit_is_taken_back_or_the_image_leaves_the_plan():
    ledger = fold(path(Phase.SUCCEEDED))
    taken(ledger, words(ledger, image("web-01", min_disk=80)))
    assert drifted(ledger) == [WEB.key]

    assert drifted(taken(ledger, words(ledger, WEB))) == []
    assert drifted(taken(ledger, words(ledger))) == []


# --- Digests and markers: journals and clouds remember them ---------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(WEB, "12c258aa05c8b4dddad6f553", id="a system disk"),
        pytest.param(
            image("d", type=ImageType.DATA, os_version=None, os_type="Linux", min_disk=500),
            "4f949b5f52d552f71360831a",
            id="a data disk",
        ),
        pytest.param(
            image("t", image_tags={"env": "prod", "app": "shop"}, description="机架"),
            "eb3ce53c8af712b3fd393164",
            id="tags and Chinese",
        ),
    ],
)
def test_the_digest_of_an_image_is_the_same_in_every_version(one: Image, expected: str):
    assert digest(one) == expected


PLAIN = image("plain", "there", type=ImageType.BMS, os_version=None)


@by_key(SENT)
def test_whatever_is_sent_is_part_of_the_digest(field: Field):
    assert digest(with_key(PLAIN, field)) != digest(PLAIN)


@by_key(field for field in FIELDS if field.sent is None and field.resolved is None)
def test_what_is_not_sent_is_not_part_of_the_digest(field: Field):
    edited = with_key(PLAIN, field)

    assert edited != PLAIN
    assert digest(edited) == digest(PLAIN)


def test_where_a_key_stands_in_the_table_is_not_part_of_the_digest(monkeypatch):
    before = digest(WEB)

    monkeypatch.setattr("migrator.workflow.resume._SENT", resume._SENT[::-1])

    assert digest(WEB) == before


def test_the_order_of_tags_is_not_part_of_the_digest():
    assert digest(image(image_tags={"a": "1", "b": "2"})) == digest(image(image_tags={"b": "2", "a": "1"}))
    assert digest(image(tags=("a.1", "b.2"))) == digest(image(tags=("b.2", "a.1")))


@pytest.mark.parametrize(
    ("plan", "key", "tags"),
    [
        (
            "dc-east",
            "north/web-01",
            {"migrator_plan": "dc-east", "migrator_item": "kxcjkeqrberrfbtozjgtcaby"},
        ),
        (
            "dc-east",
            "north/网络 01",
            {"migrator_plan": "dc-east", "migrator_item": "mgslgwtocuu4y3gmfhtgtf6j"},
        ),
        (
            "p" * 63,
            "north/web-01",
            {
                "migrator_plan": "pppppppppppppppppppppppppppppp-0dda6727ff26",
                "migrator_item": "3yug52kdizyieomy7en3ja7e",
            },
        ),
    ],
)
def test_a_marker_is_the_same_in_every_version_or_images_would_be_imported_twice(
    plan: str, key: str, tags: dict[str, str]
):
    assert marker(plan, key).tags == tags


PLAN_NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)


@given(PLAN_NAMES, st.text(min_size=1, max_size=128).filter(lambda text: text.isprintable()))
def test_any_marker_is_a_valid_tag(plan: str, key: str):
    """Keys of 1 to 36 letters, digits, "_" and "-"; values of at most 43 that may also hold "."."""
    for name, value in marker(plan, key).tags.items():
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,36}", name)
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,43}", value)
    assert plan_tag(plan) == ("migrator_plan", marker(plan, key).plan)


def test_markers_tell_plans_and_keys_apart():
    pairs = [("dc-east", "north/a"), ("dc-east", "north/b"), ("dc-west", "north/a"), ("p" * 62, "north/a")]
    pairs += [("p" * 63, "north/a"), ("p" * 43, "north/a"), ("dc-east", "south/a"), ("dc-east", "north/A")]

    assert len({marker(*pair).item for pair in pairs}) == len(pairs)
    assert len({plan_tag("p" * length) for length in range(1, 64)}) == 63


@given(st.lists(st.sampled_from(["web", "db", "app", "none"]), max_size=8))
def test_a_plans_images_are_found_by_their_keys_in_whatever_order_they_are_asked_for(names):
    images = [image(name) for name in ("web", "db", "app")]
    found, expected = Listed(images), {one.key: one for one in images}

    asked = [image(name).key for name in names]

    assert [found.get(key) for key in asked] == [expected.get(key) for key in asked]
    assert dict(found) == expected
    assert len(found) == 3
