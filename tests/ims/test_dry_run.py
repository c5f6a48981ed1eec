"""A rehearsal sends nothing, shows everything, and lets every image come out as asked."""

import pytest

from migrator.domain.cloud import CloudImage, ImageQuery
from migrator.domain.errors import RejectedError
from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.ims.client import submit_body
from migrator.ims.dry_run import DryCloud
from migrator.workflow.verify import mismatches

pytestmark = pytest.mark.anyio

MARKER = Marker(plan="dc-east", item="abc")
SYSTEM = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("mig-bucket:images/web-01.zvhd2"),
    min_disk=60,
    os_version="CentOS 7.6 64bit",
    architecture="arm",
    tags=("app.shop",),
)
DATA = Image(
    name="d",
    target="north",
    source=ObjectRef.parse("b:d.raw"),
    min_disk=5,
    type=ImageType.DATA,
    os_type="Windows",
)


async def test_what_would_be_sent_is_shown_in_order():
    shown = []
    cloud = DryCloud(lambda image, body: shown.append((image.name, body)))

    cloud.submit(SYSTEM, MARKER)
    cloud.submit(DATA, None)

    assert shown == [("web-01", submit_body(SYSTEM, MARKER)), ("d", submit_body(DATA, None))]
    assert cloud.bodies == [body for _, body in shown]


@pytest.mark.parametrize("image", [SYSTEM, DATA])
async def test_every_image_comes_out_as_it_was_asked_for(image):
    cloud = DryCloud()

    report = await cloud.job(cloud.submit(image, MARKER))
    [found] = (await cloud.images(ImageQuery(id=report.image_id))).images

    assert report.status == "SUCCESS"
    assert mismatches(image, MARKER, found) == []


async def test_a_finished_image_shows_all_that_can_be_seen_of_what_was_asked_for():
    cloud = DryCloud()

    job_id = cloud.submit(SYSTEM, MARKER)

    assert (await cloud.images(ImageQuery(id=job_id))).images == (
        CloudImage(
            id=job_id,
            name="web-01",
            status="active",
            tags={"app": "shop", "migrator_plan": "dc-east", "migrator_item": "abc"},
            os_version="CentOS 7.6 64bit",
            min_disk=60,
            architecture="arm",
            virtual_env_type="FusionCompute",
            data_origin="file,mig-bucket:images/web-01.zvhd2",
        ),
    )


async def test_nothing_is_there_before_and_everything_is_found_afterwards():
    cloud = DryCloud()
    assert (await cloud.images(ImageQuery(name="web-01"))).images == ()

    image_id = cloud.submit(SYSTEM, MARKER)
    cloud.submit(DATA, None)

    for query in (
        ImageQuery(name="web-01"),
        ImageQuery(tag=("migrator_item", "abc")),
        ImageQuery(id=image_id),
    ):
        assert [found.id for found in (await cloud.images(query)).images] == [image_id]
    assert (await cloud.quota()).used == 2
    await cloud.delete(image_id)
    assert (await cloud.quota()).used == 1


async def test_a_job_of_a_real_run_is_not_known():
    with pytest.raises(RejectedError):
        await DryCloud().job("ff80808295a1b2c30195a1f0d4c60123")
