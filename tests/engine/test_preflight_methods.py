"""Preflight decides how images go in, and asks for the keys that they are to be encrypted with."""

import pytest

from migrator.preflight import Severity
from migrator.simulator.settings import ObjectSettings, Settings
from tests.engine.test_preflight import GB, ROOM, Harness, a_plan, a_target, an_image, named

pytestmark = pytest.mark.anyio

KEY = "9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"
OTHER = "1c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"
FINE = ObjectSettings(size=5 * GB)
GONE = ObjectSettings(missing=True)


def harness(*images: object, objects: dict[str, ObjectSettings] | None = None, **settings: object) -> Harness:
    plan = a_plan(*images)  # type: ignore[arg-type]
    return Harness(plan, Settings(quota=ROOM, objects=objects or {}, **settings))


async def test_what_lies_in_the_bucket_decides_and_the_reason_is_told():
    found = await harness(
        an_image("a", "a.zvhd2", method="auto"),
        an_image("b", "b.raw", method="auto"),
        an_image("c", "c.raw", method="auto"),
        an_image("d", "d.vmdk", method="auto"),
        an_image("e", "e.zvhd2", method="normal"),
        objects={
            "disks:a.zvhd2": FINE,
            "disks:b.raw": FINE,
            "disks:b.mf": ObjectSettings(size=1000),
            "disks:c.raw": FINE,
            "disks:c.mf": GONE,
            "disks:d.vmdk": FINE,
            "disks:e.zvhd2": FINE,
        },
    ).run()

    assert {key: how.method for key, how in found.decided.items()} == {
        "north/a": "quick",
        "north/b": "quick",
        "north/c": "normal",
        "north/d": "normal",
    }
    assert found.decided["north/c"].why == "no .mf file lies beside it, which quick import needs"
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("key", "method", "size", "code"),
    [
        pytest.param("a.vmdk", "normal", 2**37 + 1, "PF053", id="too large for normal import"),
        pytest.param("a.vmdk", "normal", 2**37, "PF054", id="perhaps too large for it"),
        pytest.param("a.vmdk", "auto", 2**37 + 1, "PF066", id="too large for any"),
        pytest.param("a.zvhd2", "auto", 2**37 + 1, None, id="a large one by quick import"),
        pytest.param("a.vmdk", "normal", 128 * 10**9, None, id="as large as is safe"),
    ],
)
async def test_files_are_held_against_the_method(key: str, method: str, size: int, code: str | None):
    image = an_image("a", key, method=method, min_disk=500)

    found = named(await harness(image, objects={f"disks:{key}": ObjectSettings(size=size)}).run())

    assert set(found) - {"PF099", "PF098"} == ({code} if code else set())


async def test_a_file_whose_image_is_too_large_to_be_copied_is_told_before_it_is_imported():
    image = an_image("a", method="quick", min_disk=500, copy_to=("south",))

    found = named(await harness(image, objects={"disks:a.zvhd2": ObjectSettings(size=2**37 + 1)}).run())

    assert set(found) == {"PF068"}


async def test_a_large_raw_without_its_bitmap_has_no_way_in_and_is_told_what_to_do():
    objects = {"disks:a.raw": ObjectSettings(size=2**37 + 1), "disks:a.mf": GONE}

    found = named(await harness(an_image("a", "a.raw", method="auto", min_disk=500), objects=objects).run())

    assert found["PF066"].severity is Severity.ERROR
    (item,) = found["PF066"].items
    assert "no .mf file lies beside it" in item.says
    assert "128 GB" in item.says


async def test_the_disk_inside_a_qcow2_is_held_against_min_disk_before_the_first_import():
    objects = {"disks:a.qcow2": ObjectSettings(size=5 * GB, virtual_gb=60)}
    there = harness(an_image("a", "a.qcow2", method="auto", min_disk=40), objects=objects)
    there.http._piece = lambda request: None  # type: ignore[method-assign]

    found = named(await there.run())

    (item,) = found["PF080"].items
    assert item.says == "min_disk 40, the disk inside has 60 GB: make it 60 or more"


@pytest.mark.parametrize(
    ("keys", "endpoint", "codes"),
    [
        ({}, "https://kms.cn-north-4.example", set()),
        ({KEY: "missing"}, "https://kms.cn-north-4.example", {"PF087"}),
        ({KEY: "disabled"}, "https://kms.cn-north-4.example", {"PF088"}),
        ({}, None, {"PF089"}),
    ],
)
async def test_a_key_that_cannot_be_used_is_found_before_the_first_import(keys, endpoint, codes):
    images = (an_image("a", method="auto", cmk_id=KEY), an_image("b", method="auto", cmk_id=KEY))
    there = harness(*images, objects={"disks:a.zvhd2": FINE, "disks:b.zvhd2": FINE}, kms_keys=keys)
    target = a_target().model_copy(update={"kms_endpoint": endpoint})
    there.plan = there.plan.model_copy(update={"targets": {"north": target}})

    found = named(await there.run())

    assert set(found) == codes
    assert all(f"{KEY}, for 2 images" in finding.says for finding in found.values())
    assert there.requests.get("key", 0) == (1 if endpoint else 0)


async def test_a_key_that_nobody_may_ask_about_refuses_nothing():
    there = harness(
        an_image("a", method="auto", cmk_id=OTHER),
        objects={"disks:a.zvhd2": FINE},
        forbidden=frozenset({"key"}),
    )
    target = a_target().model_copy(update={"kms_endpoint": "https://kms.cn-north-4.example"})
    there.plan = there.plan.model_copy(update={"targets": {"north": target}})

    result = await there.run()

    assert set(named(result)) == {"PF089"}
    assert result.exit_code == 0
