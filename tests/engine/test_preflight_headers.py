"""Preflight looks into files: what it finds there, what that costs, and what a refusal hides."""

import pytest

from migrator.domain.disk_header import DiskFormat
from migrator.domain.http import Request, Response
from migrator.domain.units import Rate
from migrator.simulator.settings import ObjectSettings
from tests.disk_files import CASE_NAMES, SparseFile, a_case
from tests.engine.test_preflight import FINE, GB, Harness, a_cloud, a_plan, an_image, named

pytestmark = pytest.mark.anyio

QCOW2 = a_case("qcow2")[0]
"""60 GB, in a file of 193 KiB."""


def a_harness(
    insides: dict[str, SparseFile], limits: dict[str, object] | None = None, **settings: object
) -> Harness:
    """A data centre whose files have these insides, in one bucket."""
    images = [an_image(key.rpartition(".")[0], key) for key in insides]
    stored = {f"disks:{key}": ObjectSettings(size=file.size) for key, file in insides.items()}
    stored |= {f"disks:{name.partition('.')[0]}.mf": FINE for name in insides if name.endswith(".raw")}
    harness = Harness(a_plan(*images, limits=limits), a_cloud(**{"objects": stored, **settings}))
    harness.http.insides = insides
    return harness


def pieces(harness: Harness) -> list[str]:
    """The ranges that were asked for, in order."""
    return [request.headers["Range"] for request in harness.http.sent if "Range" in request.headers]


async def test_a_disk_that_does_not_fit_is_found_before_anything_is_sent():
    disk = SparseFile(size=7 * GB, pieces={0: b"z2strm".ljust(48, b"\0") + (60 * GB).to_bytes(8, "little")})
    harness = a_harness({"web.zvhd2": disk})

    result = await harness.run()

    assert named(result)["PF080"].items[0].says == (
        "min_disk 40, the disk inside has 60 GB: make it 60 or more"
    )
    assert result.exit_code == 4
    assert harness.simulator.accepted == {}


async def test_a_file_that_is_something_else_is_found_whatever_it_takes_to_know_it():
    harness = a_harness({f"{name}.raw": a_case(name)[0] for name in CASE_NAMES})

    found = named(await harness.run())

    assert {item.key for item in found["PF083"].items} == {f"north/{name}" for name in CASE_NAMES}
    vhd = next(item for item in found["PF083"].items if item.key == "north/vhd-fixed")
    assert vhd.says == "disks:vhd-fixed.raw is VHD (fixed)"


async def test_most_files_cost_one_question_and_one_of_vhdx_three():
    harness = a_harness({"a.zvhd2": QCOW2})
    other = a_harness({"a.zvhd2": a_case("vhdx-dynamic")[0]})

    await harness.run()
    await other.run()

    assert pieces(harness) == ["bytes=0-65535"]
    assert pieces(other) == ["bytes=0-65535", "bytes=196608-200703", "bytes=3145728-3276799"]


@pytest.mark.parametrize(
    "its",
    [
        pytest.param(ObjectSettings(size=0), id="empty"),
        pytest.param(ObjectSettings(size=GB, storage_class="COLD"), id="archived"),
        pytest.param(ObjectSettings(size=GB, sse="customer", sse_told=True), id="under its owner's key"),
        pytest.param(ObjectSettings(missing=True), id="missing"),
        pytest.param(ObjectSettings(forbidden=True), id="forbidden"),
    ],
)
async def test_a_file_that_has_another_fault_is_not_looked_into(its):
    harness = a_harness({"a.zvhd2": QCOW2}, objects={"disks:a.zvhd2": its})

    found = named(await harness.run())

    assert pieces(harness) == []
    assert not {"PF083", "PF098", "PF099"} & set(found)


@pytest.mark.parametrize("status", [403, 405, 404], ids=["may not", "cannot", "gone"])
async def test_a_storage_that_lets_nobody_read_is_asked_a_few_times_and_that_is_said(status):
    harness = a_harness({f"web-{number:03}.zvhd2": QCOW2 for number in range(300)})
    refused: list[Request] = []

    def refuse(request: Request) -> Response | None:
        if "Range" not in request.headers:
            return None
        refused.append(request)
        return Response(status=status, body=b"<Error><Code>AccessDenied</Code></Error>")

    harness.http.before = refuse

    result = await harness.run()

    assert {code: len(one.items) for code, one in named(result).items()} == {"PF098": 300}
    assert result.exit_code == 0
    assert len(refused) <= 20


async def test_a_few_files_that_may_not_be_read_do_not_hide_the_others():
    insides = {f"web-{number}.zvhd2": QCOW2 for number in range(9)}
    harness = a_harness(insides, limits={"max_requests": 1})
    harness.http.before = lambda request: (
        Response(status=403) if "Range" in request.headers and request.url[-7] in "1357" else None
    )

    found = named(await harness.run())

    assert len(found["PF098"].items) == 4
    assert len(found["PF083"].items) == 5


async def test_a_storage_that_is_silent_about_insides_ends_nothing_else():
    harness = a_harness({f"web-{number:03}.zvhd2": QCOW2 for number in range(50)})
    asked: list[Request] = []

    def busy(request: Request) -> Response | None:
        if "Range" not in request.headers:
            return None
        asked.append(request)
        return Response(status=503)

    harness.http.before = busy

    result = await harness.run()

    assert {code: len(one.items) for code, one in named(result).items()} == {"PF098": 50}
    assert len(result.sizes) == 50
    assert 3 <= len(asked) < 100
    assert harness.clock.monotonic() < 120


async def test_of_ten_thousand_files_three_hundred_are_looked_into_before_a_run():
    insides = {f"vm-{number:05}.zvhd2": SparseFile(size=5 * GB) for number in range(10_000)}
    insides["vm-00000.zvhd2"] = QCOW2
    harness = a_harness(insides)
    asked_before = harness.clock.monotonic()

    found = named(await harness.run(thorough=False))

    assert found["PF099"].says == "300 of 10000 files"
    assert [item.key for item in found["PF083"].items] == ["north/vm-00000"]
    assert len(pieces(harness)) == 300
    assert harness.clock.monotonic() - asked_before < 60


async def test_insides_keep_to_the_rate_of_the_target():
    insides = {f"web-{number:03}.zvhd2": QCOW2 for number in range(40)}
    harness = a_harness(insides, limits={"query_rate": Rate(count=2, unit="s"), "query_burst": 1})

    await harness.run()

    moments = harness.http.moments
    assert len(moments) > 80
    assert min(later - moment for moment, later in zip(moments[1:], moments[3:], strict=False)) >= 0.999


async def test_what_is_in_no_format_is_left_to_the_service():
    harness = a_harness({"web.zvhd2": SparseFile(size=5 * GB, pieces={0: b"who knows"})})

    assert SparseFile(size=5 * GB, pieces={0: b"who knows"}).header().format is DiskFormat.UNKNOWN
    assert named(await harness.run()) == {}
