"""The stand-in in this process: failures sorted as on a connection, and each region a cloud of its own."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from migrator.cli.stand_in import InProcessHttp, StandIn
from migrator.domain.errors import OutcomeUnknown
from migrator.domain.http import Request
from migrator.domain.units import Rate
from migrator.simulator.settings import Odds, Settings
from migrator.simulator.simulator import Simulator
from tests.examples import a_plan
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

VERSIONS = Request(method="GET", url="http://127.0.0.1/")


def road(clock: FakeClock, **settings: Any) -> InProcessHttp:
    simulator = Simulator(Settings(**settings), now=clock.now())
    return InProcessHttp(simulator, clock, timeout=30.0, max_requests=2)


async def test_an_answer_takes_its_time_and_bears_the_simulated_date():
    clock = FakeClock()

    answer = await road(clock, latency=(5.0, 5.0)).send(VERSIONS)

    assert answer.status in (200, 300)
    assert clock.monotonic() == pytest.approx(5.0)
    assert answer.headers["date"] == "Sun, 17 Mar 2030 17:46:45 GMT"


async def test_of_an_answer_no_more_is_taken_than_the_request_wants():
    whole = await road(FakeClock()).send(VERSIONS)

    piece = await road(FakeClock()).send(replace(VERSIONS, wanted_bytes=5))

    assert len(whole.body) > 5
    assert piece.body == whole.body[:5]


@pytest.mark.parametrize(
    ("odds", "code", "after"),
    [
        pytest.param({"hang_before": 1.0}, "MIG.timeout", 30.0, id="no answer"),
        pytest.param({"reset_after": 1.0}, "MIG.reset", 0.0, id="torn down"),
        pytest.param({"truncate": 1.0}, "MIG.truncated", 0.0, id="cut short"),
    ],
)
async def test_what_may_have_arrived_is_sorted_as_on_a_connection(odds, code, after):
    clock = FakeClock()

    with pytest.raises(OutcomeUnknown) as caught:
        await road(clock, other_odds=Odds(**odds)).send(VERSIONS)

    assert caught.value.fault.code == code
    assert clock.monotonic() == pytest.approx(after)


async def test_an_answer_that_comes_too_late_is_lost():
    clock = FakeClock()

    with pytest.raises(OutcomeUnknown) as caught:
        await road(clock, latency=(31.0, 31.0)).send(VERSIONS)

    assert (caught.value.fault.code, clock.monotonic()) == ("MIG.timeout", 30.0)


async def test_no_more_requests_are_in_flight_than_the_plan_allows():
    clock = FakeClock()
    http = road(clock, latency=(10.0, 10.0))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(http.send, VERSIONS)

    assert clock.monotonic() == pytest.approx(30.0)


async def test_a_rate_limit_of_one_region_is_none_of_the_other():
    clock = FakeClock()
    plan = a_plan(1)
    north = next(iter(plan.targets.values()))
    east = north.model_copy(update={"name": "east", "region": "cn-east-3"})
    settings = Settings(rate_limits={"versions": Rate(count=1, unit="h")})
    cloud = StandIn(settings, [north.region, east.region, north.region], clock)

    async def statuses(target: Any) -> list[int]:
        async with cloud.http(target) as http:
            return [(await http.send(VERSIONS)).status for _ in range(2)]

    assert [(await statuses(target))[1] for target in (north, east)] == [429, 429]
    assert [one.stats.requests["versions"] for one in cloud.simulators.values()] == [2, 2]
    assert cloud.requests == {"versions": 4}
    assert cloud.codes == {"APIGW.0308": 2}


# --- Rehearsed --------------------------------------------------------------------------------------------


PLAN = """
[plan]
name = "regions"
[limits]
submit_rate = "60/m"
[targets.north]
region = "cn-north-4"
[targets.sub]
region = "cn-north-4"
project_id = "aaaabbbbccccddddaaaabbbbccccdddd"
[targets.east]
region = "cn-east-3"
[defaults]
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""


def test_a_plan_for_several_regions_and_projects_is_rehearsed_in_one_run(desk: Callable[..., Any]):
    it = desk()
    it.preflight = True
    rows = "".join(
        f'[[images]]\nname = "web-{n:02}"\ntarget = "{target}"\nimage_url = "bucket-{bucket}:{n}.zvhd2"\n'
        for n in range(12)
        for target, bucket in (("north", "north"), ("sub", "north"), ("east", "east"))
    )
    path = it.folder / "regions.toml"
    path.write_text(PLAN + rows)

    calm = it("run", path, "--simulate", "--json")
    busy = it("run", path, "--simulate", "busy", "--json", "--quiet")

    assert calm.code == 0, calm.err
    (shown,) = calm.objects
    assert shown["totals"]["succeeded"] == 36
    assert shown["preflight"]["findings"] == []
    assert shown["most_jobs"] == 12
    assert busy.objects[0]["totals"]["pending"] == 0


def test_each_region_is_served_at_an_address_of_its_own(desk: Callable[..., Any]):
    it = desk()
    child = it.start("simulate", "--json", "--region", "cn-east-3", "--region", "cn-north-4")
    try:
        told = json.loads(child.stdout.readline())
        it.env = {"HUAWEICLOUD_SDK_AK": told["ak"], "HUAWEICLOUD_SDK_SK": told["sk"]}
        it.preflight = True
        text = PLAN.replace("[targets.sub]", "[targets.again]").replace(
            'project_id = "aaaabbbbccccddddaaaabbbbccccdddd"\n', ""
        )
        for region, url in told["regions"].items():
            hosts = "".join(f'{service}_endpoint = "{url}"\n' for service in ("ims", "iam", "obs"))
            text = text.replace(f'region = "{region}"\n', f'region = "{region}"\n{hosts}')
        rows = "".join(
            f'[[images]]\nname = "web"\ntarget = "{target}"\nimage_url = "bucket-{target}:web.zvhd2"\n'
            for target in ("north", "east")
        )
        path = it.folder / "regions.toml"
        path.write_text(text + rows)
        checked = it("preflight", path, "--json")
    finally:
        child.terminate()
        child.communicate()

    assert list(told["regions"]) == ["cn-east-3", "cn-north-4"]
    assert told["url"] == told["regions"]["cn-east-3"]
    assert checked.code == 0, checked.out
    assert {one["severity"] for one in checked.objects[0]["findings"]} <= {"info"}
