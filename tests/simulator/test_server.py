"""The stand-in on a real socket, against the vendor's own clients and a raw one."""

import asyncio
import json
import logging
import time
import warnings
from typing import Any

import aiohttp
import anyio.to_thread
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkims import v2 as ims
from pydantic import SecretStr

from migrator.cli.stand_in import call_of
from migrator.domain.credentials import Keys
from migrator.domain.http import Request
from migrator.ims.signing import KeySigner
from migrator.io.clock import SystemClock
from migrator.simulator.server import serve
from migrator.simulator.settings import BucketSettings, ObjectSettings, Settings
from tests.simulator.callers import PROJECT, wish

pytestmark = pytest.mark.anyio
QUICK = "/v2/cloudimages/quickimport/action"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def sdk(url: str, secret: str = Settings().secret_key) -> Any:
    credentials = BasicCredentials(Settings().access_key, secret, PROJECT)
    return ims.ImsClient.new_builder().with_credentials(credentials).with_endpoint(url).build()


def status_of(client: Any, job_id: str) -> Any:
    """The older job query, of which the vendor's client warns that it may go one day."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*show_job", DeprecationWarning)
        return client.show_job(ims.ShowJobRequest(job_id=job_id))


def asked(name: str = "web 01-迁移", **more: Any) -> Any:
    body = ims.QuickImportImageByFileRequestBody(
        name=name,
        os_version="CentOS 7.6 64bit",
        image_url="mig-bucket:images/web-01.zvhd2",
        min_disk=40,
        image_tags=[ims.ResourceTag("app", "shop")],
        **more,
    )
    return ims.ImportImageQuickRequest(body=body)


async def test_the_vendors_image_client_works_from_import_to_list():
    def work(url: str) -> None:
        client = sdk(url)
        job_id = client.import_image_quick(asked()).job_id

        progress = client.show_job_progress(ims.ShowJobProgressRequest(job_id=job_id))
        status = status_of(client, job_id)
        assert progress.status == status.status == "SUCCESS"
        assert progress.entities.image_id == status.entities.image_id
        by_filter = client.list_images(
            ims.ListImagesRequest(
                name="web 01-迁移",
                tag="app=shop",
                imagetype="private",
                status="active",
                created_at="gte:2025-01-02T03:00:00Z",
                limit=5,
            )
        ).images
        assert [image.id for image in by_filter] == [progress.entities.image_id]
        assert by_filter[0].os_version == "CentOS 7.6 64bit"
        wanted = ims.ListImageByTagsRequestBody(action="filter", tags=[ims.Tags(key="app", values=["shop"])])
        by_tag = client.list_image_by_tags(ims.ListImageByTagsRequest(body=wanted))
        assert [item.resource_id for item in by_tag.resources] == [progress.entities.image_id]
        quota = client.show_image_quota(ims.ShowImageQuotaRequest()).quotas.resources[0]
        assert (quota.type, quota.used) == ("image", 1)
        systems = client.list_os_versions(ims.ListOsVersionsRequest()).body
        assert any(row.os_version == "CentOS 7.6 64bit" for group in systems for row in group.version_list)
        client.glance_delete_image(
            ims.GlanceDeleteImageRequest(image_id=by_filter[0].id, body=ims.GlanceDeleteImageRequestBody())
        )
        assert client.list_images(ims.ListImagesRequest()).images == []

    async with serve(Settings(job_seconds=0)) as running:
        await anyio.to_thread.run_sync(work, running.url)
        assert [line.tags for line in running.simulator.accepted["web 01-迁移"]] == [{"app": "shop"}]


async def test_the_vendors_image_client_understands_every_kind_of_refusal():
    def work(url: str) -> None:
        client = sdk(url)
        client.import_image_quick(asked("first"))
        with pytest.raises(ClientRequestException) as full:
            client.import_image_quick(asked("second"))
        assert (full.value.status_code, full.value.error_code) == (400, "IMG.0060")
        assert full.value.request_id
        client.show_image_quota(ims.ShowImageQuotaRequest())
        with pytest.raises(ClientRequestException) as throttled:
            client.show_image_quota(ims.ShowImageQuotaRequest())
        assert throttled.value.status_code == 429
        with pytest.raises(ServerResponseException) as broken:
            client.show_job_progress(ims.ShowJobProgressRequest(job_id="x"))
        assert broken.value.status_code == 503

    settings = Settings.model_validate(
        {
            "max_jobs": 1,
            "rate_limits": {"quota": "1/h"},
            "poll_odds": {"error_before": 1.0, "statuses": [503]},
        }
    )
    async with serve(settings) as running:
        await anyio.to_thread.run_sync(work, running.url)


async def test_the_vendors_image_client_is_locked_out_after_five_wrong_signatures():
    def work(url: str) -> list[str]:
        client, said = sdk(url, "wrong"), []
        for _ in range(6):
            with pytest.raises(ClientRequestException) as refused:
                client.show_image_quota(ims.ShowImageQuotaRequest())
            assert (refused.value.status_code, refused.value.error_code) == (401, "APIGW.0301")
            said.append(refused.value.error_msg)
        return said

    async with serve(Settings()) as running:
        said = await anyio.to_thread.run_sync(work, running.url)

    assert all("verify aksk signature fail" in text for text in said[:5])
    assert "AK access failed to reach the limit,forbidden" in said[5]


def storage(url: str, secret: str, *, native: bool, signature: str = "") -> Any:
    """The vendor's storage client; importing it complains about its own source, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        from obs import ObsClient
    return ObsClient(
        access_key_id=Settings().access_key,
        secret_access_key=secret,
        server=url,
        path_style=True,
        max_retry_count=0,
        client_mode="workflow" if native else "obs",  # with path_style, "obs" means the S3-like dialect
        **({"signature": signature, "is_signature_negotiation": False} if signature else {}),
        region="cn-north-4",
    )


@pytest.mark.parametrize(
    ("native", "signature"),
    [
        pytest.param(True, "", id="native"),
        pytest.param(False, "", id="S3-like"),
        pytest.param(False, "v4", id="S3-like, version 4"),
    ],
)
async def test_the_vendors_storage_client_works(native, signature):
    def work(url: str) -> None:
        client = storage(url, Settings().secret_key, native=native, signature=signature)
        wrong = storage(url, "wrong", native=native, signature=signature)
        try:
            cold = client.getObjectMetadata("mig-bucket", "images/冷 disk.zvhd2")
            assert cold.status == 200
            assert cold.body.contentLength == 7 * 2**30
            assert cold.body.storageClass == "COLD"
            assert client.getObjectMetadata("mig-bucket", "images/gone.zvhd2").status == 404
            assert client.getObjectMetadata("mig-bucket", "images/any.zvhd2").body.storageClass is None
            assert client.headBucket("mig-bucket").status == 200
            assert client.getBucketMetadata("mig-bucket").body.location == "cn-east-3"
            assert client.headBucket("no-such-bucket").status == 404
            assert client.getBucketLocation("mig-bucket").body.location == "cn-east-3"
            assert client.listMultipartUploads("mig-bucket").status == 200
            assert [its.name for its in client.listBuckets().body.buckets] == ["mig-bucket"]
            listed = client.listObjects("mig-bucket", prefix="images/").body.contents
            assert [item.key for item in listed] == ["images/冷 disk.zvhd2"]
            assert wrong.getObjectMetadata("mig-bucket", "images/any.zvhd2").status == 403
        finally:
            client.close()
            wrong.close()

    settings = Settings(
        objects={
            "mig-bucket:images/冷 disk.zvhd2": ObjectSettings(size=7 * 2**30, storage_class="COLD"),
            "mig-bucket:images/gone.zvhd2": ObjectSettings(missing=True),
        },
        buckets={
            "mig-bucket": BucketSettings(region="cn-east-3"),
            "no-such-bucket": BucketSettings(missing=True),
        },
    )
    async with serve(settings) as running:
        await anyio.to_thread.run_sync(work, running.url)


# --- Every way an answer can go wrong, seen from outside ---


async def submit(url: str, token: str, *, timeout: float = 5.0) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
        session.post(url + QUICK, json=wish(), headers={"X-Auth-Token": token}) as answer,
    ):
        return answer.status, await answer.read()


def token_of(running: Any) -> str:
    return str(running.simulator.guard.new_token("cn-north-4", PROJECT, running.now())[0])


async def test_a_plain_answer_arrives_whole():
    async with serve(Settings()) as running:
        status, body = await submit(running.url, token_of(running))

        (line,) = running.simulator.accepted["web-01"]
        assert (status, json.loads(body)) == (200, {"job_id": line.job_id})


@pytest.mark.parametrize(
    ("mishap", "failure", "taken"),
    [
        ("reset_before", aiohttp.ClientConnectionError, False),
        ("reset_after", aiohttp.ClientConnectionError, True),
        ("hang_before", TimeoutError, False),
        ("hang_after", TimeoutError, True),
        ("truncate", aiohttp.ClientPayloadError, True),
    ],
)
async def test_a_lost_answer_is_lost_on_the_wire(mishap, failure, taken, caplog):
    caplog.set_level(logging.DEBUG)
    async with serve(Settings.model_validate({"import_odds": {mishap: 1.0}})) as running:
        with pytest.raises(failure):
            await submit(running.url, token_of(running), timeout=0.2)

        assert ("web-01" in running.simulator.accepted) is taken
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("mishap", ["error_before", "error_after", "html", "throttle"])
async def test_a_bad_answer_arrives_as_such(mishap):
    async with serve(Settings.model_validate({"import_odds": {mishap: 1.0}})) as running:
        status, body = await submit(running.url, token_of(running))

    assert status >= 429
    assert body


async def test_the_server_stops_at_once_even_while_requests_hang():
    async with (
        asyncio.timeout(60),  # they would hang for longer than that
        asyncio.TaskGroup() as group,
        serve(Settings.model_validate({"import_odds": {"hang_before": 1.0}})) as running,
    ):
        token = token_of(running)
        hanging = [group.create_task(lost(running.url, token)) for _ in range(5)]
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/_sim/stats") as page:
            assert page.status == 200
        while running.simulator.stats.requests["import"] < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert all(task.result() for task in hanging)


async def lost(url: str, token: str) -> bool:
    try:
        await submit(url, token)
    except aiohttp.ClientConnectionError:
        return True
    return False


async def test_time_can_run_faster_and_signatures_still_go_by_the_wall_clock():
    def work(url: str) -> str:
        client = sdk(url)
        job_id = client.import_image_quick(asked("fast")).job_id
        while True:
            status = str(status_of(client, job_id).status)
            if status != "RUNNING":
                return status

    async with serve(Settings(job_seconds=3600, job_spread="fixed"), speed=72_000) as running:
        assert await anyio.to_thread.run_sync(work, running.url) == "SUCCESS"


async def test_programs_with_the_same_anchor_and_speed_share_one_time():
    anchor = time.time() - 60

    async with serve(Settings(), speed=100, anchor=anchor) as running:
        token = token_of(running)
        await submit(running.url, token)
        (line,) = running.simulator.accepted["web-01"]

    assert 6000 <= line.accepted_at - anchor < 6600


@pytest.mark.parametrize(
    ("minutes", "status"),
    [
        pytest.param(14, 200, id="in time"),
        pytest.param(-14, 200, id="ahead"),
        pytest.param(16, 401, id="too late"),
    ],
)
async def test_programs_with_the_same_anchor_have_fifteen_real_minutes_for_a_signature(minutes, status):
    class Earlier(SystemClock):
        def now(self) -> float:
            return float(running.now() - minutes * 60 * running.speed)

    async def keys() -> Keys:
        return Keys(ak=settings.access_key, sk=SecretStr(settings.secret_key))

    settings = Settings()
    async with serve(settings, speed=100, anchor=time.time()) as running:
        request = Request(method="GET", url=f"{running.url}/v2/cloudimages")
        signed = await KeySigner(keys, Earlier()).sign(request)

        assert running.simulator.answer(call_of(signed), running.now()).status == status


async def test_connections_are_counted():
    async with serve(Settings()) as running, aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(f"{running.url}/_sim/stats") as page:
                body = await page.json()

        assert body["connections"] == 1
