"""Our clients and the stand-in cloud, which was written from the service's manual and not from them."""

from typing import Any

import anyio
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from migrator.domain.cloud import ImageQuery, JobStatus
from migrator.domain.credentials import Keys, Login
from migrator.domain.errors import (
    CredentialsError,
    CredentialsRenewed,
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Target
from migrator.ims.client import Ims
from migrator.ims.identity import ProjectLookup, TemporaryKeys, TokenSigner
from migrator.ims.signing import KeySigner, ObsSigner
from migrator.ims.storage import Obs
from migrator.io.credentials import MetadataKeys
from migrator.simulator.settings import ObjectSettings, Odds, Settings
from migrator.simulator.simulator import Simulator
from migrator.workflow.verify import mismatches
from tests.fakes import FakeClock, submitted
from tests.ims.scripted import fixed
from tests.simulated import SimulatedHttp

pytestmark = pytest.mark.anyio

BASE = "http://127.0.0.1:8080"
REGION = "cn-north-4"
MARKER = Marker(plan="dc-east", item="abc")
WEB = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("mig-bucket:images/web-01.zvhd2"),
    min_disk=60,
    os_version="CentOS 7.6 64bit",
    architecture="x86",
    image_tags={"app": "shop"},
)
DATA = Image(
    name="迁移 data",
    target="north",
    source=ObjectRef.parse("mig-bucket:images/data.zvhd2"),
    min_disk=500,
    type=ImageType.DATA,
    os_type="Linux",
    tags=("app.shop",),
)


class World:
    """One simulated account, and our clients in front of it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.simulator = Simulator(Settings(**settings), now=self.clock.now())
        self.http = SimulatedHttp(simulator=self.simulator, clock=self.clock, keep=True)
        its = self.simulator.settings
        self.keys = Keys(ak=its.access_key, sk=SecretStr(its.secret_key))
        self.login = Login(user=its.user, password=SecretStr(its.password), domain=its.domain)
        self.project = its.regions[REGION]

    def key_signer(self) -> KeySigner:
        return KeySigner(fixed(self.keys), self.clock)

    def token_signer(self, login: Login | None = None) -> TokenSigner:
        return TokenSigner(self.http, BASE, login or self.login, region=REGION, clock=self.clock)

    def ims(self, signer: KeySigner | TokenSigner | None = None) -> Ims:
        target = Target(name="north", region=REGION, ims_endpoint=BASE, iam_endpoint=BASE, obs_endpoint=BASE)
        signer = signer or self.key_signer()
        if isinstance(signer, TokenSigner):
            return Ims(self.http, signer, target, signer.project_id)
        return Ims(self.http, signer, target, ProjectLookup(self.http, signer, BASE, REGION))


async def followed(ims: Ims, job_id: str) -> JobStatus:
    """The job's last word."""
    for _ in range(10_000):
        report = await ims.job(job_id)
        if report.status in ("SUCCESS", "FAIL"):
            return report
        await anyio.sleep(10)
    raise AssertionError("the job does not end")


@pytest.mark.parametrize("image", [WEB, DATA], ids=["system disk", "data disk"])
@pytest.mark.parametrize("login", ["keys", "password"])
@pytest.mark.parametrize("separator", ["=", "."])
async def test_an_import_is_taken_followed_found_and_is_what_was_asked_for(image, login, separator):
    world = World(tag_separator=separator)
    ims = world.ims(world.key_signer() if login == "keys" else world.token_signer())

    job_id = await submitted(ims, image, MARKER)
    report = await followed(ims, job_id)

    assert (report.status, report.progress) == ("SUCCESS", 1.0)
    for query in (
        ImageQuery(id=report.image_id),
        ImageQuery(name=image.name),
        ImageQuery(tag=("migrator_item", "abc")),
        ImageQuery(created_since=FakeClock.START - 60),
    ):
        [found] = (await ims.images(query)).images
        assert found.id == report.image_id
        assert mismatches(image, MARKER, found) == []
    assert list(world.simulator.accepted) == [image.name]


async def test_a_list_of_many_pages_names_every_image_once(monkeypatch):
    monkeypatch.setattr("migrator.ims.images.PAGE", 7)
    world = World(max_jobs=100, job_seconds=0)
    ims = world.ims()
    names = [f"web-{number:02}" for number in range(30)]
    for name in names:
        await submitted(ims, replace(WEB, name=name), MARKER)

    found: list[str] = []
    after: str | None = None
    while True:
        page = await ims.images(ImageQuery(tag=("migrator_plan", "dc-east")), after=after)
        found += [image.name for image in page.images]
        if (after := page.next) is None:
            break

    assert sorted(found) == names


@pytest.mark.parametrize("place", ["top", "entities", "sub_job"])
async def test_a_failed_job_tells_its_code_wherever_it_is_hidden(place):
    world = World(fail=1.0, fail_codes=("IMG.0158",), fail_places=(place,))
    ims = world.ims()

    job_id = await submitted(ims, WEB, MARKER)
    report = await followed(ims, job_id)

    assert report.fault is not None
    assert report.fault.code == "IMG.0158"
    assert report.fault.request_id
    assert "bitmap" in report.fault.remedy


@pytest.mark.parametrize(
    ("path", "other"), [("progress_path", "/v1/cloudimages/"), ("status_path", "/jobs/")]
)
async def test_a_service_with_one_of_the_job_calls_is_enough(path, other):
    world = World(**{path: False})
    ims = world.ims()
    job_id = await submitted(ims, WEB, MARKER)

    for _ in range(3):
        assert (await ims.job(job_id)).status in ("INIT", "RUNNING")

    assert sum(other in sent.url and job_id in sent.url for sent in world.http.sent) <= 1


async def test_a_job_that_nobody_knows_is_refused_or_asked_again_but_never_believed():
    with pytest.raises((RejectedError, RetryableError)):
        await World().ims().job("ff80808295a1b2c30195a1f0d4c60123")


@pytest.mark.parametrize("says", ["update", "expires", "forbidden"])
async def test_tokens_that_die_early_are_renewed_without_losing_or_doubling_anything(says):
    world = World(token_dies_after=30.0, job_seconds=0, expiry_says=says)
    ims = world.ims(world.token_signer())

    refused = 0
    for number in range(5):
        image = replace(WEB, name=f"web-{number}")
        try:
            await submitted(ims, image, MARKER)
        except CredentialsRenewed:
            refused += 1
            await submitted(ims, image, MARKER)
        await anyio.sleep(31)

    assert refused
    assert [len(taken) for taken in world.simulator.accepted.values()] == [1] * 5


@pytest.mark.parametrize("odds", [Odds(error_after=1.0), Odds(reset_after=1.0), Odds(hang_after=1.0),
                                  Odds(truncate=1.0)], ids=["5xx", "reset", "hang", "truncated"])  # fmt: skip
async def test_an_import_whose_answer_is_lost_may_have_happened(odds):
    world = World(import_odds=odds)

    with pytest.raises(OutcomeUnknown):
        await submitted(world.ims(), WEB, MARKER)

    assert list(world.simulator.accepted) == ["web-01"]


async def test_a_throttled_import_never_happened():
    world = World(import_odds=Odds(throttle=1.0))

    with pytest.raises(RetryableError) as caught:
        await submitted(world.ims(), WEB, MARKER)

    assert caught.value.throttled
    assert not world.simulator.accepted


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        pytest.param({"quota": 0}, TargetHaltedError, id="quota"),
        pytest.param({"max_jobs": 1, "other_jobs": 1}, RetryableError, id="flow control"),
        pytest.param(
            {"objects": {"mig-bucket:images/web-01.zvhd2": ObjectSettings(missing=True)}},
            RejectedError,
            id="no file",
        ),
    ],
)
async def test_a_refused_import_says_whose_move_it_is(settings, kind):
    world = World(**settings)

    with pytest.raises(kind) as caught:
        await submitted(world.ims(), WEB, MARKER)

    assert caught.value.fault.code.startswith("IMG.")
    assert caught.value.fault.request_id
    assert not world.simulator.accepted


async def test_a_name_that_exists_is_told_apart():
    world = World(unique_names=True)
    ims = world.ims()
    await submitted(ims, WEB, MARKER)

    with pytest.raises(NameTaken):
        await submitted(ims, WEB, MARKER)


async def test_wrong_keys_are_refused_once_and_lock_nothing():
    world = World()
    world.keys = Keys(ak=world.keys.ak, sk=SecretStr("wrong"))

    with pytest.raises(TargetHaltedError):
        await world.ims().quota()

    assert len(world.http.sent) == 1


async def test_a_wrong_password_is_tried_once():
    world = World()
    ims = world.ims(world.token_signer(Login(user="simulator", password=SecretStr("no"), domain="simulator")))

    for _ in range(5):
        with pytest.raises(TargetHaltedError) as caught:
            await ims.quota()

    assert isinstance(caught.value.__cause__, CredentialsError)
    assert len(world.http.sent) == 1


async def test_quota_operating_systems_and_deletion_are_understood():
    world = World(job_seconds=0, quota=50, quota_used=12)
    ims = world.ims()
    await submitted(ims, WEB, MARKER)
    await anyio.sleep(1)
    [image] = (await ims.images(ImageQuery(name="web-01"))).images

    assert "CentOS 7.6 64bit" in await ims.os_versions()
    assert (await ims.quota()).limit == 50
    await ims.delete(image.id)
    await ims.delete(image.id)
    assert (await ims.images(ImageQuery(name="web-01"))).images == ()


@pytest.mark.parametrize("source", ["keys", "token"])
@pytest.mark.parametrize("endpoint", [BASE, "https://obs.cn-north-4.myhuaweicloud.com"])
async def test_objects_and_buckets_are_seen_through_either_kind_of_signature(source, endpoint):
    cold = {"mig-bucket:images/a b.raw": ObjectSettings(size=7, storage_class="COLD")}
    world = World(objects=cold, any_object=False)
    keys = fixed(world.keys)
    if source == "token":
        keys = TemporaryKeys(world.http, world.token_signer(), BASE, world.clock)
    obs = Obs(world.http, ObsSigner(keys, world.clock), endpoint)

    info = await obs.object("mig-bucket", "images/a b.raw")
    bucket = await obs.bucket("mig-bucket")

    assert info is not None
    assert (info.size, info.storage_class) == (7, "COLD")
    assert bucket is not None
    assert bucket.storage_class == "STANDARD"
    assert await obs.object("mig-bucket", "images/other.raw") is None
    assert await obs.bucket("no-such-bucket") is None


async def test_wrong_keys_do_not_say_that_an_object_is_missing():
    world = World()
    keys = fixed(Keys(ak=world.keys.ak, sk=SecretStr("wrong")))

    with pytest.raises(RejectedError):
        await Obs(world.http, ObsSigner(keys, world.clock), BASE).object("mig-bucket", "x.raw")


@pytest.mark.parametrize("metadata", ["new", "old"])
async def test_the_metadata_of_an_ecs_gives_keys_that_the_service_accepts(metadata):
    world = World(metadata=metadata)
    source = MetadataKeys(world.http, world.clock, BASE)

    assert await world.ims(KeySigner(source, world.clock)).quota()


async def test_off_an_ecs_there_is_no_metadata():
    world = World(metadata="off")

    with pytest.raises(CredentialsError):
        await MetadataKeys(world.http, world.clock, BASE)()
