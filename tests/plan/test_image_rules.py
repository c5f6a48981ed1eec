"""The rules of an image, each by itself; what is said of broken plans, word for word, is in tests/plans."""

from collections import defaultdict
from typing import Any

import pytest

from migrator.domain.object_ref import ObjectRef
from migrator.plan import image_rules
from migrator.plan.image_rules import (
    ADDRESS_RULES,
    COMMON_RULES,
    address_is_possible,
    characters_are_usual,
    check_images,
    extension_is_in_small_letters,
    file_is_a_whole_disk,
    files_are_imported_once,
    images_to_check,
    key_is_short_enough,
    names_are_given_once,
    targets_are_there,
    waves_are_there,
)
from migrator.plan.merging import NO_TABLE
from migrator.plan.problems import ProblemCollector
from migrator.plan.trait_rules import (
    TRAIT_RULES,
    Traits,
    a_method_takes_it,
    arm_boots_with_uefi,
    bare_metal_has_no_key,
    data_disk_has_a_family,
    disk_is_large_enough,
    licence_is_for_windows,
    system_is_decided,
    system_is_known,
    windows_may_be_refused,
)

LINUX = "CentOS 7.6 64bit"
WINDOWS = "Windows Server 2019 Standard 64bit"


def a_system(**more: object) -> Traits:
    """The traits of a system disk that nobody has anything against, with some replaced."""
    good = {
        "type": "ECS",
        "method": "quick",
        "extension": ".zvhd2",
        "keys": (),
        "os_version": LINUX,
        "os_type": None,
        "architecture": None,
        "hw_firmware_type": None,
        "license_type": None,
        "min_disk": 40,
    }
    return Traits(**{**good, **more})  # type: ignore[arg-type]


def a_data_disk(os_type: str, **more: object) -> Traits:
    return a_system(**{"type": "DataImage", "os_version": None, "os_type": os_type, **more})


ALONE = [
    pytest.param(system_is_decided, a_system(), None, id="decided"),
    pytest.param(system_is_decided, a_system(os_version="CHECK: Solaris?"), "os_version", id="undecided"),
    pytest.param(system_is_known, a_system(), None, id="known system"),
    pytest.param(system_is_known, a_system(os_version="TempleOS"), "os_version", id="unknown system"),
    pytest.param(system_is_known, a_system(os_version="CHECK"), None, id="undecided is said already"),
    pytest.param(system_is_known, a_data_disk("Linux"), None, id="a data disk has no version"),
    pytest.param(a_method_takes_it, a_system(), None, id="quick import of what it takes"),
    pytest.param(a_method_takes_it, a_system(extension=".vmdk"), "image_url", id="quick import of a VMDK"),
    pytest.param(
        a_method_takes_it, a_system(method="normal", extension=".vmdk"), None, id="normal import of a VMDK"
    ),
    pytest.param(a_method_takes_it, a_system(method="auto", extension=".vmdk"), None, id="auto of a VMDK"),
    pytest.param(a_method_takes_it, a_system(keys=("cmk_id",)), "cmk_id", id="quick import with a key"),
    pytest.param(
        a_method_takes_it, a_system(method="normal", keys=("license_type",)), "license_type", id="licence"
    ),
    pytest.param(
        a_method_takes_it, a_system(method="normal", min_disk=9), "min_disk", id="too small for normal import"
    ),
    pytest.param(
        a_method_takes_it,
        a_system(method="normal", min_disk=19, os_version=WINDOWS),
        "min_disk",
        id="too small for Windows by normal import",
    ),
    pytest.param(
        a_method_takes_it,
        a_data_disk("Linux", method="normal", min_disk=39),
        "min_disk",
        id="small data disk",
    ),
    pytest.param(
        a_method_takes_it, a_data_disk("Linux", method="normal", min_disk=2048), None, id="large data disk"
    ),
    pytest.param(a_method_takes_it, a_data_disk("Linux", min_disk=2048), "min_disk", id="large by quick"),
    pytest.param(
        a_method_takes_it,
        a_data_disk("Linux", method="auto", min_disk=39, extension=".vmdk"),
        "min_disk",
        id="what no method takes",
    ),
    pytest.param(bare_metal_has_no_key, a_system(type="BMS", keys=("cmk_id",)), "cmk_id", id="a key for BMS"),
    pytest.param(bare_metal_has_no_key, a_system(keys=("cmk_id",)), None, id="ECS with a key"),
    pytest.param(data_disk_has_a_family, a_data_disk("Other"), "os_type", id="a data disk of Other"),
    pytest.param(data_disk_has_a_family, a_system(os_type="Other"), None, id="a system disk of Other"),
    pytest.param(licence_is_for_windows, a_system(), None, id="no licence"),
    pytest.param(licence_is_for_windows, a_system(license_type="byol"), "license_type", id="Linux licence"),
    pytest.param(
        licence_is_for_windows, a_system(os_version=WINDOWS, license_type="byol"), None, id="Windows licence"
    ),
    pytest.param(
        arm_boots_with_uefi,
        a_system(architecture="arm", hw_firmware_type="bios"),
        "hw_firmware_type",
        id="arm with bios",
    ),
    pytest.param(
        arm_boots_with_uefi, a_system(architecture="arm", hw_firmware_type="uefi"), None, id="arm with uefi"
    ),
    pytest.param(arm_boots_with_uefi, a_system(architecture="arm"), None, id="arm as it comes"),
    pytest.param(
        arm_boots_with_uefi, a_system(architecture="x86", hw_firmware_type="bios"), None, id="x86 with bios"
    ),
    pytest.param(windows_may_be_refused, a_system(), None, id="Linux system"),
    pytest.param(windows_may_be_refused, a_system(os_version=WINDOWS), "os_version", id="Windows system"),
    pytest.param(windows_may_be_refused, a_data_disk("Linux"), None, id="Linux data"),
    pytest.param(windows_may_be_refused, a_data_disk("Windows"), "os_type", id="Windows data"),
    pytest.param(disk_is_large_enough, a_system(min_disk=10), None, id="least Linux disk"),
    pytest.param(disk_is_large_enough, a_system(min_disk=9), "min_disk", id="small Linux disk"),
    pytest.param(disk_is_large_enough, a_system(os_version=WINDOWS, min_disk=20), None, id="least Windows"),
    pytest.param(
        disk_is_large_enough, a_system(os_version=WINDOWS, min_disk=19), "min_disk", id="small Windows disk"
    ),
    pytest.param(disk_is_large_enough, a_data_disk("Windows", min_disk=19), "min_disk", id="and data disk"),
]

ADDRESSES = [
    pytest.param(address_is_possible, "bucket:a/b.raw", False, id="an address"),
    pytest.param(address_is_possible, "obs://a/b.raw", True, id="a web address"),
    pytest.param(address_is_possible, "buc..ket:a/b.raw", True, id="no bucket"),
    pytest.param(key_is_short_enough, f"bucket:{'镜' * 340}.raw", False, id="1024 bytes"),
    pytest.param(key_is_short_enough, f"bucket:{'镜' * 341}.raw", True, id="1027 bytes"),
    pytest.param(file_is_a_whole_disk, "bucket:disks/web-01.vmdk", False, id="one VMDK"),
    pytest.param(file_is_a_whole_disk, "bucket:disks/web-01-flat.vmdk", True, id="the data of a VMDK alone"),
    pytest.param(file_is_a_whole_disk, "bucket:disks/web-01-000001.vmdk", True, id="a snapshot"),
    pytest.param(extension_is_in_small_letters, "bucket:a.raw", False, id="small letters"),
    pytest.param(extension_is_in_small_letters, "bucket:a.Raw", True, id="one capital"),
    pytest.param(characters_are_usual, "bucket:a/b_c-1.x.raw", False, id="usual characters"),
    pytest.param(characters_are_usual, "bucket:/a.raw", True, id="a slash in front"),
    pytest.param(characters_are_usual, "bucket:镜像.raw", True, id="Chinese"),
]


@pytest.mark.parametrize(("rule", "traits", "key"), ALONE)
def test_a_rule_of_one_image_names_the_key_that_is_wrong(rule, traits, key):
    complaint = rule(traits)

    assert (complaint.key if complaint else None) == key


@pytest.mark.parametrize(("rule", "url", "wrong"), ADDRESSES)
def test_a_rule_of_addresses_complains_of_its_own_fault_alone(rule, url, wrong):
    complaint = rule(ObjectRef.parse(url))

    assert (complaint is not None) is wrong


# --- All images together --------------------------------------------------------------------------------


def a_table(name: str = "web", **more: Any) -> dict[str, Any]:
    """A merged table that nobody has anything against, with some keys replaced."""
    good = {"target": "north", "type": "ECS", "os_version": LINUX, "min_disk": 40, "wave": "pilot"}
    return {"name": name, "image_url": f"bucket:{name}.raw", **good, **more}


def complaints(*tables: dict[str, Any], rule=check_images, faulty=None, blamed=None) -> list[tuple[Any, ...]]:
    """Where there is a problem with these images, errors as (place, "error")."""
    found = ProblemCollector()
    nobody: dict[str, list[object]] = {"target": [], "wave": [], "os_version": []}
    marked = defaultdict(set, faulty or {})
    known = {"north": None, "south": None}
    rule(images_to_check(tables, marked, known, ["pilot", "rest"], {**nobody, **(blamed or {})}), found)
    return [(*noted.where[1:], noted.severity) for noted in found.noted]


TOGETHER = [
    pytest.param(names_are_given_once, [a_table(), a_table()], [(1, "name", "error")], id="a name twice"),
    pytest.param(names_are_given_once, [a_table(), a_table(target="south")], [], id="in two targets"),
    pytest.param(targets_are_there, [a_table(target="west")], [(0, "target", "error")], id="no such target"),
    pytest.param(targets_are_there, [a_table(target="south")], [], id="a target"),
    pytest.param(waves_are_there, [a_table(wave="last")], [(0, "wave", "error")], id="no such wave"),
    pytest.param(waves_are_there, [a_table(wave="rest")], [], id="a wave"),
    pytest.param(
        files_are_imported_once,
        [a_table(), a_table("db", image_url="bucket:web.raw")],
        [(1, "image_url", "warning")],
        id="a file twice",
    ),
    pytest.param(files_are_imported_once, [a_table(), a_table("db")], [], id="each its own"),
]


@pytest.mark.parametrize(("rule", "tables", "expected"), TOGETHER)
def test_a_rule_of_all_images_names_the_one_that_is_wrong(rule, tables, expected):
    assert complaints(*tables, rule=rule) == expected


def test_every_rule_has_its_sentence_and_a_case_for_and_against_it():
    tried: dict[Any, set[bool]] = defaultdict(set)
    for case in (*ALONE, *ADDRESSES, *TOGETHER):
        rule, _, expected = case.values
        tried[rule].add(bool(expected))

    rules = (*TRAIT_RULES, *ADDRESS_RULES, *COMMON_RULES)
    assert set(tried) == set(rules)
    assert [rule for rule in rules if tried[rule] != {True, False}] == []
    assert all(rule.__doc__ and rule.__doc__.endswith(".") for rule in rules)


def test_nobody_has_anything_against_good_images():
    assert complaints(*(a_table(f"web-{number}") for number in range(3))) == []


def test_images_that_are_alike_share_a_warning_and_no_error():
    small = [a_table(f"web-{n}", min_disk=5) for n in range(3)]
    arm = [a_table(f"arm-{n}", architecture="arm", hw_firmware_type="bios") for n in range(2)]

    assert complaints(*small, *arm) == [
        (3, "hw_firmware_type", "error"),
        (4, "hw_firmware_type", "error"),
        (0, "min_disk", "warning"),
    ]


def test_images_that_are_alike_are_judged_once(monkeypatch):
    asked: list[Traits] = []
    monkeypatch.setattr(image_rules, "TRAIT_RULES", (asked.append,))

    complaints(*(a_table(f"web-{n}", min_disk=40 + n % 2) for n in range(100)))

    assert [traits.min_disk for traits in asked] == [40, 41]


def test_a_bucket_of_a_good_name_makes_plain_addresses_sure(monkeypatch):
    asked: list[ObjectRef] = []
    monkeypatch.setattr(image_rules, "ADDRESS_RULES", (asked.append,))

    complaints(a_table("a"), a_table("b"), a_table("镜"), a_table("c", image_url="b..d:c.raw"))

    assert list(map(str, asked)) == ["bucket:a.raw", "bucket:镜.raw", "b..d:c.raw"]


def test_a_key_of_too_many_bytes_is_found_in_a_bucket_of_a_good_name_too():
    long = a_table("b", image_url=f"bucket:{'k' * 1024}.raw")

    assert complaints(a_table("a"), long) == [(1, "image_url", "error")]


def test_two_addresses_that_were_complained_about_are_not_the_same_file():
    faulty = {0: {"image_url"}, 1: {"image_url"}}

    assert complaints(a_table("a"), a_table("b"), faulty=faulty) == []


def test_what_was_complained_about_is_not_held_against_an_image_again_but_the_rest_is():
    image = a_table(min_disk="many", os_version="TempleOS", image_url=7)

    assert complaints(image, faulty={0: {"min_disk", "image_url"}}) == [(0, "os_version", "warning")]


def test_a_wave_of_the_wrong_kind_is_no_wave():
    assert complaints(a_table(wave=["pilot"]), faulty={0: {"wave"}}) == []


def test_an_image_without_a_name_or_without_a_table_is_held_against_nobody():
    assert complaints(NO_TABLE, {"type": "ECS", "name": 7}, a_table("a", min_disk=5)) == [
        (2, "min_disk", "warning")
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("target", "west"), ("wave", "last"), ("os_version", "CHECK: Solaris?")]
)
def test_what_was_said_of_the_defaults_is_not_said_of_the_images_that_inherit_it(key, value):
    assert complaints(a_table(**{key: value}), blamed={key: [["odd"], value]}) == []


def test_only_the_first_of_many_unknown_systems_are_searched_for_a_closer_name(monkeypatch):
    searched = []

    def did_you_mean(value: object, known: object) -> str:
        searched.append(value)
        return ""

    monkeypatch.setattr(image_rules, "did_you_mean_system", did_you_mean)

    complaints(*(a_table(f"web-{n}", os_version=f"TempleOS {n}") for n in range(30)))

    assert searched == [f"TempleOS {n}" for n in range(20)]
