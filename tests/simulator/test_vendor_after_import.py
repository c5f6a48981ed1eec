"""The vendor's own client imports the normal way, shares and copies, and finds what the stand-in made."""

from typing import Any

import anyio.to_thread
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkims import v2 as ims

from migrator.simulator.server import serve
from migrator.simulator.settings import ObjectSettings, Settings
from tests.simulator.test_server import sdk

pytestmark = pytest.mark.anyio

FRIEND = "b123456789abcdef0123456789abcdef"
SOUTH = "2123456789abcdef0123456789abcdef"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def as_project(url: str, project: str) -> Any:
    credentials = BasicCredentials(Settings().access_key, Settings().secret_key, project)
    return ims.ImsClient.new_builder().with_credentials(credentials).with_endpoint(url).build()


def progress(client: Any, job_id: str) -> Any:
    return client.show_job_progress(ims.ShowJobProgressRequest(job_id=job_id))


def system(name: str, file: str, **more: Any) -> Any:
    body = ims.CreateImageRequestBody(name=name, image_url=f"mig-bucket:{file}", min_disk=40, **more)
    return ims.CreateImageRequest(body=body)


async def against(work: Any, **settings: Any) -> Any:
    quick = {"job_seconds": 0, "step_seconds": 0, "copy_seconds": 0, "projects": {FRIEND: "cn-north-4"}}
    async with serve(Settings(**quick, **settings)) as running:
        await anyio.to_thread.run_sync(work, running.url)
        return running.simulator


async def test_system_and_data_disks_go_in_by_the_normal_calls():
    def work(url: str) -> None:
        client = sdk(url)
        first = client.create_image(system("erp", "erp.vmdk", is_config=True, min_ram=2048)).job_id
        data = ims.CreateDataImageRequestBody(
            name="erp-data", image_url="mig-bucket:erp-data.vhdx", min_disk=100, os_type="Linux"
        )
        second = client.create_data_image(ims.CreateDataImageRequest(body=data)).job_id
        assert {progress(client, job).status for job in (first, second)} == {"SUCCESS"}
        images = {image.name: image for image in client.list_images(ims.ListImagesRequest()).images}
        assert images["erp"].os_version == "CentOS 7.6 64bit"
        assert images["erp"].data_origin == "file,mig-bucket:erp.vmdk"
        assert images["erp-data"].virtual_env_type == "DataImage"
        with pytest.raises(ClientRequestException, match=r"IMG\.0072"):
            client.create_image(system("iso", "erp.iso"))

    made = await against(work, objects={"mig-bucket:erp.vmdk": ObjectSettings(os_version="CentOS 7.6 64bit")})

    assert {name: lines[0].method for name, lines in made.accepted.items()} == {
        "erp": "normal",
        "erp-data": "normal",
    }


async def test_an_image_is_shared_and_accepted():
    def work(url: str) -> None:
        owner, friend = sdk(url), as_project(url, FRIEND)
        job = progress(owner, owner.create_image(system("web", "web.vmdk")).job_id)
        image_id = job.entities.image_id
        share = ims.BatchAddMembersRequestBody(images=[image_id], projects=[FRIEND])
        asked = owner.batch_add_members(ims.BatchAddMembersRequest(body=share))
        assert progress(owner, asked.job_id).status == "SUCCESS"
        listed = owner.list_image_members(ims.ListImageMembersRequest(image_id=image_id)).members
        assert [(one.member_id, one.status) for one in listed] == [(FRIEND, "pending")]
        taken = ims.BatchUpdateMembersRequestBody(images=[image_id], project_id=FRIEND, status="accepted")
        answered = friend.batch_update_members(ims.BatchUpdateMembersRequest(body=taken))
        assert progress(friend, answered.job_id).status == "SUCCESS"
        (one,) = owner.list_image_members(ims.ListImageMembersRequest(image_id=image_id)).members
        assert one.status == "accepted"

    made = await against(work)

    ((key, member),) = made.after.members.items()
    assert key[1] == FRIEND
    assert member.accepted_at < 1e12


async def test_an_image_is_copied_to_another_region_and_says_where_it_comes_from():
    def work(url: str) -> None:
        north, south = sdk(url), as_project(url, SOUTH)
        image_id = progress(north, north.create_image(system("web", "web.vmdk")).job_id).entities.image_id
        wanted = ims.CopyImageCrossRegionRequestBody(
            name="web", region="cn-south-1", project_name="cn-south-1", agency_name="ims_admin_agency"
        )
        copy = ims.CopyImageCrossRegionRequest(image_id=image_id, body=wanted)
        assert progress(north, north.copy_image_cross_region(copy).job_id).status == "SUCCESS"
        (found,) = south.list_images(ims.ListImagesRequest(name="web")).images
        assert found.data_origin == f"image,cn-north-4,{image_id}"
        wanted.agency_name = "nobody"
        with pytest.raises(ClientRequestException, match=r"IMG\.0151"):
            north.copy_image_cross_region(copy)

    made = await against(work)

    assert [(line.kind, line.to, line.duplicate) for line in made.after.books] == [("copy", SOUTH, False)]


async def test_a_sixth_copy_at_once_and_an_encrypted_one_are_refused():
    def work(url: str) -> None:
        client = sdk(url)
        key = "9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"
        plain = progress(client, client.create_image(system("web", "web.vmdk")).job_id).entities.image_id
        secret = progress(client, client.create_image(system("key", "k.vmdk", cmk_id=key)).job_id)

        def copied(image_id: str, number: int) -> None:
            wanted = ims.CopyImageCrossRegionRequestBody(
                name=f"web-{number}",
                region="cn-south-1",
                project_name="cn-south-1",
                agency_name="ims_admin_agency",
            )
            client.copy_image_cross_region(ims.CopyImageCrossRegionRequest(image_id=image_id, body=wanted))

        for number in range(5):
            copied(plain, number)
        with pytest.raises(ClientRequestException, match=r"IMG\.0149"):
            copied(plain, 6)
        with pytest.raises(ClientRequestException, match=r"IMG\.0143"):
            copied(secret.entities.image_id, 7)
        share = ims.BatchAddMembersRequestBody(images=[secret.entities.image_id], projects=[FRIEND])
        with pytest.raises(ClientRequestException, match=r"IMG\.0105"):
            client.batch_add_members(ims.BatchAddMembersRequest(body=share))

    settings = {"job_seconds": 0, "copy_seconds": 600}
    async with serve(Settings(**settings)) as running:
        await anyio.to_thread.run_sync(work, running.url)
