"""Preflight asks the real clients, which ask the simulator: all that it finds, and what the asking costs."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

import anyio
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys, ReadyToken
from migrator.domain.disk_header import ByteRange
from migrator.domain.errors import OutcomeUnknown, Unreachable
from migrator.domain.http import Request, Response
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Limits, Plan, Policy, Retry, Target
from migrator.domain.units import Rate
from migrator.engine.preflight import PreflightResult, PreflightServices, preflight
from migrator.ims.client import Ims
from migrator.ims.identity import FixedTokenSigner, Projects, TemporaryKeys
from migrator.ims.signing import KeySigner, ObsSigner
from migrator.ims.storage import Obs
from migrator.preflight import Finding
from migrator.simulator.settings import BucketSettings, ObjectSettings, Odds, Settings
from migrator.simulator.simulator import Simulator
from migrator.workflow.events import AttemptBegan, JobAccepted
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import marker, planned, startup_events
from tests.disk_files import SparseFile
from tests.fakes import FakeClock, submitted
from tests.simulated import SimulatedHttp

pytestmark = pytest.mark.anyio

GB = 2**30
PROJECT = "0123456789abcdef0123456789abcdef"
EAST = "1123456789abcdef0123456789abcdef"
ROOM = 10_000
"""A quota that every plan here fits into."""

FINE = ObjectSettings(size=5 * GB)


class SkewedClock(FakeClock):
    """Ours, which somebody set wrong."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class DatedHttp(SimulatedHttp):
    """The simulator, whose answers bear the date by the right clock; `before` may answer in its place."""

    before: Callable[[Request], Response | Exception | None] = lambda request: None
    moments: list[float] = field(default_factory=list)
    insides: dict[str, SparseFile] = field(default_factory=dict)
    """By key, what lies in the files; whatever is not here is empty space."""

    async def send(self, request: Request) -> Response:
        self.moments.append(self.clock.monotonic())
        instead = self.before(request)
        if isinstance(instead, Exception):
            await anyio.lowlevel.checkpoint()
            raise instead
        answer = instead or self._piece(request) or await super().send(request)
        return replace(
            answer, headers={"date": formatdate(int(self.clock.now()), usegmt=True)} | answer.headers
        )

    def _piece(self, request: Request) -> Response | None:
        """Some bytes of a file, as the storage sends them."""
        if (asked := request.headers.get("Range")) is None:
            return None
        self.sent.append(request)
        key = request.url.rpartition("/")[2]
        file = self.insides.get(key, SparseFile(size=5 * GB))
        first, last = (int(text) if text else None for text in asked.removeprefix("bytes=").split("-"))
        assert last is not None
        body = file.read(ByteRange(first, last))
        start = file.size - len(body) if first is None else first
        told = f"bytes {start}-{start + len(body) - 1}/{file.size}"
        return Response(status=206, headers={"content-range": told}, body=body)


@dataclass
class Harness:
    """A plan, a simulated cloud, and preflight of the one against the other."""

    plan: Plan
    settings: Settings = field(default_factory=lambda: Settings(quota=ROOM))
    ahead: float = 0.0
    secret: str = ""
    by_token: bool = False
    project_id: str | None = None
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        self.clock = SkewedClock(self.ahead)
        self.simulator = Simulator(self.settings, now=FakeClock.START)
        self.http = DatedHttp(simulator=self.simulator, clock=FakeClock(), keep=True)
        for event in startup_events(planned(self.plan), self.ledger, FakeClock.START):
            self.ledger.apply(event)

    async def run(
        self, *, thorough: bool = True, keys: list[str] | None = None, seed: int = 0
    ) -> PreflightResult:
        keys_ = Keys(ak=self.settings.access_key, sk=SecretStr(self.secret or self.settings.secret_key))

        async def source() -> Keys:
            return keys_

        services = {}
        for name, target in self.plan.targets.items():
            signer: KeySigner | FixedTokenSigner = KeySigner(source, self.clock)
            for_objects = ObsSigner(source, self.clock)
            if self.by_token:
                text, _ = self.simulator.guard.new_token("cn-north-4", PROJECT, FakeClock.START)
                signer = FixedTokenSigner(ReadyToken(token=SecretStr(text)))
                temporary = TemporaryKeys(self.http, signer, target.iam_endpoint, self.clock)
                for_objects = ObsSigner(temporary, self.clock)
            services[name] = PreflightServices(
                images=Ims(self.http, signer, target, self.project_id or PROJECT),
                objects=Obs(self.http, for_objects, target.obs_endpoint),
                registry=Projects(self.http, signer, target.iam_endpoint),
                project_id=self.project_id,
            )
        return await preflight(
            self.plan,
            self.ledger,
            list(self.ledger.states) if keys is None else keys,
            services,
            self.clock,
            self.clock,
            random.Random(seed),
            thorough=thorough,
        )

    @property
    def requests(self) -> dict[str, int]:
        return dict(self.simulator.stats.requests)


def a_target(**limits: object) -> Target:
    return Target(
        name="north",
        region="cn-north-4",
        ims_endpoint="https://ims.cn-north-4.example",
        iam_endpoint="https://iam.cn-north-4.example",
        obs_endpoint="https://obs.cn-north-4.example",
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


def an_image(name: str, key: str | None = None, **more: object) -> Image:
    fields: dict[str, object] = {
        "source": ObjectRef("disks", key or f"{name}.zvhd2"),
        "min_disk": 40,
        "os_version": "CentOS 7.6 64bit",
    }
    return Image(name=name, target="north", **{**fields, **more})  # type: ignore[arg-type]


def a_plan(*images: Image, limits: dict[str, object] | None = None, **tables: object) -> Plan:
    plan = Plan(name="dc", targets={"north": a_target(**(limits or {}))}, images=images)
    return plan.model_copy(update=tables)


def named(result: PreflightResult) -> dict[str, Finding]:
    """The findings by code, but for the advice that the files are small."""
    return {one.code: one for one in result.findings if one.code != "PF065"}


# --- Defects --------------------------------------------------------------------------------------------

DEFECTS: dict[str, tuple[Image, dict[str, object]]] = {
    "PF030": (an_image("os", os_version="CentOS 7.6 64 bits"), {"disks:os.zvhd2": FINE}),
    "PF032": (
        an_image("windows", os_version="Windows Server 2019 Standard 64bit"),
        {"disks:windows.zvhd2": FINE},
    ),
    "PF040": (an_image("bucket", source=ObjectRef.parse("nowhere:x.zvhd2")), {}),
    "PF041": (an_image("region", source=ObjectRef.parse("east:x.zvhd2")), {"east:x.zvhd2": FINE}),
    "PF042": (an_image("class", source=ObjectRef.parse("warm:x.zvhd2")), {"warm:x.zvhd2": FINE}),
    "PF043": (an_image("files", source=ObjectRef.parse("shared:x.zvhd2")), {"shared:x.zvhd2": FINE}),
    "PF050": (an_image("missing"), {"disks:missing.zvhd2": ObjectSettings(missing=True)}),
    "PF051": (an_image("begun"), {"disks:begun.zvhd2": ObjectSettings(missing=True, upload_begun=True)}),
    "PF052": (an_image("empty"), {"disks:empty.zvhd2": ObjectSettings(size=0)}),
    "PF053": (an_image("huge", min_disk=1024), {"disks:huge.zvhd2": ObjectSettings(size=2**40 + 1)}),
    "PF054": (an_image("large", min_disk=1024), {"disks:large.zvhd2": ObjectSettings(size=10**12 + 1)}),
    "PF055": (an_image("cold"), {"disks:cold.zvhd2": ObjectSettings(storage_class="COLD", size=GB)}),
    "PF056": (
        an_image("sse-c"),
        {"disks:sse-c.zvhd2": ObjectSettings(sse="customer", sse_told=True, size=GB)},
    ),
    "PF057": (an_image("kms"), {"disks:kms.zvhd2": ObjectSettings(sse="kms", size=GB)}),
    "PF058": (an_image("bitmap", "bitmap.raw"), {"disks:bitmap.raw": FINE}),
    "PF059": (
        an_image("hollow", "hollow.raw"),
        {"disks:hollow.raw": FINE, "disks:hollow.mf": ObjectSettings(size=0)},
    ),
    "PF062": (an_image("small"), {"disks:small.zvhd2": ObjectSettings(size=41 * GB)}),
    "PF063": (
        an_image("exact", "exact.raw"),
        {"disks:exact.raw": ObjectSettings(size=40 * GB), "disks:exact.mf": FINE},
    ),
    "PF064": (
        an_image("full", "full.raw", min_disk=1024),
        {"disks:full.raw": ObjectSettings(size=1024 * GB), "disks:full.mf": FINE},
    ),
    "PF070": (an_image("twice", "cold.zvhd2"), {}),
    "PF071": (an_image("tags", image_tags={f"t{n}": "" for n in range(9)}), {"disks:tags.zvhd2": FINE}),
    "PF096": (an_image("secret"), {"disks:secret.zvhd2": ObjectSettings(forbidden=True)}),
}
"""By code: an image that has this one fault, and what has to lie in the storage for it."""


def a_cloud(**more: object) -> Settings:
    objects = {address: its for _, stored in DEFECTS.values() for address, its in stored.items()}
    buckets = {
        "disks": BucketSettings(),
        "east": BucketSettings(region="cn-east-3"),
        "warm": BucketSettings(storage_class="WARM"),
        "shared": BucketSettings(parallel_file_system=True),
    }
    fields: dict[str, object] = {"objects": objects, "buckets": buckets, "any_object": False, "quota": ROOM}
    return Settings(**{**fields, **more})


@pytest.mark.parametrize(
    "thorough", [pytest.param(True, id="command"), pytest.param(False, id="before a run")]
)
async def test_every_planted_defect_is_found_in_one_pass_and_nothing_is_sent(thorough):
    harness = Harness(a_plan(*(image for image, _ in DEFECTS.values())), a_cloud(quota=20))

    found = named(await harness.run(thorough=thorough))

    for code, (image, _) in DEFECTS.items():
        assert image.key in [item.key for item in found[code].items], code
    assert set(found) - set(DEFECTS) == {"PF010"}
    assert {code: len(one.items) for code, one in found.items() if len(one.items) != 1} == {
        "PF010": 0,
        "PF054": 2,  # 1024 GB is one of the sizes that may be too large
        "PF055": 2,  # the cold file is there for two images
    }
    assert harness.simulator.accepted == {}
    assert {request.method for request in harness.http.sent} == {"GET", "HEAD"}


async def test_an_object_that_the_storage_says_nothing_of_is_said_to_be_unchecked():
    stored = {"disks:a.zvhd2": ObjectSettings(sse="customer", size=GB), "disks:b.zvhd2": FINE}
    harness = Harness(a_plan(an_image("a"), an_image("b")), a_cloud(objects=stored))

    found = named(await harness.run())

    assert {code: [item.key for item in one.items] for code, one in found.items()} == {"PF096": ["north/a"]}


async def test_a_plan_without_a_fault_has_none_and_tells_sizes():
    images = [an_image("a"), an_image("b", "b.raw", type=ImageType.DATA, os_type="Linux", os_version=None)]
    stored = {"disks:a.zvhd2": ObjectSettings(size=7 * GB), "disks:b.raw": FINE, "disks:b.mf": FINE}
    harness = Harness(a_plan(*images), a_cloud(objects=stored), project_id=PROJECT)

    result = await harness.run()

    assert named(result) == {}
    assert (result.exit_code, result.images) == (0, 2)
    assert result.sizes == {"north/a": 7 * GB, "north/b": 5 * GB}


async def test_the_project_is_held_against_the_region():
    harness = Harness(a_plan(an_image("a")), project_id=EAST)

    assert list(named(await harness.run())) == ["PF006"]


async def test_names_that_are_taken_are_told_from_our_own():
    plan = a_plan(an_image("ours"), an_image("theirs"), an_image("new"))
    harness = Harness(plan, Settings(quota_used=0))
    other = Harness(a_plan(an_image("theirs"), name="other"), harness.settings)
    other.simulator = harness.simulator
    for image, name in ((plan.images[0], "dc"), (plan.images[1], "other")):
        cloud = Ims(
            harness.http,
            KeySigner(fixed_keys(harness.settings), harness.clock),
            plan.targets["north"],
            PROJECT,
        )
        await submitted(cloud, image, marker(name, image.key))

    found = named(await harness.run())

    assert {code: [item.key for item in one.items] for code, one in found.items()} == {
        "PF020": ["north/theirs"],
        "PF021": ["north/ours"],
    }
    assert "migrator_plan=other" in found["PF020"].items[0].says


async def test_names_are_looked_for_on_every_page():
    harness = Harness(a_plan(an_image("theirs")))

    def pages(request: Request) -> Response | None:
        if not request.url.endswith("/v2/cloudimages"):
            return None
        number = int(dict(request.query).get("marker", "0"))
        rows = [{"id": str(number + 1), "name": "theirs" if number == 2 else "x", "status": "active"}]
        return Response(status=200, body=json.dumps({"images": rows if number < 3 else []}).encode())

    harness.http.before = pages

    assert list(named(await harness.run())) == ["PF020"]


def fixed_keys(settings: Settings):
    async def source() -> Keys:
        return Keys(ak=settings.access_key, sk=SecretStr(settings.secret_key))

    return source


# --- When it gets no answer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "code", "exits"),
    [
        pytest.param(1000.0, "PF004", 4, id="a quarter of an hour ahead"),
        pytest.param(-1000.0, "PF004", 4, id="a quarter of an hour behind"),
        pytest.param(305.0, "PF005", 0, id="five minutes ahead"),
        pytest.param(-305.0, "PF005", 0, id="five minutes behind"),
        pytest.param(295.0, None, 0, id="not quite five minutes ahead"),
        pytest.param(-295.0, None, 0, id="not quite five minutes behind"),
    ],
)
async def test_a_wrong_clock_is_found_without_a_single_wrong_signature(ahead, code, exits):
    harness = Harness(a_plan(an_image("a")), ahead=ahead)

    result = await harness.run()

    assert list(named(result)) == ([code] if code else [])
    assert result.exit_code == exits
    signed = [request for request in harness.http.sent if "Authorization" in request.headers]
    assert bool(signed) is (code != "PF004")


async def test_wrong_credentials_are_tried_once_and_end_it():
    harness = Harness(a_plan(*(an_image(f"web-{n}") for n in range(50))), secret="wrong")

    result = await harness.run()

    assert list(named(result)) == ["PF002"]
    assert result.exit_code == 6
    assert "wrong" not in repr(result)
    assert sum("Authorization" in request.headers for request in harness.http.sent) == 1


async def test_nobody_there_is_told_after_some_tries():
    harness = Harness(a_plan(an_image("a")))
    harness.http.before = lambda request: Unreachable(Fault(code="MIG.dns", message="no such host"))

    result = await harness.run()

    assert list(named(result)) == ["PF001"]
    assert result.exit_code == 7
    assert len(harness.http.moments) == 5
    assert harness.clock.monotonic() < 60


async def test_somebody_else_there_is_told_too():
    harness = Harness(a_plan(an_image("a")))
    harness.http.before = lambda request: Response(status=200, body=b"<html>Welcome!</html>")

    result = await harness.run()

    assert list(named(result)) == ["PF001"]
    assert "Welcome!" in named(result)["PF001"].says


@pytest.mark.parametrize(
    ("call", "code", "exits"),
    [
        pytest.param("quota", "PF092", 0, id="quota"),
        pytest.param("list", "PF003", 6, id="list"),
        pytest.param("os_version", "PF094", 0, id="operating systems"),
    ],
)
async def test_a_right_that_is_missing_hides_nothing_else(call, code, exits):
    plan = a_plan(an_image("a", "missing.zvhd2"))
    harness = Harness(plan, a_cloud(forbidden=frozenset({call})))

    result = await harness.run()

    assert set(named(result)) == {code, "PF050"}
    assert result.exit_code == (exits or 4)


async def test_a_bucket_that_may_not_be_read_is_said_and_not_asked_about_a_thousand_times():
    plan = a_plan(*(an_image(f"web-{n:03}") for n in range(300)))
    harness = Harness(plan, a_cloud(buckets={"disks": BucketSettings(forbidden=True)}))

    found = named(await harness.run())

    assert {code: len(one.items) for code, one in found.items()} == {"PF095": 300, "PF096": 300}
    assert harness.requests["object"] <= 20


async def test_unreadable_objects_do_not_hide_the_others_of_a_readable_bucket():
    stored = {f"disks:web-{n}.zvhd2": ObjectSettings(forbidden=n < 5, missing=n == 7) for n in range(8)}
    images = [an_image(f"web-{n}") for n in range(8)]
    harness = Harness(a_plan(*images, limits={"max_requests": 1}), a_cloud(objects=stored))

    found = named(await harness.run())

    assert {code: len(one.items) for code, one in found.items()} == {"PF050": 1, "PF096": 5}


async def test_in_token_mode_the_storage_is_asked_with_temporary_keys():
    harness = Harness(a_plan(an_image("a", "missing.zvhd2")), a_cloud(), by_token=True)

    assert list(named(await harness.run())) == ["PF050"]


async def test_without_keys_for_the_storage_that_is_said_once():
    harness = Harness(a_plan(*(an_image(f"web-{n}") for n in range(50))), by_token=True)
    harness.http.before = lambda request: (
        Response(status=403, body=b'{"error_msg":"no","error_code":"IAM.0003"}')
        if "securitytokens" in request.url
        else None
    )

    result = await harness.run()

    assert {code: len(one.items) for code, one in named(result).items()} == {"PF095": 50, "PF096": 50}
    assert sum("securitytokens" in request.url for request in harness.http.sent) == 0
    assert len(harness.http.moments) < 20


async def test_a_storage_out_of_reach_refuses_nothing():
    harness = Harness(a_plan(*(an_image(f"web-{n}") for n in range(50))))
    harness.http.before = lambda request: (
        Unreachable(Fault(code="MIG.refused", message="refused")) if "obs." in request.url else None
    )

    result = await harness.run()

    assert {code: len(one.items) for code, one in named(result).items()} == {"PF095": 50, "PF096": 50}
    assert result.exit_code == 0
    assert len(harness.http.moments) < 200


@pytest.mark.parametrize("seed", range(5))
async def test_a_service_that_stumbles_is_asked_again(seed):
    odds = Odds(error_before=0.1, reset_before=0.05, throttle=0.1, html=0.02)
    plan = a_plan(*(image for image, _ in DEFECTS.values()))
    harness = Harness(plan, a_cloud(other_odds=odds, seed=seed, latency=(0.01, 0.2)))

    found = named(await harness.run(seed=seed))

    assert set(DEFECTS) <= set(found)


async def test_a_service_that_is_down_is_a_warning_and_soon_over():
    harness = Harness(a_plan(*(an_image(f"web-{n:03}") for n in range(200))))
    harness.http.before = lambda request: (
        OutcomeUnknown(Fault(code="MIG.timeout", message="no answer"))
        if "cloudimages" in request.url
        else None
    )

    result = await harness.run()

    assert set(named(result)) == {"PF092", "PF093", "PF094"}
    assert result.exit_code == 0
    assert harness.requests["object"] == 200
    assert harness.clock.monotonic() < 120


async def test_a_patience_that_is_asked_for_is_given_within_reason():
    harness = Harness(a_plan(an_image("a")))
    waits = ["30", "3000"]

    def busy(request: Request) -> Response | None:
        if "quota" in request.url and waits:
            return Response(status=429, headers={"retry-after": waits.pop(0)}, body=b"{}")
        return None

    harness.http.before = busy

    result = await harness.run()

    assert set(named(result)) == {"PF092"}
    assert 30 <= harness.clock.monotonic() < 60


# --- What it costs --------------------------------------------------------------------------------------


def a_thousand() -> tuple[list[Image], dict[str, ObjectSettings]]:
    """Half of them RAW, in two buckets, among as many files that nobody wants."""
    images, stored = [], {}
    for n in range(1000):
        bucket, raw = f"disks-{n % 2}", n % 4 < 2
        key = f"vm/{n:04}.{'raw' if raw else 'zvhd2'}"
        images.append(an_image(f"vm-{n:04}", source=ObjectRef.parse(f"{bucket}:{key}")))
        stored[f"{bucket}:{key}"] = FINE
        stored[f"{bucket}:vm/{n:04}.txt"] = FINE
        if raw:
            stored[f"{bucket}:vm/{n:04}.mf"] = ObjectSettings(size=77)
    return images, stored


async def test_a_thousand_images_cost_two_questions_each_and_keep_to_the_rate():
    images, stored = a_thousand()
    limits = {"query_rate": Rate(count=20, unit="s"), "query_burst": 5, "max_requests": 8}
    harness = Harness(
        a_plan(*images, limits=limits), a_cloud(objects=stored, buckets={}, latency=(0.05, 0.2))
    )

    result = await harness.run()

    assert named(result) == {}
    assert len(result.sizes) == 1000
    assert harness.requests["object"] == 1000
    lists = sum("max-keys" in dict(request.query) for request in harness.http.sent)
    heads = sum(
        request.method == "HEAD" and request.url.endswith("example/") for request in harness.http.sent
    )
    assert (heads, lists) == (2, harness.requests["bucket"] - 2)
    assert lists <= 6
    assert sum("Range" in request.headers for request in harness.http.sent) == 1000
    assert len(harness.http.moments) <= 2 * 1000 + 20
    assert harness.http.most_in_flight <= 8
    for start, moment in enumerate(harness.http.moments):
        within = sum(moment <= other < moment + 5.0 for other in harness.http.moments[start : start + 200])
        assert within <= 5 + 20 * 5.0 + 1


async def test_before_a_run_a_thousand_images_take_seconds_at_the_default_rate():
    images, stored = a_thousand()
    stored["disks-1:vm/0501.raw"] = ObjectSettings(size=0)
    del stored["disks-0:vm/0500.mf"]
    harness = Harness(
        a_plan(*images),
        a_cloud(objects=stored, buckets={"disks-0": BucketSettings(), "disks-1": BucketSettings()}),
    )

    found = named(await harness.run(thorough=False))

    samples = ("PF097", "PF099")
    assert {code: [item.key for item in one.items] for code, one in found.items() if code not in samples} == {
        "PF052": ["north/vm-0501"],
        "PF058": ["north/vm-0500"],
    }
    assert found["PF097"].says == "100 of 1000 objects"
    assert found["PF099"].says == "300 of 999 files"  # the empty one has no inside
    assert len(harness.http.moments) < 425
    assert harness.clock.monotonic() < 45


async def test_a_bucket_that_may_not_be_listed_is_asked_file_by_file():
    images, stored = a_thousand()
    harness = Harness(a_plan(*images[:200]), a_cloud(objects=stored, buckets={}))
    harness.http.before = lambda request: (
        Response(status=403, body=b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        if "max-keys" in dict(request.query)
        else None
    )

    result = await harness.run(thorough=False)

    assert named(result) == {}
    assert harness.requests["object"] == 300  # a hundred of them are RAW


async def test_never_more_questions_are_under_way_than_the_plan_allows():
    plan = a_plan(
        *(an_image(f"web-{n:03}", source=ObjectRef.parse(f"disks-{n % 10}:{n}.zvhd2")) for n in range(100)),
        limits={"query_rate": Rate(count=100, unit="s"), "max_requests": 4},
    )
    harness = Harness(plan, Settings(latency=(0.5, 1.0), quota=ROOM))

    await harness.run()

    assert harness.http.most_in_flight == 4


async def test_when_it_is_too_much_for_the_service_everybody_is_silent():
    harness = Harness(a_plan(*(an_image(f"web-{n:03}") for n in range(50))))
    throttled: list[float] = []

    def busy(request: Request) -> Response | None:
        if request.method == "HEAD" and "web-02" in request.url and not throttled:
            throttled.append(harness.clock.monotonic())
            return Response(status=429, headers={"retry-after": "20"})
        return None

    harness.http.before = busy

    assert named(await harness.run()) == {}
    later = [moment for moment in harness.http.moments if moment > throttled[0]]
    assert min(later) >= throttled[0] + 20


# --- What is left to do ---------------------------------------------------------------------------------


async def test_a_resumed_run_with_nothing_to_submit_asks_for_time_and_quota_only():
    harness = Harness(a_plan(an_image("a", "missing.zvhd2")), a_cloud())
    for event in (
        AttemptBegan(at=1.0, key="north/a", attempt=1, digest="d"),
        JobAccepted(at=2.0, key="north/a", job_id="j"),
    ):
        harness.ledger.apply(event)

    result = await harness.run()

    assert (result.findings, result.images) == ([], 0)
    assert len(harness.http.sent) == 2
    assert harness.requests["quota"] == 1


async def test_what_runs_already_may_need_room_of_the_quota_too():
    harness = Harness(a_plan(an_image("a"), an_image("b")), Settings(quota=1))
    harness.ledger.apply(AttemptBegan(at=1.0, key="north/a", attempt=1, digest="d"))

    assert list(named(await harness.run())) == ["PF012"]


async def test_only_the_images_of_this_run_are_looked_at():
    harness = Harness(a_plan(an_image("a", "missing.zvhd2"), an_image("b", "empty.zvhd2")), a_cloud())

    assert list(named(await harness.run(keys=["north/b"]))) == ["PF052"]
    assert (await harness.run(keys=[])).findings == []


async def test_the_plans_own_pauses_are_not_waited_for_when_they_are_long():
    retry = Retry(base=3600.0, cap=7200.0)
    harness = Harness(a_plan(an_image("a"), retry=retry, policy=Policy(settle=1.0)))
    harness.http.before = lambda request: Unreachable(Fault(code="MIG.dns", message="no such host"))

    await harness.run()

    assert len(harness.http.moments) == 5
    assert harness.clock.monotonic() < 60
