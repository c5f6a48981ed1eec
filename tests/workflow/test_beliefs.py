"""What is believed of the service, and what observations make of it."""

import pytest

from migrator.domain.cloud import CloudImage, Fault, ImageQuery, JobStatus
from migrator.domain.errors import RetryableError
from migrator.domain.image import Image, Marker
from migrator.ims.fields import shown_attributes
from migrator.workflow.beliefs import BELIEFS, ENOUGH, Count, Observer, ServiceSeen, Verdict, contradictions
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays
from tests.ledgers import image

MARK = Marker(plan="dc-east", item="abc")
WEB: Image = image("web", description="shop", hw_firmware_type="uefi")


def finished(**changes: object) -> CloudImage:
    told = {
        "id": "i-1",
        "name": "web",
        "status": "active",
        "tags": MARK.tags,
        "os_version": WEB.os_version,
        "min_disk": 40,
        "description": "shop",
        "hw_firmware_type": "uefi",
        "virtual_env_type": "FusionCompute",
        "data_origin": f"file,{WEB.image_url}",
    }
    return CloudImage(**told | changes)  # type: ignore[arg-type]


def watched(*images: CloudImage, query: ImageQuery | None = None) -> ServiceSeen:
    seen = ServiceSeen()
    observer = Observer(seen)
    observer.on_accepted(WEB, MARK)
    observer.on_images(query or ImageQuery(), images)
    return seen


def test_every_belief_has_a_name_of_its_own_and_says_where_it_is_from_and_what_follows():
    assert len({belief.id for belief in BELIEFS}) == len(BELIEFS)
    for belief in BELIEFS:
        assert all((belief.says, belief.source, belief.depends, belief.otherwise))


def test_everything_that_verification_reads_is_believed_to_be_told():
    believed = {belief.id for belief in BELIEFS}
    for _, shown, _ in shown_attributes():
        if shown.compare is not None and shown.attribute != "name":
            assert f"tells-{shown.attribute.replace('_', '-')}" in believed


def test_a_finished_image_confirms_what_it_tells_and_contradicts_what_it_does_not():
    seen = watched(finished(description=None, data_origin="file,elsewhere:x"))

    assert seen.count("tells-os-version").verdict is Verdict.CONFIRMED
    assert seen.count("tells-hw-firmware-type").verdict is Verdict.CONFIRMED
    assert seen.count("tells-description").verdict is Verdict.CONTRADICTED
    assert seen.count("data-origin-names-file").verdict is Verdict.CONTRADICTED
    assert seen.count("tells-enterprise-project-id").verdict is Verdict.NOT_SEEN, "nobody asked for one"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(finished(status="saving", description=None), id="unfinished"),
        pytest.param(finished(name="app", description=None), id="another name"),
        pytest.param(finished(tags={"migrator_item": "xyz"}, description=None), id="another plan's"),
    ],
)
def test_other_images_tell_nothing(other):
    assert watched(other).count("tells-description") == Count()


def test_an_image_counts_once_however_often_it_is_listed():
    assert watched(finished(), finished()).count("tells-min-disk") == Count(1, 0)


@pytest.mark.parametrize(
    ("query", "belief"),
    [
        (ImageQuery(name="web"), "name-filter-honoured"),
        (ImageQuery(tag=("migrator_item", "abc")), "tag-filter-honoured"),
    ],
)
def test_a_filter_that_lets_others_through_is_noticed(query, belief):
    assert watched(finished(), query=query).count(belief) == Count(1, 0)
    assert watched(finished(name="app", tags={}), query=query).count(belief) == Count(0, 1)


def asked(*answers: tuple[str, float | None]) -> ServiceSeen:
    seen = ServiceSeen()
    observer = Observer(seen)
    for status, progress in answers:
        observer.on_job(JobStatus(job_id="j", status=status, progress=progress))
    return seen


def test_progress_that_moves_and_progress_that_stands():
    assert asked(("RUNNING", 0.1), ("RUNNING", 0.2)).count("progress-moves") == Count(1, 0)
    still = asked(*[("RUNNING", 0.0)] * 4, ("SUCCESS", 1.0))
    assert still.count("progress-moves") == Count(0, 1)
    assert still.count("progress-told") == Count(4, 0)
    silent = asked(*[("RUNNING", None)] * 4, ("SUCCESS", None))
    assert silent.count("progress-told") == Count(0, 4)
    assert silent.count("progress-moves") == Count(), "there was none that could have moved"


def test_a_job_that_ends_in_a_state_of_its_own_is_noticed():
    assert asked(("SUCCESS", None)).count("jobs-end-in-success-or-fail") == Count(1, 0)
    assert asked(("ABORTED", None)).count("jobs-end-in-success-or-fail") == Count(0, 1)


def refused(code: str, status: int, **more: object) -> ServiceSeen:
    seen = ServiceSeen()
    fault = Fault(code=code, message="no", status=status)
    Observer(seen).on_refused(RetryableError(fault, **more))  # type: ignore[arg-type]
    return seen


def test_throttles_are_counted_by_their_shape():
    seen = refused("APIGW.0308", 429, throttled=True)
    assert seen.throttles == {"429 APIGW.0308": 1}
    assert seen.count("throttle-is-429") == Count(1, 0)
    assert seen.count("throttle-says-how-long") == Count(0, 1)
    limit = refused("IMG.0060", 400, throttled=True, job_limit_reached=True)
    assert limit.count("job-limit-is-img-0060") == Count(1, 0)
    assert limit.count("throttle-is-429") == Count()
    assert refused("IMG.0061", 500).throttles == {}, "a failure is no throttle"
    assert refused("secret of somebody!", 429, throttled=True).throttles == {"429 another code": 1}


def test_what_lists_taught_is_a_verdict_too_and_the_latest_counts():
    seen = ServiceSeen()
    seen.learned(ListedBy.TAG, VisibilityDelays(seen=9, longest_delay=4.0))
    seen.learned(ListedBy.NAME, VisibilityDelays(unseen=9, ended=9))

    assert seen.count("running-listed-by-tag").verdict is Verdict.CONFIRMED
    assert seen.count("running-listed-by-name").verdict is Verdict.CONTRADICTED
    assert seen.plus(seen).count("running-listed-by-tag") == Count(9, 0)
    assert [belief.id for _, belief, _ in contradictions({"r": seen})] == ["running-listed-by-name"]


def test_two_runs_add_up():
    both = watched(finished()).plus(watched(finished(description=None)))

    assert both.count("tells-min-disk") == Count(2, 0)
    assert both.count("tells-description") == Count(1, 1)


def test_silence_is_odd_only_where_the_service_has_told_often_enough():
    seen = ServiceSeen(
        beliefs={"tells-description": Count(ENOUGH, 0), "tells-min-disk": Count(ENOUGH - 1, 0)}
    )

    assert seen.usually_told("description")
    assert not seen.usually_told("min_disk")
    assert not seen.usually_told("os_version")
    seen.note("tells-description", False)
    assert not seen.usually_told("description")
