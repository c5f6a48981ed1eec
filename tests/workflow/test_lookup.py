"""What a list of images says about attempts in doubt and about items that exist already."""

import pytest

from migrator.domain.cloud import CloudImage, Fault
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import OnExisting, Policy
from migrator.workflow.events import ImageFound, ImageSkipped, MigrationFailed
from migrator.workflow.lookup import (
    NOTHING_LISTED,
    ImageMatches,
    Nowhere,
    Ours,
    Somebodys,
    existing,
    judge,
    match_images,
)
from migrator.workflow.resume import marker
from migrator.workflow.states import Attempt, Outcome, Phase, State

WEB = Image(
    name="web-01", target="north", source=ObjectRef.parse("b:web-01.zvhd2"), min_disk=40, os_version="x"
)
MARKER = marker("dc-east", WEB.key)
BEGAN = 10_000.0


def state(**changes: object) -> State:
    attempt = Attempt(number=1, began_at=BEGAN, outcome=Outcome.UNKNOWN)
    values = {"key": WEB.key, "phase": Phase.IN_DOUBT, "attempts": (attempt,), **changes}
    return State(**values)  # type: ignore[arg-type]


def listed(**changes: object) -> CloudImage:
    values = {
        "id": "i-1",
        "name": "web-01",
        "status": "active",
        "tags": MARKER.tags,
        "created_at": BEGAN + 5,
        **changes,
    }
    return CloudImage(**values)  # type: ignore[arg-type]


def matches(*images: CloudImage, of: State | None = None) -> ImageMatches:
    return match_images([(WEB, MARKER, of or state())], images)[WEB.key]


def test_an_image_that_bears_the_marker_is_ours_whatever_its_name():
    assert [image.id for image in matches(listed(name="renamed")).ours] == ["i-1"]


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        pytest.param(listed(tags={}), True, id="appeared after the attempt, tags are late"),
        pytest.param(listed(tags={}, created_at=BEGAN - 5000), False, id="older than the attempt"),
        pytest.param(listed(tags={}, created_at=None), False, id="of unknown age"),
        pytest.param(
            listed(tags={}, created_at=1.0, data_origin="file,b:web-01.zvhd2"), True, id="our source"
        ),
        pytest.param(listed(tags={}, data_origin="file,b:other.zvhd2"), False, id="another source"),
        pytest.param(listed(tags={"migrator_item": "another"}), False, id="another item's marker"),
    ],
)
def test_an_image_without_the_marker_is_ours_only_with_good_reason(image, ours):
    assert bool(matches(image).ours) is ours


def test_items_of_which_nothing_is_listed_share_that():
    assert matches(listed(name="another", tags={})) is NOTHING_LISTED


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(listed(status="deleted"), id="deleted"),
        pytest.param(listed(status="killed", created_at=BEGAN - 5000), id="died before the attempt"),
    ],
)
def test_the_dead_are_left_out(image):
    assert matches(image) == ImageMatches(dead=[image])


def test_an_image_of_an_earlier_life_is_left_out():
    old = listed(id="old")

    assert matches(old, of=state(disowned=("old",))) == ImageMatches(dead=[old])


def test_of_several_the_active_one_is_kept_and_the_others_are_named():
    finding = judge(WEB, state(), matches(listed(id="i-2", status="saving"), listed(id="i-1")))

    assert isinstance(finding, Ours)
    assert (finding.image.id, finding.others) == ("i-1", ("i-2",))


def test_somebodys_image_of_the_same_name_matters_only_when_the_service_says_that_names_are_unique():
    foreign = matches(listed(tags={}, created_at=1.0))
    taken = state(fault=Fault(code="IMG.0009", message="exists"))

    assert isinstance(judge(WEB, state(), foreign), Nowhere)
    assert isinstance(judge(WEB, taken, foreign), Somebodys)


@pytest.mark.parametrize(
    ("policy", "event"),
    [
        pytest.param(OnExisting.ADOPT, ImageFound, id="adopt"),
        pytest.param(OnExisting.SKIP, ImageSkipped, id="skip"),
        pytest.param(OnExisting.FAIL, MigrationFailed, id="fail"),
    ],
)
def test_an_item_that_exists_follows_the_plans_policy(policy, event):
    found = existing(WEB, state(), matches(listed()), Policy(on_existing=policy), BEGAN)

    assert type(found) is event


def test_an_item_of_which_only_a_dead_image_is_left_is_submitted():
    assert existing(WEB, state(), matches(listed(status="killed")), Policy(), BEGAN) is None
