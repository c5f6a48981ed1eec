"""Preflight's judgement: what each fact is worth, said once for all the images that it concerns."""

import re
from pathlib import Path

import pytest

from migrator.domain.cloud import BucketInfo, CloudImage, Fault, ObjectInfo, Project, Quota
from migrator.domain.errors import CloudError, RejectedError, RetryableError, TargetHaltedError, Unreachable
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import MarkerKind, OnExisting, OnQuota, Plan, Policy, Target
from migrator.preflight import (
    CHECKS,
    Finding,
    Severity,
    TargetFacts,
    Unknown,
    UnknownReason,
    exit_code,
    file_sizes,
    findings,
    unknown,
)
from migrator.preflight.account import close_matches
from migrator.workflow.lookup import ImageMatches
from migrator.workflow.states import State

GB = 2**30
TARGET = Target(
    name="north",
    region="cn-north-4",
    ims_endpoint="https://ims.example",
    iam_endpoint="https://iam.example",
    obs_endpoint="https://obs.example",
)
WINDOWS = "Windows Server 2019 Standard 64bit"


def an_image(name: str = "web", **more: object) -> Image:
    """A system disk of 40 GB as ZVHD2, with some fields replaced."""
    fields: dict[str, object] = {
        "source": ObjectRef("disks", f"{name}.zvhd2"),
        "os_version": "CentOS 7.6 64bit",
    }
    return Image(name=name, target="north", **{"min_disk": 40, **fields, **more})  # type: ignore[arg-type]


def a_disk(name: str = "data", **more: object) -> Image:
    """A data disk of 40 GB as RAW."""
    fields = {"source": ObjectRef("disks", f"{name}.raw"), "os_version": None, "os_type": "Linux"}
    return an_image(name, **{"type": ImageType.DATA, **fields, **more})


def a_plan(**policy: object) -> Plan:
    return Plan(name="dc", targets={"north": TARGET}, images=(), policy=Policy(**policy))  # type: ignore[arg-type]


def facts(*images: Image, **known: object) -> TargetFacts:
    """What is known about a target with these images to do."""
    work = [(image, State(key=image.key)) for image in images]
    return TargetFacts(target=TARGET, work=work, **known)  # type: ignore[arg-type]


def of(known: TargetFacts, **policy: object) -> dict[str, Finding]:
    """The findings, by code; each code comes once."""
    found = findings(a_plan(**policy), [known])
    assert len({one.code for one in found}) == len(found)
    return {one.code: one for one in found}


def stored(size: int = GB, **more: object) -> dict[object, object]:
    """One object of image "web", and nothing more."""
    return {ObjectRef("disks", "web.zvhd2"): ObjectInfo(size=size, **more)}  # type: ignore[arg-type]


def lost(why: UnknownReason = UnknownReason.UNANSWERED, status: int | None = None) -> Unknown:
    return Unknown(reason=why, fault=Fault(code="X.1", message="no idea", remedy="Do that.", status=status))


# --- The table ------------------------------------------------------------------------------------------


def test_the_manual_lists_every_finding_as_the_table_has_it():
    page = (Path(__file__).parents[2] / "docs/preflight.md").read_text(encoding="utf-8")
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in page.splitlines()
        if line.startswith("| `PF")
    ]

    assert rows == [
        (f"`{check.code}`", check.severity.value, check.title, check.meaning, check.remedy)
        for check in CHECKS.values()
    ]


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_every_row_says_what_and_why_and_what_to_do(check):
    assert re.fullmatch(r"PF\d{3}", check.code)
    assert check.meaning.endswith(".")
    assert check.remedy.endswith(".")
    assert check.title
    assert "|" not in check.title + check.meaning + check.remedy
    assert (check.exit_code == 4) or check.severity is Severity.ERROR


def test_codes_are_in_order_and_each_is_given_once():
    page = (Path(__file__).parents[2] / "migrator/preflight/table.py").read_text(encoding="utf-8")
    written = re.findall(r'"(PF\d{3})"', page)

    assert written == sorted(CHECKS)


@pytest.mark.parametrize("code", CHECKS)
def test_every_row_is_found_by_some_rule(code):
    folder = Path(__file__).parents[2] / "migrator/preflight"
    rules = "".join(path.read_text("utf-8") for path in folder.glob("*.py") if path.name != "table.py")

    assert f'"{code}"' in rules


# --- Reach, clock, credentials --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(
            Unreachable(Fault(code="MIG.dns", message="m")), UnknownReason.UNREACHABLE, id="no such name"
        ),
        pytest.param(RetryableError(Fault(message="m", status=503)), UnknownReason.UNANSWERED, id="503"),
        pytest.param(
            TargetHaltedError(Fault(code="APIGW.0301", message="m", status=401)),
            UnknownReason.CREDENTIALS,
            id="401",
        ),
        pytest.param(
            TargetHaltedError(Fault(code="MIG.credentials", message="m")),
            UnknownReason.CREDENTIALS,
            id="no project",
        ),
        pytest.param(
            TargetHaltedError(Fault(code="APIGW.0302", message="m", status=403)),
            UnknownReason.FORBIDDEN,
            id="403",
        ),
        pytest.param(RejectedError(Fault(message="m", status=403)), UnknownReason.FORBIDDEN, id="one object"),
        pytest.param(
            TargetHaltedError(Fault(code="APIGW.0101", message="m", status=404)),
            UnknownReason.ELSEWHERE,
            id="404",
        ),
        pytest.param(
            RejectedError(Fault(message="m", status=301)), UnknownReason.ELSEWHERE, id="a bucket that moved"
        ),
    ],
)
def test_why_nobody_answered_is_told_apart(error: CloudError, why):
    assert unknown(error).reason is why


@pytest.mark.parametrize(
    ("known", "code", "exits"),
    [
        pytest.param({"date": lost(UnknownReason.UNREACHABLE)}, "PF001", 7, id="nobody there"),
        pytest.param({"quota": lost(UnknownReason.UNREACHABLE)}, "PF001", 7, id="gone meanwhile"),
        pytest.param({"quota": lost(UnknownReason.ELSEWHERE)}, "PF001", 7, id="another service"),
        pytest.param({"quota": lost(UnknownReason.CREDENTIALS)}, "PF002", 6, id="wrong key"),
        pytest.param({"names": lost(UnknownReason.FORBIDDEN)}, "PF003", 6, id="no right to list"),
        pytest.param({"date": 901.0}, "PF004", 4, id="a clock that is ahead"),
        pytest.param({"date": -901.0}, "PF004", 4, id="a clock that is behind"),
        pytest.param({"date": -301.0}, "PF005", 0, id="a clock that is a little off"),
    ],
)
def test_a_target_that_cannot_be_used_is_said_once_and_decides_the_exit_code(known, code, exits):
    found = of(facts(an_image(), **known))

    assert list(found) == [code]
    assert exit_code(found.values()) == exits


def test_credentials_come_before_everything_else_in_the_exit_code():
    mixed = [Finding(code="PF050"), Finding(code="PF001"), Finding(code="PF002"), Finding(code="PF032")]

    assert exit_code(mixed) == 6
    assert exit_code(mixed[:2]) == 7
    assert exit_code(mixed[:1]) == 4
    assert exit_code(mixed[3:]) == 0


def test_a_clock_tells_by_how_much_and_which_way_it_is_off():
    assert of(facts(date=1800.0))["PF004"].says == "it is 30 min ahead of the service's"
    assert of(facts(date=-1800.0))["PF004"].says == "it is 30 min behind the service's"
    assert of(facts(date=86_400.0))["PF004"].says == "it is 1 d ahead of the service's"
    assert of(facts(date=299.0)) == {}


@pytest.mark.parametrize(
    ("known", "code"),
    [
        pytest.param({"date": lost()}, "PF090", id="clock"),
        pytest.param({"projects": lost(), "project_id": "p"}, "PF091", id="project"),
        pytest.param({"quota": lost()}, "PF092", id="quota"),
        pytest.param({"quota": lost(UnknownReason.FORBIDDEN)}, "PF092", id="no right to see the quota"),
        pytest.param({"names": lost()}, "PF093", id="names"),
        pytest.param({"systems": {"": lost(), "x86": lost()}}, "PF094", id="operating systems"),
        pytest.param({"buckets": {"disks": lost(UnknownReason.FORBIDDEN)}}, "PF095", id="bucket"),
        pytest.param({"buckets": {"disks": BucketInfo(region="")}}, "PF095", id="a bucket without region"),
        pytest.param(
            {"objects": {ObjectRef("disks", "web.zvhd2"): lost(UnknownReason.FORBIDDEN)}},
            "PF096",
            id="object",
        ),
        pytest.param({"objects": stored(200 * GB, encryption=None)}, "PF097", id="encryption"),
    ],
)
def test_what_could_not_be_checked_says_so_and_refuses_nothing(known, code):
    found = of(facts(an_image(min_disk=999), **known))

    assert list(found) == [code]
    assert exit_code(found.values()) == 0


# --- Project and quota ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("projects", "code"),
    [
        pytest.param([Project(id="p", name="cn-north-4")], None, id="the region's own"),
        pytest.param([Project(id="p", name="cn-north-4_shop")], None, id="a part of the region"),
        pytest.param([Project(id="p", name="cn-north-41")], "PF006", id="a region that begins alike"),
        pytest.param([Project(id="p", name="cn-east-3")], "PF006", id="another region"),
        pytest.param([Project(id="p", name="cn-north-4", enabled=False)], "PF007", id="disabled"),
        pytest.param([Project(id="q", name="cn-north-4")], "PF008", id="not ours"),
    ],
)
def test_a_project_that_somebody_named_is_held_against_the_region(projects, code):
    assert list(of(facts(projects=tuple(projects), project_id="p"))) == ([code] if code else [])


@pytest.mark.parametrize(
    ("used", "in_cloud", "on_quota", "code"),
    [
        pytest.param(48, 0, OnQuota.STOP, None, id="just enough"),
        pytest.param(49, 0, OnQuota.STOP, "PF010", id="one too many"),
        pytest.param(49, 0, OnQuota.WAIT, "PF011", id="one too many, and we wait"),
        pytest.param(48, 1, OnQuota.STOP, "PF012", id="enough unless what runs counts later"),
    ],
)
def test_the_quota_has_to_hold_what_is_used_and_what_is_to_do(used, in_cloud, on_quota, code):
    known = facts(an_image("a"), an_image("b"), quota=Quota(used=used, limit=50), in_cloud=in_cloud)

    assert list(of(known, on_quota=on_quota)) == ([code] if code else [])


def test_the_quota_says_how_many_fit():
    images = [an_image(f"web-{number}") for number in range(5)]

    assert of(facts(*images, quota=Quota(used=47, limit=50)))["PF010"].says == "47 of 50 used, 5 to do: 3 fit"
    assert (
        of(facts(*images, quota=Quota(used=60, limit=50)))["PF010"].says
        == "60 of 50 used, 5 to do: none fits"
    )


# --- Names ----------------------------------------------------------------------------------------------

OURS = CloudImage(id="i-1", name="web", status="active")
DEAD = CloudImage(id="i-2", name="web", status="killed")
THEIRS = CloudImage(id="i-3", name="web", status="active", tags={"owner": "li.wei"})


@pytest.mark.parametrize(
    ("on_existing", "code"),
    [(OnExisting.ADOPT, "PF021"), (OnExisting.SKIP, "PF022"), (OnExisting.FAIL, "PF023")],
)
def test_an_image_of_ours_is_fine_and_said_so_and_its_file_may_be_gone(on_existing, code):
    known = facts(
        an_image(),
        names={"north/web": ImageMatches(ours=[OURS], foreign=[THEIRS])},
        quota=Quota(used=50, limit=50),
        objects={ObjectRef("disks", "web.zvhd2"): None},
    )

    found = of(known, on_existing=on_existing)

    assert list(found) == [code]
    assert found[code].items[0].says == "i-1 (active)"


def test_a_name_that_is_taken_says_by_whom():
    found = of(facts(an_image(), names={"north/web": ImageMatches(foreign=[THEIRS])}))

    assert list(found) == ["PF020"]
    assert "i-3" in found["PF020"].items[0].says
    assert "owner=li.wei" in found["PF020"].items[0].says


def test_what_a_failed_import_left_behind_is_in_nobodys_way():
    known = facts(an_image(), names={"north/web": ImageMatches(ours=[DEAD])}, objects=stored(0))

    assert list(of(known)) == ["PF052"]


# --- Operating systems ----------------------------------------------------------------------------------

LISTED = frozenset({"CentOS 7.6 64bit", "CentOS 7.9 64bit", WINDOWS, "Ubuntu 20.04 server 64bit"})


@pytest.mark.parametrize(
    ("image", "systems", "codes"),
    [
        pytest.param({}, {"": LISTED, "x86": LISTED}, [], id="listed"),
        pytest.param({"os_version": "Plan 9"}, {"": LISTED, "x86": LISTED}, ["PF030"], id="not listed"),
        pytest.param({}, {"": LISTED, "x86": lost()}, ["PF094"], id="one list is missing"),
        pytest.param({"os_version": "Plan 9"}, {"": lost(), "x86": LISTED}, ["PF094"], id="the other one"),
        pytest.param({"os_version": "Plan 9"}, {"": frozenset(), "x86": frozenset()}, [], id="empty lists"),
        pytest.param(
            {"architecture": "arm"}, {"": LISTED, "arm": frozenset({"Kylin"})}, ["PF031"], id="not for arm"
        ),
        pytest.param({"os_version": WINDOWS}, {"": LISTED, "x86": LISTED}, ["PF032"], id="Windows"),
    ],
)
def test_an_operating_system_is_held_against_the_regions_own_list(image, systems, codes):
    assert list(of(facts(an_image(**image), systems=systems))) == codes


def test_a_data_disk_has_no_operating_system_to_check():
    assert of(facts(a_disk(), systems={"": LISTED})) == {}
    assert list(of(facts(a_disk(os_type="Windows")))) == ["PF032"]


def test_close_matches_are_offered():
    found = of(facts(an_image(os_version="centos 7.6  64BIT"), systems={"": LISTED, "x86": LISTED}))

    assert 'did you mean "CentOS 7.6 64bit" or "CentOS 7.9 64bit"' in found["PF030"].items[0].says
    assert close_matches("Plan 9", LISTED) == ""


# --- Buckets and objects --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bucket", "codes"),
    [
        pytest.param(BucketInfo(region="cn-north-4"), [], id="as it should be"),
        pytest.param(None, ["PF040"], id="missing"),
        pytest.param(BucketInfo(region="cn-east-3"), ["PF041"], id="elsewhere"),
        pytest.param(lost(UnknownReason.ELSEWHERE, 301), ["PF041"], id="elsewhere, says a redirection"),
        pytest.param(BucketInfo(region="cn-north-4", storage_class="WARM"), ["PF042"], id="warm"),
        pytest.param(BucketInfo(region="cn-north-4", file_system=True), ["PF043"], id="a file system"),
    ],
)
def test_a_bucket_is_standard_and_in_the_region(bucket, codes):
    assert list(of(facts(an_image(), buckets={"disks": bucket}))) == codes


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        pytest.param(ObjectInfo(size=200 * GB), [], id="as it should be"),
        pytest.param(None, ["PF050"], id="missing"),
        pytest.param(ObjectInfo(size=0), ["PF052"], id="empty"),
        pytest.param(ObjectInfo(size=2**40), ["PF064", "PF054"], id="2^40 is the hard limit"),
        pytest.param(ObjectInfo(size=2**40 + 1), ["PF053"], id="and beyond it is too large"),
        pytest.param(ObjectInfo(size=10**12), [], id="10^12 is safe"),
        pytest.param(ObjectInfo(size=10**12 + 1), ["PF054"], id="and beyond it nobody knows"),
        pytest.param(ObjectInfo(size=200 * GB, storage_class="COLD"), ["PF055"], id="cold"),
        pytest.param(ObjectInfo(size=200 * GB, encryption="customer"), ["PF056"], id="SSE-C"),
        pytest.param(ObjectInfo(size=200 * GB, encryption="kms"), ["PF057"], id="SSE-KMS"),
        pytest.param(ObjectInfo(size=128 * GB), [], id="128 GB"),
        pytest.param(ObjectInfo(size=128 * GB - 1), ["PF065"], id="less than 128 GB"),
    ],
)
def test_an_object_keeps_the_rules_for_files(found, codes):
    known = facts(an_image(min_disk=1024), objects={ObjectRef("disks", "web.zvhd2"): found})

    assert list(of(known)) == codes


def test_a_missing_object_whose_upload_was_begun_is_told_apart():
    place = ObjectRef("disks", "web.zvhd2")

    assert list(of(facts(an_image(), objects={place: None}, uploads={place}))) == ["PF051"]


@pytest.mark.parametrize(
    ("bitmap", "codes"),
    [
        pytest.param(ObjectInfo(size=7), [], id="as it should be"),
        pytest.param(None, ["PF058"], id="missing"),
        pytest.param(ObjectInfo(size=0), ["PF059"], id="empty"),
        pytest.param(ObjectInfo(size=7, storage_class="WARM"), ["PF055"], id="warm"),
        pytest.param(ObjectInfo(size=7, encryption="customer"), ["PF056"], id="SSE-C"),
        pytest.param(lost(), ["PF096"], id="unknown"),
    ],
)
def test_a_raw_file_has_its_bitmap_beside_it(bitmap, codes):
    image = an_image(source=ObjectRef("disks", "a/web.raw"), min_disk=500)
    place = ObjectRef("disks", "a/web.raw")

    found = of(
        facts(image, objects={place: ObjectInfo(size=200 * GB), ObjectRef("disks", "a/web.mf"): bitmap})
    )

    assert list(found) == codes


@pytest.mark.parametrize(
    ("image", "size", "code", "says"),
    [
        pytest.param(an_image(), 40 * GB - 1, None, "", id="a byte less"),
        pytest.param(an_image(), 40 * GB, "PF063", "make it 41", id="a RAW copy of exactly the disk"),
        pytest.param(an_image(), 40 * GB + 1, "PF062", "make it 41", id="a byte more"),
        pytest.param(an_image(), 99 * GB, "PF062", "make it 100", id="whole GB: one more than they are"),
        pytest.param(an_image(min_disk=1024), 1024 * GB, "PF064", "file 1024 GB", id="no disk is larger"),
        pytest.param(a_disk(), 40 * GB, None, "", id="a data disk may be just as large"),
        pytest.param(a_disk(), 40 * GB + 1, "PF062", "make it 41", id="but not smaller"),
        pytest.param(a_disk(), 99 * GB, "PF062", "make it 99", id="and whole GB are enough for it"),
    ],
)
def test_min_disk_is_larger_than_the_file(image, size, code, says):
    found = of(facts(image, objects={image.source: ObjectInfo(size=size)}))

    disk = [one for one in found.values() if one.code in ("PF062", "PF063", "PF064")]
    assert [one.code for one in disk] == ([code] if code else [])
    assert all(says in one.items[0].says for one in disk)


@pytest.mark.parametrize(("url", "code"), [("disks:web.qcow2", "PF060"), ("disks:web.ZVHD2", "PF061")])
def test_an_extension_is_one_of_two_in_small_letters(url, code):
    assert list(of(facts(an_image(source=ObjectRef.parse(url))))) == [code]


def test_sizes_are_learned_by_the_way():
    known = facts(an_image(), an_image("other"), objects=stored(7))

    assert file_sizes(known) == {"north/web": 7}


# --- The plan itself ------------------------------------------------------------------------------------


def test_the_same_file_twice_is_said_of_every_image_but_the_first():
    images = [an_image(name, source=ObjectRef("disks", "one.zvhd2")) for name in ("a", "b", "c")]

    assert [item.key for item in of(facts(*images))["PF070"].items] == ["north/b", "north/c"]


@pytest.mark.parametrize(
    ("tags", "marker", "wrong"),
    [
        pytest.param({f"t{n}": "" for n in range(8)}, MarkerKind.TAG, False, id="eight and the marker"),
        pytest.param({f"t{n}": "" for n in range(9)}, MarkerKind.TAG, True, id="nine and the marker"),
        pytest.param({f"t{n}": "" for n in range(10)}, MarkerKind.NONE, False, id="ten without"),
        pytest.param({"k" * 36: "v" * 43}, MarkerKind.TAG, False, id="as long as may be"),
        pytest.param({"k" * 37: ""}, MarkerKind.TAG, True, id="a key too long"),
        pytest.param({"": "x"}, MarkerKind.TAG, True, id="no key"),
        pytest.param({"k": "v" * 44}, MarkerKind.TAG, True, id="a value too long"),
    ],
)
def test_tags_are_within_the_limits_once_the_marker_is_among_them(tags, marker, wrong):
    assert ("PF071" in of(facts(an_image(image_tags=tags)), marker=marker)) is wrong


def test_a_plan_without_marker_is_told_what_it_loses():
    assert "PF072" in of(facts(an_image()), marker=MarkerKind.NONE)
    assert of(facts(), marker=MarkerKind.NONE) == {}


# --- All together ---------------------------------------------------------------------------------------


def test_one_finding_stands_for_all_of_its_images_and_errors_come_first():
    images = [an_image(f"web-{number}", os_version=WINDOWS) for number in range(400)]
    missing = {ObjectRef("disks", f"web-{number}.zvhd2"): None for number in range(400)}

    found = findings(a_plan(), [facts(*images, objects=missing)])

    assert [(one.code, len(one.items)) for one in found] == [("PF050", 400), ("PF032", 400)]


def test_two_targets_do_not_share_a_finding():
    south = TARGET.model_copy(update={"name": "south"})
    known = [facts(date=1000.0), TargetFacts(target=south, date=1000.0)]

    assert [(one.code, one.target) for one in findings(a_plan(), known)] == [
        ("PF004", "north"),
        ("PF004", "south"),
    ]
