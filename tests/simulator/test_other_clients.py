"""Clients that nobody here wrote, and that speak other dialects: boto3, openstacksdk, otcextensions."""

import warnings
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import boto3
import openstack
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from otcextensions import sdk as otc

from migrator.simulator.server import serve
from migrator.simulator.settings import BucketSettings, ObjectSettings, Settings
from tests.simulator.callers import PROJECT
from tests.simulator.test_server import asked, sdk

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # openstacksdk says so of itself
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def beside(work: Callable[[str], None], **settings: Any) -> None:
    """Let a client that blocks work in a thread, against a stand-in of its own."""
    async with serve(Settings(**settings)) as running:
        await anyio.to_thread.run_sync(work, running.url)


# --- boto3: the S3-like dialect of OBS -------------------------------------------------------------------


def storage(url: str, signature: str, secret: str = Settings().secret_key) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=Settings().access_key,
        aws_secret_access_key=secret,
        region_name="cn-north-4",
        config=Config(
            signature_version=signature, s3={"addressing_style": "path"}, retries={"max_attempts": 1}
        ),
    )


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
async def test_boto3_asks_for_objects_and_buckets(signature):
    key = "images/冷 disk+1~.zvhd2"

    def work(url: str) -> None:
        s3 = storage(url, signature)
        assert s3.head_bucket(Bucket="mig-bucket")["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert s3.head_object(Bucket="mig-bucket", Key=key)["ContentLength"] == 7 * 2**30
        for listing in (s3.list_objects, s3.list_objects_v2):
            assert [item["Key"] for item in listing(Bucket="mig-bucket", Prefix="images/")["Contents"]] == [
                key
            ]
        for wrong in ("no-such-bucket", "gone"):
            with pytest.raises(ClientError, match="404"):
                s3.head_bucket(Bucket=wrong)

    await beside(
        work,
        objects={f"mig-bucket:{key}": ObjectSettings(size=7 * 2**30)},
        buckets={
            "mig-bucket": BucketSettings(),
            "no-such-bucket": BucketSettings(missing=True),
            "gone": BucketSettings(missing=True),
        },
    )


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
async def test_boto3_with_another_secret_is_refused(signature):
    def work(url: str) -> None:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            storage(url, signature, "wrong").list_objects(Bucket="mig-bucket")

    await beside(work, buckets={"mig-bucket": BucketSettings()})


# --- openstacksdk: identity, and the native image interface ------------------------------------------------


def cloud(url: str, password: str = "simulator") -> Any:
    account = "simulator"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about names it is about to leave
        connection = openstack.connect(
            auth={
                "auth_url": f"{url}/v3",
                "username": account,
                "password": password,
                "user_domain_name": account,
                "project_name": "cn-north-4",
                "project_domain_name": account,
            },
            region_name="cn-north-4",
            identity_api_version="3",
            image_api_version="2",
            load_yaml_config=False,
            load_envvars=False,
        )
        otc.register_otc_extensions(connection)
    return connection


async def test_openstacksdk_finds_its_project_by_name_and_every_service_in_the_catalog():
    def work(url: str) -> None:
        connection = cloud(url)
        assert connection.authorize()
        assert connection.current_project_id == PROJECT
        assert "cn-north-4" in [project.name for project in connection.identity.projects()]
        assert list(connection.image.images(visibility="private")) == []

    await beside(work)


async def test_openstacksdk_with_another_password_is_refused():
    def work(url: str) -> None:
        with pytest.raises(Exception, match="401"):
            cloud(url, "wrong").authorize()

    await beside(work)


async def test_openstacksdk_reads_page_by_page_what_was_imported():
    def work(url: str) -> None:
        client, connection = sdk(url), cloud(url)
        for number in range(60):  # pages of the native interface hold 25
            client.import_image_quick(asked(f"disk-{number:02}"))
        images = {image.name: image for image in connection.image.images(visibility="private")}
        assert sorted(images) == [f"disk-{number:02}" for number in range(60)]
        found = connection.image.get_image(images["disk-07"].id)
        assert (found.name, found.status, found.min_disk) == ("disk-07", "active", images["disk-07"].min_disk)
        assert connection.image.find_image("disk-60") is None

    await beside(work, job_seconds=0.0, max_jobs=100, quota=1000, any_project=True)


# --- otcextensions: the same service under another name ----------------------------------------------------


async def test_otcextensions_follows_a_job_and_finds_its_image():
    def work(url: str) -> None:
        job_id = sdk(url).import_image_quick(asked("disk-1")).job_id
        connection = cloud(url)
        job = connection.imsv1.get_async_job(job_id)
        assert job.status == "SUCCESS"
        (image,) = connection.imsv2.images(name="disk-1")
        assert (image.id, image.status) == (job.entities.image_id, "active")
        assert list(connection.imsv2.images(name="disk-2")) == []

    await beside(work, job_seconds=0.0)


async def test_otcextensions_imports_the_normal_way():
    def work(url: str) -> None:
        connection = cloud(url)
        made = connection.imsv2.create_image(
            name="erp", image_url="mig-bucket:erp.vmdk", min_disk=40, os_version="CentOS 7.6 64bit"
        )
        assert connection.imsv1.get_async_job(made.job_id).status == "SUCCESS"
        (image,) = connection.imsv2.images(name="erp")
        assert image.status == "active"

    await beside(work, job_seconds=0.0)
