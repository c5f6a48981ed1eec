"""Who owns an image that bears the plan's marker, and whose image is gone."""

import pytest

from migrator.domain.cloud import CloudImage
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Plan, Target
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.leftovers import Owners
from migrator.workflow.resume import marker
from migrator.workflow.states import Phase, State, StepPhase, StepState

PLAN = "dc-east"


def target(name: str) -> Target:
    return Target(
        name=name,
        region="cn-north-4",
        ims_endpoint="https://ims.example",
        iam_endpoint="https://iam.example",
        obs_endpoint="https://obs.example",
    )


def item(name: str, where: str = "north") -> Image:
    return Image(name=name, target=where, source=ObjectRef.parse(f"bucket:{name}.zvhd2"), min_disk=40)


def plan(*images: Image) -> Plan:
    return Plan(name=PLAN, targets={name: target(name) for name in ("north", "south")}, images=images)


def ledger(*states: State) -> Ledger:
    known = Ledger()
    for state in states:
        where, _, name = state.key.partition("/")
        known.planned[state.key] = Planned(image=item(name, where), digest="d")
        known.states[state.key] = state
    return known


def image(image_id: str, key: str = "north/web-01", status: str = "active", **tags: str) -> CloudImage:
    return CloudImage(id=image_id, name="web-01", status=status, tags={**marker(PLAN, key).tags, **tags})


def owners(*states: State) -> Owners:
    return Owners(plan(*(item(*reversed(state.key.split("/"))) for state in states)), ledger(*states))


def done(image_id: str | None, phase: Phase = Phase.SUCCEEDED, **more: object) -> State:
    return State(key="north/web-01", phase=phase, image_id=image_id, **more)  # type: ignore[arg-type]


def test_the_image_that_an_item_imported_is_owned_and_a_second_one_is_left_over():
    found = owners(done("img-1")).leftovers([image("img-1"), image("img-2")])

    assert [leftover.image.id for leftover in found] == ["img-2"]
    assert found[0].key == "north/web-01"
    assert "second image of north/web-01, which has img-1" in found[0].why


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(phase, id=phase.value)
        for phase in (
            Phase.PENDING,
            Phase.SUBMITTING,
            Phase.IN_DOUBT,
            Phase.RUNNING,
            Phase.VERIFYING,
            Phase.OVERDUE,
        )
    ],
)
def test_whatever_bears_the_marker_of_an_unfinished_item_is_owned(phase):
    assert owners(done(None, phase)).leftovers([image("img-1"), image("img-2")]) == []


def test_an_item_of_the_plan_that_the_journal_does_not_know_owns_what_bears_its_marker():
    fresh = Owners(plan(item("web-01")), Ledger())

    assert fresh.leftovers([image("img-1")]) == []


def test_an_image_of_another_target_of_the_plan_is_owned_there():
    state = State(key="south/web-01", phase=Phase.RUNNING)

    assert owners(state).leftovers([image("img-1", "south/web-01")]) == []


@pytest.mark.parametrize("status", ["killed", "saving"])
def test_the_wreck_of_a_failed_import_is_left_over_even_where_the_job_named_it(status):
    found = owners(done("img-1", Phase.FAILED)).leftovers([image("img-1", status=status)])

    assert [leftover.why for leftover in found] == ["left by a failed import of north/web-01"]


def test_a_whole_image_that_did_not_pass_its_verification_stays_with_its_item():
    assert owners(done("img-1", Phase.FAILED)).leftovers([image("img-1")]) == []


def test_an_image_that_one_item_failed_with_and_another_owns_is_owned():
    failed = State(key="north/web-02", phase=Phase.FAILED, image_id="img-1")

    assert owners(done("img-1"), failed).leftovers([image("img-1", status="killed")]) == []


def test_an_image_of_an_earlier_life_is_left_over_once_the_item_has_a_new_one():
    found = owners(done("img-2", disowned=("img-1",))).leftovers([image("img-1"), image("img-2")])

    assert [leftover.image.id for leftover in found] == ["img-1"]
    assert "earlier image of north/web-01" in found[0].why


def test_an_image_whose_item_nobody_knows_is_left_over():
    found = owners(done("img-1")).leftovers([image("img-9", "north/forgotten")])

    assert [(leftover.image.id, leftover.key) for leftover in found] == [("img-9", None)]


def test_what_a_cancelled_item_left_is_left_over_and_what_a_skipped_one_found_is_not():
    cancelled = owners(done(None, Phase.CANCELLED)).leftovers([image("img-1")])
    skipped = owners(done("img-1", Phase.SKIPPED)).leftovers([image("img-1")])

    assert [leftover.why for leftover in cancelled] == ["imported for north/web-01, which left the plan"]
    assert skipped == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(image("img-9", migrator_plan="dc-west"), id="of another plan"),
        pytest.param(CloudImage(id="img-9", name="web-01", status="active"), id="without the marker"),
        pytest.param(
            CloudImage(id="img-9", name="web-01", status="active", tags={"migrator_plan": PLAN}),
            id="with half the marker",
        ),
        pytest.param(image("img-9", status="deleted"), id="deleted"),
    ],
)
def test_an_image_that_is_not_surely_ours_is_never_left_over(other):
    assert owners(done("img-1")).leftovers([other]) == []


def test_an_item_that_succeeded_and_whose_image_is_not_there_is_gone():
    states = (
        done("img-1"),
        State(key="north/web-02", phase=Phase.SUCCEEDED, image_id="img-2"),
        State(key="north/web-03", phase=Phase.FAILED, image_id="img-3"),
        State(key="south/web-04", phase=Phase.SUCCEEDED, image_id="img-4"),
    )

    gone = owners(*states).gone("north", {"img-1"})

    assert [(lost.key, lost.image_id) for lost in gone] == [("north/web-02", "img-2")]


@pytest.mark.parametrize("phase", [step for step in StepPhase if step is not StepPhase.FAILED])
def test_a_copy_belongs_to_the_item_that_it_was_made_for_from_its_first_request_on(phase: StepPhase):
    made = "copy-1" if phase in (StepPhase.MADE, StepPhase.DONE) else ""
    if phase is StepPhase.TODO:
        return  # nothing was asked for
    state = done("img-1", steps={"copy:south": StepState(phase=phase, image_id=made)})

    assert owners(state).leftovers([image("img-1"), image("copy-1")]) == []


def test_what_a_failed_copy_left_is_left_over():
    failed = StepState(phase=StepPhase.FAILED, image_id="copy-1")

    found = owners(done("img-1", steps={"copy:south": failed})).leftovers([image("copy-1")])

    assert [leftover.image.id for leftover in found] == ["copy-1"]
