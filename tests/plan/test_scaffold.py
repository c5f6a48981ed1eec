"""What `migrator init --from` makes of a list of disks or an RVTools export, and what it does not guess."""

import json
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.errors import PlanError
from migrator.domain.sheets import Broken, Cell, Sheet, Unreadable
from migrator.ims.os_versions import known_systems
from migrator.plan import parse_plan
from migrator.plan.guests import guest_of
from migrator.plan.rvtools import plan_of_rvtools
from migrator.plan.rvtools_tabs import tabs
from migrator.plan.scaffold import Scaffold, plan_of_list, slug

INFO = [
    "VM",
    "Powerstate",
    "Template",
    "SRM Placeholder",
    "Firmware",
    "Cluster",
    "Annotation",
    "OS according to the configuration file",
    "OS according to the VMware Tools",
    "Guest Detailed Data",
    "VM UUID",
]
DISK = ["VM", "Disk", "Disk Path", "Capacity MiB", "Raw", "VM UUID"]
CENTOS = "CentOS 7 (64-bit)"
WINDOWS_DETAILS = (
    "bitness='64' familyName='Windows' prettyName='Windows Server 2019 Datacenter, 64-bit (Build 17763)'"
)


def vm(name: str, *, os: str = CENTOS, tools: str = "", details: str = "", **more: Any) -> list[Cell]:
    cells: dict[str, Cell] = {
        "VM": name,
        "Powerstate": "poweredOn",
        "Template": False,
        "SRM Placeholder": "False",
        "Firmware": "bios",
        "Cluster": "East",
        "OS according to the configuration file": os,
        "OS according to the VMware Tools": tools,
        "Guest Detailed Data": details,
        "VM UUID": f"uuid of {name}",
        **more,
    }
    return [cells.get(heading) for heading in INFO]


def disk(name: str, number: int = 1, /, mib: Cell = 40960, **more: Any) -> list[Cell]:
    cells: dict[str, Cell] = {
        "VM": name,
        "Disk": f"Hard disk {number}",
        "Disk Path": f"[store] {name}/{number}.vmdk",
        "Capacity MiB": mib,
        "Raw": False,
        "VM UUID": f"uuid of {name}",
        **more,
    }
    return [cells.get(heading) for heading in DISK]


def rvtools(
    machines: Sequence[Sequence[Cell]],
    disks: Sequence[Sequence[Cell]],
    info: Sequence[Cell] = INFO,
    heading: Sequence[Cell] = DISK,
) -> Scaffold:
    return plan_of_rvtools(
        iter(enumerate([info, *machines], 1)),
        iter(enumerate([heading, *disks], 1)),
        source="rv.xlsx",
        name="rv",
    )


def images(begun: Scaffold) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomli.loads(begun.text)["images"]
    return found


def decided(text: str) -> str:
    """The plan after a person decided what no export can tell."""
    return text.replace('region = "CHECK"', 'region = "cn-north-4"').replace(
        'bucket = "CHECK"', 'bucket = "mig-bucket"'
    )


def errors(text: str, rows: Sequence[Sequence[Any]] = ()) -> list[str]:
    try:
        parse_plan(
            text.encode(),
            path="p.toml",
            open_sheet=lambda file, how: Sheet(path=file, identity=file, rows=iter(enumerate(rows, 1))),
        )
    except PlanError as error:
        return error.problems
    return []


# --- A list of disks ------------------------------------------------------------------------------------


def of_list(*rows: Sequence[Any]) -> Scaffold:
    return plan_of_list(iter(enumerate(rows, 1)), file="lists/disks.csv", name="DC East (final)")


def test_a_plan_around_a_list_waits_for_what_the_list_does_not_say():
    rows = [("Name", "Object", "Min disk"), ("web-01", "a.raw", 40), (), ("web-02", "b.raw", 60)]

    begun = of_list(*rows)

    assert tomli.loads(begun.text)["plan"]["name"] == "dc-east-final"
    assert [said.split(": ")[1] for said in errors(begun.text, rows)] == [
        "targets.north.region",
        "defaults.bucket",
        "defaults.os_version",
    ]
    whole = decided(begun.text).replace('os_version = "CHECK"', 'os_version = "CentOS 7.6 64bit"')
    assert errors(whole, rows) == []
    assert begun.notes == ["2 images in lists/disks.csv"]


def test_targets_and_waves_of_a_list_get_their_tables():
    heading = ("name", "image_url", "os_version", "min_disk", "target", "wave")
    row = ("mig-bucket:a.raw", "CentOS 7.6 64bit", 40)
    rows = [
        heading,
        ("a", *row, "south", "pilot"),
        ("b", *row, "north", "rest"),
        ("c", *row, "south", "rest"),
    ]

    begun = of_list(*rows)

    assert list(tomli.loads(begun.text)["targets"]) == ["south", "north"]
    assert [wave["name"] for wave in tomli.loads(begun.text)["waves"]] == ["pilot", "rest"]
    assert errors(decided(begun.text), rows) == []


def test_headings_that_no_plan_understands_are_told_at_once():
    begun = of_list(("name", "object", "Rack no.", "CPU"), ("web-01", "a.raw", "A", 2))

    assert begun.notes[1] == (
        'headings that a plan does not understand: "Rack no.", "CPU"; call them label.NAME, or take them out'
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param([], "is empty", id="nothing"),
        pytest.param([(), ("", " ")], "is empty", id="blank"),
        pytest.param([("VM", "Powerstate")], "has no heading that a plan understands", id="another table"),
    ],
)
def test_what_is_no_list_of_disks_is_refused(rows, reason):
    with pytest.raises(Unreadable, match=reason):
        of_list(*rows)


@given(st.text(max_size=80))
def test_any_text_has_a_slug(text):
    assert errors(f'[plan]\nname = "{slug(text)}"') == errors('[plan]\nname = "p"')


# --- Machines -------------------------------------------------------------------------------------------


LABELS = {"machine": "web-01", "vm": "web-01", "cluster": "East", "power": "poweredOn"}


def test_a_machine_becomes_a_system_disk_and_its_data_disks_in_their_order():
    begun = rvtools([vm("web-01")], [disk("web-01", 10, 1024), disk("web-01", 2, 204800), disk("web-01", 1)])

    assert images(begun) == [
        {
            "name": "web-01",
            "object": "images/web-01.zvhd2",
            "os_version": "CentOS 7.9 64bit",
            "hw_firmware_type": "bios",
            "min_disk": 41,
            "labels": {**LABELS, "disk": "Hard disk 1"},
        },
        {
            "name": "web-01-data1",
            "object": "images/web-01-data1.zvhd2",
            "type": "DataImage",
            "os_type": "Linux",
            "min_disk": 201,
            "labels": {**LABELS, "disk": "Hard disk 2"},
        },
        {
            "name": "web-01-data2",
            "object": "images/web-01-data2.zvhd2",
            "type": "DataImage",
            "os_type": "Linux",
            "min_disk": 10,
            "labels": {**LABELS, "disk": "Hard disk 10"},
        },
    ]
    assert begun.notes[0] == "1 machines, 3 disks"


def test_machines_of_one_name_are_two_machines_and_disks_of_a_machine_stay_together():
    first, second = {"VM UUID": "uuid 1"}, {"VM UUID": "uuid 2"}
    begun = rvtools(
        [vm("db", **first), vm("db", **second)],
        [disk("db", 1, **first), disk("db", 2, **first), disk("db", 1, **second)],
    )

    machines = [one["labels"]["machine"] for one in images(begun)]
    assert machines == ["db", "db", "db-2"]
    assert tomli.loads(begun.text)["policy"] == {"keep_together": "machine"}


def test_a_plan_of_machines_waits_for_region_and_bucket_and_is_then_valid():
    begun = rvtools([vm("web-01"), vm("网页 02")], [disk("web-01"), disk("网页 02")])

    assert [said.split(": ")[1] for said in errors(begun.text)] == ["targets.north.region", "defaults.bucket"]
    assert errors(decided(begun.text)) == []


@pytest.mark.parametrize(
    ("mib", "gigabytes"),
    [(40960, 41), (40959, 40), (40960.5, 41), ("40960", 41), (1, 10), (1048575, 1024)],
)
def test_min_disk_is_the_next_whole_number_above_the_disk(mib, gigabytes):
    assert images(rvtools([vm("a")], [disk("a", mib=mib)]))[0]["min_disk"] == gigabytes


@pytest.mark.parametrize(
    ("mib", "written"),
    [
        pytest.param(1048576, "min_disk = 1025   # CHECK: more than quick import takes", id="too large"),
        pytest.param(
            "40,960",
            'min_disk = 0   # CHECK: the export says "40,960": 40960 MiB (write 41) or 40.96 MiB (write 10)?',
            id="a comma, or a point?",
        ),
        pytest.param(None, "min_disk = 0   # CHECK: vDisk lists no disk of it", id="no number"),
        pytest.param(0, 'min_disk = 0   # CHECK: the export says "0" MiB', id="nothing"),
    ],
)
def test_a_size_that_cannot_be_is_left_to_a_person(mib, written):
    begun = rvtools([vm("a")], [disk("a", mib=mib)])

    assert written in begun.text
    (said,) = errors(decided(begun.text))
    assert "images[0]" in said
    assert ".min_disk: " in said


def test_older_exports_say_mb_and_mean_the_same():
    heading = [one if one != "Capacity MiB" else "Capacity MB" for one in DISK]

    assert images(rvtools([vm("a")], [disk("a")], heading=heading))[0]["min_disk"] == 41


def test_a_machine_without_disks_is_not_forgotten():
    begun = rvtools([vm("a"), vm("b")], [disk("a")])

    assert [image["name"] for image in images(begun)] == ["a", "b"]
    assert [said.split(": ")[1] for said in errors(decided(begun.text))] == ['images[1] "b".min_disk']


def test_templates_and_placeholders_are_left_out_and_told():
    machines = [
        vm("a"),
        vm("b", Template=True),
        vm("c", Template="True"),
        vm("d", **{"SRM Placeholder": "true"}),
    ]

    begun = rvtools(machines, [disk(name) for name in "abcd"])

    assert [image["name"] for image in images(begun)] == ["a"]
    assert begun.notes[1:3] == ["left out, as templates: 2", "left out, as placeholders of SRM: 1"]


def test_names_are_made_to_fit_and_given_once_and_whoever_has_a_good_one_keeps_it():
    called = ["web/02", "web%2f02", "web-02", "WEB-02", "[prod]  db #1", "数据库 一", "v" * 130, "/"]

    begun = rvtools(
        [vm(name) for name in called], [disk(name, number) for name in called for number in (1, 2)]
    )

    names = [image["name"] for image in images(begun)]
    assert names[::2] == [
        "web-02-3",
        "web-02-4",
        "web-02",
        "WEB-02-2",
        "-prod-  db -1",
        "数据库 一",
        "v" * 128,
        "-",
    ]
    assert names[13] == "v" * 122 + "-data1"
    assert len({image["object"].casefold() for image in images(begun)}) == len(names)
    assert errors(decided(begun.text)) == []
    assert 'renamed: "web/02" is "web-02-3"' in begun.notes
    assert '# "[prod]  db #1" in the export' in begun.text


def test_machines_of_one_name_are_told_apart_by_their_ids():
    one, two = vm("a", **{"VM UUID": "1"}), vm("a", **{"VM UUID": "2"})
    disks = [disk("a", mib=1024 * 99, **{"VM UUID": "2"}), disk("a", mib=1024 * 49, **{"VM UUID": "1"})]

    assert [(image["name"], image["min_disk"]) for image in images(rvtools([one, two], disks))] == [
        ("a", 50),
        ("a-2", 100),
    ]


def test_machines_that_nothing_tells_apart_get_no_disks_by_guess():
    info, heading = INFO[:-1], DISK[:-1]
    disks = [disk("a")[:-1], disk("a", 2)[:-1]]

    begun = rvtools([vm("a")[:-1], vm("a")[:-1]], disks, info, heading)

    assert [image["min_disk"] for image in images(begun)] == [0, 0]
    assert begun.text.count("# CHECK: several machines bear this name") == 2


def test_raw_and_shared_disks_are_left_to_a_person():
    disks = [
        disk("a"),
        disk("a", 2, Raw=True),
        disk("b", 1),
        disk("b", 2, **{"Disk Path": "[store] a/1.vmdk"}),
    ]

    begun = rvtools([vm("a"), vm("b")], disks)

    assert [image["object"] for image in images(begun)] == [
        "images/a.zvhd2",
        "CHECK",
        "images/b.zvhd2",
        "CHECK",
    ]
    assert [said.split(": ")[1] for said in errors(decided(begun.text))] == [
        'images[1] "a-data1".object',
        'images[3] "b-data1".object',
    ]


@pytest.mark.parametrize(
    ("firmware", "written"), [("bios", "bios"), ("efi", "uefi"), ("EFI", "uefi"), ("", None), ("x", None)]
)
def test_firmware_is_taken_where_it_is_known(firmware, written):
    begun = rvtools([vm("a", Firmware=firmware)], [disk("a")])

    assert images(begun)[0].get("hw_firmware_type") == written


def test_an_annotation_is_offered_and_not_sent_and_never_with_a_secret():
    machines = [vm("a", Annotation='Shop\nfront <1> "x"'), vm("b", Annotation="root password: hunter2")]

    begun = rvtools(machines, [disk("a"), disk("b")])

    assert '# description = "Shop front 1 \\"x\\""' in begun.text
    assert "# its annotation seems to hold a secret, and was left out" in begun.text
    assert "hunter2" not in begun.text
    assert all("description" not in image for image in images(begun))


@pytest.mark.parametrize(
    ("info", "heading", "reason"),
    [
        (["Name"], DISK, "its tab vInfo has no column VM"),
        (INFO, ["VM", "Disk"], "its tab vDisk has no column Capacity MiB"),
        ([], DISK, "its tab vInfo has no column VM"),
    ],
)
def test_an_export_without_what_matters_is_refused(info, heading, reason):
    with pytest.raises(Unreadable, match=reason):
        rvtools([vm("a")], [disk("a")], info, heading)


def test_an_export_without_machines_is_refused():
    with pytest.raises(Unreadable, match="lists no machine"):
        rvtools([vm("a", Template=True)], [])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["vInfo", "vCPU", "vDisk"], {"vInfo": "vInfo", "vDisk": "vDisk"}),
        (["VINFO", "vdisk"], {"vInfo": "VINFO", "vDisk": "vdisk"}),
        (["tabvInfo", "tabvDisk"], {"vInfo": "tabvInfo", "vDisk": "tabvDisk"}),
        (
            ["RVTools_tabvInfo.csv", "RVTools_tabvDisk.csv"],
            {"vInfo": "RVTools_tabvInfo.csv", "vDisk": "RVTools_tabvDisk.csv"},
        ),
        (["Disks"], {}),
    ],
)
def test_an_export_is_known_by_its_tabs(names, found):
    assert tabs(names) == found


def test_an_export_without_its_disks_says_what_is_missing():
    with pytest.raises(Unreadable, match="has the tab vInfo of an RVTools export, and not vDisk"):
        tabs(["vInfo", "vCPU"])


_TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", "a\nb", "\x7f\x1b[31m", "'''", "CHECK", "‮", "x" * 300]
)
_ANY: st.SearchStrategy[Cell] = (
    _TEXTS | st.integers() | st.floats() | st.booleans() | st.none() | st.dates() | st.just(Broken("#N/A"))
)


@given(
    st.lists(st.lists(_ANY, min_size=len(INFO), max_size=len(INFO)), max_size=3),
    st.lists(st.lists(_ANY, min_size=len(DISK), max_size=len(DISK)), max_size=3),
    _TEXTS,
)
@settings(max_examples=200)
def test_whatever_an_export_holds_the_plan_is_toml_and_nothing_but_a_plan(machines, disks, name):
    try:
        begun = rvtools([[name or "vm", *row[1:]] for row in machines], disks)
    except Unreadable:
        return

    tables = tomli.loads(begun.text)
    assert set(tables) == {"plan", "targets", "policy", "defaults", "images"}
    assert begun.text.splitlines() == begun.text.split("\n")[:-1]
    assert not any(
        unicodedata.category(char) == "Cc" for char in begun.text.replace("\n", "") + "".join(begun.notes)
    )
    problems = errors(decided(begun.text))
    assert all(
        any(f".{key}: " in said for key in ("os_version", "os_type", "min_disk", "object"))
        for said in problems
    )


# --- Guest systems --------------------------------------------------------------------------------------


def guest_table() -> dict[str, Any]:
    text = files("migrator").joinpath("data/guest-os.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@pytest.mark.parametrize("entry", guest_table()["guests"], ids=lambda entry: entry["guest"])
def test_every_guest_of_the_table_is_a_system_that_the_service_knows_or_says_why_not(entry):
    if entry["os_version"] is None:
        assert entry["why"]
    else:
        assert entry["os_version"] in known_systems()
        bits = "32" if "32-bit" in entry["guest"] else "64"
        assert bits in entry["os_version"]
        assert set(entry) == {"guest", "os_version", "assumed"}


def test_no_guest_is_in_the_table_twice():
    names = [entry["guest"].casefold() for entry in guest_table()["guests"]]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("details", "version"),
    [
        ("bitness='64' distroName='CentOS Linux' distroVersion='7.6'", "CentOS 7.6 64bit"),
        (
            "distroName='Red Hat Enterprise Linux' distroVersion='8.6' bitness='64'",
            "Redhat Linux Enterprise 8.6 64bit",
        ),
        (
            "distroName='Oracle Linux Server' distroVersion='7.5' bitness='64'",
            "Oracle Linux Server release 7.5 64bit",
        ),
        ("distroName='SLES' distroVersion='15.4' bitness='64'", "SUSE Linux Enterprise Server 15 SP4 64bit"),
        ("distroName='SLES' distroVersion='15' bitness='64'", "SUSE Linux Enterprise Server 15 64bit"),
        ("distroName='Ubuntu' distroVersion='22.04' bitness='64'", "Ubuntu 22.04 server 64bit"),
        ("distroName='Rocky Linux' distroVersion='8.8' bitness='64'", "Rocky Linux 8.8 64bit"),
        ("distroName='openSUSE Leap' distroVersion='15.4' bitness='64'", "openSUSE 15.4 64bit"),
        ("distroName='Fedora Linux' distroVersion='38' bitness='64'", "Fedora 38 64bit"),
        (WINDOWS_DETAILS, "Windows Server 2019 Datacenter 64bit"),
        (
            "prettyName='Microsoft Windows Server 2012 R2 Standard, 64-bit (Build 9600)'",
            "Windows Server 2012 R2 Standard 64bit",
        ),
    ],
)
def test_the_details_of_a_running_machine_say_it_exactly(details, version):
    found = guest_of(configured=CENTOS, running="", detailed=details)

    assert (found.os_version, found.assumed, found.why) == (version, "", "")
    assert found.os_type == ("Windows" if "Windows" in version else "Linux")


@pytest.mark.parametrize(
    ("configured", "running", "version"),
    [
        (CENTOS, "", "CentOS 7.9 64bit"),
        ("centos 7  (64-BIT)", "", "CentOS 7.9 64bit"),
        (CENTOS, "Debian GNU/Linux 11 (64-bit)", "Debian GNU/Linux 11.7.0 64bit"),
        (CENTOS, "A system of its own", "CentOS 7.9 64bit"),
    ],
)
def test_what_ran_is_believed_before_what_was_chosen_and_what_was_taken_for_granted_is_told(
    configured, running, version
):
    found = guest_of(configured=configured, running=running, detailed="")

    assert found.os_version == version
    assert found.assumed.startswith("minor release ")


@pytest.mark.parametrize(
    ("said", "os_type", "why"),
    [
        (
            "Microsoft Windows Server 2016 or later (64-bit)",
            "Windows",
            "that name stands for 2016, 2019 and 2022",
        ),
        ("Ubuntu Linux (64-bit)", "Linux", "that name names no release"),
        ("Oracle Solaris 11 (64-bit)", None, "it is not in the table of guest systems"),
        ("", None, "the export does not name its system"),
    ],
)
def test_what_nobody_can_know_is_left_to_a_person(said, os_type, why):
    found = guest_of(configured=said, running="", detailed="distroName='Ubuntu' distroVersion='99.04'")

    assert (found.os_version, found.os_type, found.why) == (None, os_type, why)
    begun = rvtools([vm("a", os=said)], [disk("a"), disk("a", 2)])
    keys = {said.split(": ")[1] for said in errors(decided(begun.text))}
    assert keys == {'images[0] "a".os_version', *(() if os_type else ('images[1] "a-data1".os_type',))}


def test_a_system_that_is_neither_leaves_its_data_disks_to_a_person():
    begun = rvtools([vm("a", os="FreeBSD 12 (64-bit)")], [disk("a"), disk("a", 2)])

    assert images(begun)[0]["os_version"] == "FreeBSD 12.4 64bit"
    assert 'os_type = "CHECK"   # CHECK: Linux or Windows? its system is FreeBSD 12.4 64bit' in begun.text


def test_what_was_assumed_and_what_is_to_decide_is_counted_and_told_in_few_lines():
    machines = [vm(f"a-{n}") for n in range(3)] + [vm(f"s-{n}", os=f"Strange {n}") for n in range(12)]

    notes = rvtools(machines, []).notes

    assert (
        'assumed for 3: "CentOS 7 (64-bit)" is "CentOS 7.9 64bit", minor release 9: the export names none'
        in notes
    )
    assert 'to decide for 1: what is "Strange 0"?' in notes
    assert notes[-1] == "2 more systems to be decided: look for CHECK and # in the plan"
    assert len(notes) == 13
