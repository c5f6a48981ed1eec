"""Reading a plan: what becomes of defaults, targets and addresses, and that nothing gets past the rules.

What is said about broken plans, word for word, is in tests/plans and tests/test_plans.py.
"""

import gc
import json
import re
import string
from typing import Any

import pytest
import tomli
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from migrator.domain.errors import PlanError
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import JobApi, MarkerKind, OnQuota, Plan, Target, Wave
from migrator.domain.units import Rate, Threshold
from migrator.ims.fields import Bucket
from migrator.ims.os_versions import family, known_systems
from migrator.plan import Problem, at_endpoint, parse_plan
from migrator.plan.forms import IMAGE_KEYS
from migrator.plan.lines import Lines
from migrator.plan.targets import endpoint

HEAD = """\
[plan]
name = "dc-east"
[targets.north]
region = "cn-north-4"
"""
WEB = """\
[[images]]
name = "web-01"
image_url = "mig-bucket:images/web-01.zvhd2"
os_version = "CentOS 7.6 64bit"
min_disk = 60
"""


def plan(text: str) -> Plan:
    """The plan, which is expected to be without fault and without warning."""
    found, warnings = parse_plan(text.encode(), path="plan.toml")
    assert [str(warning) for warning in warnings] == []
    return found


def errors(text: str | bytes) -> list[str]:
    """What is wrong with the plan; nothing when nothing is."""
    try:
        parse_plan(text if isinstance(text, bytes) else text.encode(), path="plan.toml")
    except PlanError as error:
        return error.problems
    return []


def warnings(text: str) -> list[Problem]:
    return parse_plan(text.encode(), path="plan.toml")[1]


def image(defaults: str = "", own: str = "", *, kind: str = 'os_version = "CentOS 7.6 64bit"') -> Image:
    """The one image of a plan with these defaults and keys of its own."""
    return plan(
        f'{HEAD}[defaults]\n{defaults}\n[[images]]\nname = "web-01"\nmin_disk = 60\n'
        f'image_url = "mig-bucket:web-01.zvhd2"\n{kind}\n{own}\n'
    ).images[0]


def data_image(defaults: str = "", own: str = "") -> Image:
    return image(defaults, own, kind='type = "DataImage"\nos_type = "Linux"')


# --- From the smallest plan to the largest --------------------------------------------------------------


def test_the_smallest_plan_is_complete():
    north = Target(
        name="north",
        region="cn-north-4",
        ims_endpoint="https://ims.cn-north-4.myhuaweicloud.com",
        iam_endpoint="https://iam.cn-north-4.myhuaweicloud.com",
        obs_endpoint="https://obs.cn-north-4.myhuaweicloud.com",
        kms_endpoint="https://kms.cn-north-4.myhuaweicloud.com",
    )
    web = Image(
        name="web-01",
        target="north",
        source=ObjectRef.parse("mig-bucket:images/web-01.zvhd2"),
        min_disk=60,
        os_version="CentOS 7.6 64bit",
    )

    assert plan(HEAD + WEB) == Plan(name="dc-east", targets={"north": north}, images=(web,))


def test_settings_become_values_with_their_units():
    found = plan(
        HEAD
        + WEB
        + """
        [limits]
        request_timeout = "1m30s"
        submit_rate = "30/m"
        [retry]
        base = "250ms"
        [policy]
        max_failures = 12
        on_quota = "wait"
        settle = "10m"
        marker = "none"
        """
    )

    assert found.targets["north"].limits.request_timeout == 90.0
    assert found.targets["north"].limits.submit_rate == Rate(count=30, unit="m")
    assert found.retry.base == 0.25
    assert found.policy.max_failures == Threshold(count=12)
    assert found.policy.on_quota is OnQuota.WAIT
    assert found.policy.settle == 600.0
    assert found.policy.marker is MarkerKind.NONE


def test_an_image_keeps_every_key_it_is_given():
    found = image(
        own="""
        type = "BMS"
        architecture = "arm"
        hw_firmware_type = "uefi"
        enterprise_project_id = "0aad99bc-F5f6-4f78-8404-c598d76b0ed2"
        description = "商城前端"
        image_tags = { app = "shop", "环境" = "生产", empty = "" }
        priority = -3
        labels = { owner = "li.wei", "机柜" = "A 12" }
        """
    )

    assert found == Image(
        name="web-01",
        target="north",
        source=ObjectRef.parse("mig-bucket:web-01.zvhd2"),
        min_disk=60,
        type=ImageType.BMS,
        os_version="CentOS 7.6 64bit",
        architecture="arm",
        hw_firmware_type="uefi",
        enterprise_project_id="0aad99bc-F5f6-4f78-8404-c598d76b0ed2",
        description="商城前端",
        image_tags={"app": "shop", "环境": "生产", "empty": ""},
        priority=-3,
        labels={"owner": "li.wei", "机柜": "A 12"},
    )
    assert found.type is ImageType.BMS


def test_images_stay_in_the_order_of_the_file():
    tables = "".join(WEB.replace("web-01", f"web-{n:02}") for n in (7, 3, 9))

    assert [image.name for image in plan(HEAD + tables).images] == ["web-07", "web-03", "web-09"]


def test_every_field_of_an_image_has_a_key_in_the_plan():
    fields = set(Image.__struct_fields__) - {"source"} | {"image_url"}

    assert fields == set(IMAGE_KEYS) - {"bucket", "object"}


# --- Defaults -------------------------------------------------------------------------------------------


def test_an_images_own_value_wins_over_the_default():
    found = image('min_disk = 10\ndescription = "all"\npriority = 4', 'description = "own"')

    assert (found.min_disk, found.description, found.priority) == (60, "own", 4)


@pytest.mark.parametrize(
    ("defaults", "own", "tags", "image_tags"),
    [
        pytest.param("", "", None, None, id="none at all"),
        pytest.param('tags = ["a.1"]', "", ("a.1",), None, id="old ones by default"),
        pytest.param("image_tags = { a = '1' }", "", None, {"a": "1"}, id="new ones by default"),
        pytest.param('tags = ["a.1"]', 'tags = ["b.2"]', ("a.1", "b.2"), None, id="old and old"),
        pytest.param("image_tags = { a = '1' }", 'tags = ["b.2"]', ("a.1", "b.2"), None, id="new and old"),
        pytest.param(
            'tags = ["a.1"]', "image_tags = { b = '2' }", None, {"a": "1", "b": "2"}, id="old and new"
        ),
        pytest.param(
            "image_tags = { a = '1' }",
            "image_tags = { b = '2' }",
            None,
            {"a": "1", "b": "2"},
            id="new and new",
        ),
        pytest.param(
            "image_tags = { a = '1', b = '1' }", 'tags = ["a.2.x"]', ("b.1", "a.2.x"), None, id="own one wins"
        ),
        pytest.param('tags = ["a"]', "image_tags = {}", None, {"a": ""}, id="a tag without a value"),
        pytest.param('tags = ["a.1.2"]', "image_tags = {}", None, {"a": "1.2"}, id="dots in the value"),
    ],
)
def test_tags_of_the_defaults_are_merged_into_the_images_own_form(defaults, own, tags, image_tags):
    found = image(defaults, own)

    assert (found.tags, found.image_tags) == (tags, image_tags)


def test_tags_may_fill_what_the_marker_leaves():
    eight = ", ".join(f"t{n} = 'x'" for n in range(8))
    ten = ", ".join(f"t{n} = 'x'" for n in range(10))

    assert len(image(own=f"image_tags = {{ {eight} }}").own_tags) == 8
    unmarked = plan(f"{HEAD}[policy]\nmarker = 'none'\n{WEB}image_tags = {{ {ten} }}")
    assert len(unmarked.images[0].own_tags) == 10


@pytest.mark.parametrize("value", ['"lots"', '"40"', "4.5"])
def test_what_is_no_number_is_named_in_the_defaults_as_it_is_in_an_image(value):
    table = WEB.replace("min_disk = 60\n", "")

    by_default = errors(f"{HEAD}[defaults]\nmin_disk = {value}\n{table}")
    by_image = errors(f"{HEAD}{table}min_disk = {value}\n")

    for said in (by_default, by_image):
        (line,) = (line.partition("min_disk: ")[2] for line in said)
        assert line.partition(";")[0] == f"{value} must be a whole number"


def test_labels_of_the_defaults_are_added_and_the_images_own_win():
    found = image("labels = { site = 'east', owner = 'all' }", "labels = { owner = 'li.wei' }")

    assert found.labels == {"site": "east", "owner": "li.wei"}


def test_a_data_disk_does_not_inherit_what_is_for_system_disks():
    found = data_image(
        """
        os_version = "CentOS 7.6 64bit"
        architecture = "arm"
        hw_firmware_type = "uefi"
        license_type = "byol"
        """
    )

    assert found.type is ImageType.DATA
    assert (found.os_version, found.architecture, found.hw_firmware_type) == (None, None, None)
    assert found.license_type is None


def test_a_system_disk_does_not_inherit_an_os_type():
    assert image('os_type = "Linux"').os_type is None


def test_the_type_may_be_a_default():
    assert image('type = "DataImage"\nos_type = "Linux"', kind="").type is ImageType.DATA
    assert image('type = "BMS"').type is ImageType.BMS
    assert image('type = "BMS"', 'type = "ECS"').type is ImageType.ECS


@pytest.mark.parametrize(
    ("defaults", "own", "url"),
    [
        pytest.param("bucket = 'all'", "object = 'a/b.raw'", "all:a/b.raw", id="bucket by default"),
        pytest.param("bucket = 'all'", "bucket = 'own'\nobject = 'b.raw'", "own:b.raw", id="own bucket"),
        pytest.param("bucket = 'all'", "image_url = 'own:b.raw'", "own:b.raw", id="image_url"),
        pytest.param("", "bucket = 'own'\nobject = 'a:b.raw'", "own:a:b.raw", id="a colon in the key"),
    ],
)
def test_bucket_and_object_make_an_address(defaults, own, url):
    text = f'{HEAD}[defaults]\n{defaults}\n[[images]]\nname = "a"\nos_version = "CentOS 7.6 64bit"\n'

    found, _ = parse_plan(f"{text}min_disk = 60\n{own}".encode(), path="plan.toml")

    assert found.images[0].image_url == url


# --- Waves ----------------------------------------------------------------------------------------------

WAVES = """
[[waves]]
name = "pilot"
not_before = 2026-12-01T20:00:00+08:00
not_after = 2026-12-01T22:00:00Z
proceed = "95%"
[[waves]]
name = "rest"
"""


def test_waves_keep_their_order_and_their_times_become_moments():
    pilot = Wave(
        name="pilot", not_before=1796126400.0, not_after=1796162400.0, proceed=Threshold(fraction=0.95)
    )

    two = WEB + 'wave = "pilot"\n' + WEB.replace("web-01", "web-02")
    assert plan(HEAD + WAVES + two).waves == (pilot, Wave(name="rest"))


def test_an_image_is_in_the_wave_it_names_else_in_the_default_one_else_in_the_last():
    web_02, web_03 = WEB.replace("web-01", "web-02"), WEB.replace("web-01", "web-03")
    images = WEB + 'wave = "pilot"\n' + web_02 + 'wave = "rest"\n' + web_03

    assert [image.wave for image in plan(HEAD + WAVES + images).images] == ["pilot", "rest", "rest"]
    by_default = plan(HEAD + WAVES + '[defaults]\nwave = "pilot"\n' + images).images
    assert [image.wave for image in by_default] == ["pilot", "rest", "pilot"]


def test_without_waves_no_image_is_in_one():
    found = plan(HEAD + WEB)

    assert (found.waves, found.images[0].wave) == ((), None)


# --- Targets --------------------------------------------------------------------------------------------


def test_images_go_to_the_only_target_unasked_and_to_the_default_one_of_several():
    two = HEAD + '[targets.south]\nregion = "cn-south-1"\n'

    assert plan(HEAD + WEB).images[0].key == "north/web-01"
    assert plan(two + '[defaults]\ntarget = "south"\n' + WEB).images[0].key == "south/web-01"
    assert plan(two + '[defaults]\ntarget = "south"\n' + WEB + 'target = "north"').images[0].target == "north"


def test_one_name_may_go_to_two_targets():
    two = HEAD + '[targets.south]\nregion = "cn-south-1"\n'
    south = WEB.replace("mig-bucket", "south-bucket") + 'target = "south"\n'

    assert [image.key for image in plan(two + WEB + 'target = "north"\n' + south).images] == [
        "north/web-01",
        "south/web-01",
    ]


def test_a_target_changes_only_the_limits_it_names():
    found = plan(
        HEAD
        + '[targets.north.limits]\nmax_jobs = 7\n[targets.south]\nregion = "cn-south-1"\n'
        + '[limits]\nmax_jobs = 30\nsubmit_rate = "5/s"\n[defaults]\ntarget = "north"\n'
        + WEB
    )

    limits = {name: target.limits for name, target in found.targets.items()}
    assert {name: (each.max_jobs, str(each.submit_rate)) for name, each in limits.items()} == {
        "north": (7, "5/s"),
        "south": (30, "5/s"),
    }


def test_an_unknown_region_is_taken_with_all_three_endpoints():
    hosts = "".join(f'{name}_endpoint = "https://{name}.example.com"\n' for name in ("ims", "iam", "obs"))

    target = plan(HEAD.replace("cn-north-4", "eu-de") + hosts + WEB).targets["north"]

    assert (target.region, target.iam_endpoint) == ("eu-de", "https://iam.example.com")


@pytest.mark.parametrize(("region", "cloud"), [("cn-north-4", "huawei"), ("eu-de", "otc")])
def test_a_target_knows_its_cloud_by_its_region(region: str, cloud: str):
    assert plan(HEAD.replace("cn-north-4", region) + WEB).targets["north"].cloud == cloud


def test_a_target_may_name_its_cloud():
    hosts = "".join(f'{name}_endpoint = "https://{name}.example.com"\n' for name in ("ims", "iam", "obs"))

    assert (
        plan(f'{HEAD.replace("cn-north-4", "eu-test")}cloud = "otc"\n{hosts}{WEB}').targets["north"].cloud
        == "otc"
    )


def test_a_target_may_name_its_project_credentials_and_job_query():
    own = """
        project_id = "0123456789ABCDEF0123456789abcdef"
        credentials = "profile:east-1"
        job_api = "status"
        """

    target = plan(HEAD + own + WEB).targets["north"]

    assert target.project_id == "0123456789ABCDEF0123456789abcdef"
    assert target.credentials == "profile:east-1"
    assert target.job_api is JobApi.STATUS


@pytest.mark.parametrize("source", ["env", "metadata", "env:EAST_", "profile:east"])
def test_every_source_of_credentials_has_its_form(source):
    assert plan(f'{HEAD}credentials = "{source}"\n{WEB}').targets["north"].credentials == source


@pytest.mark.parametrize(
    ("text", "base"),
    [
        pytest.param("https://ims.example.com/", "https://ims.example.com", id="a slash at the end"),
        pytest.param("HTTPS://IMS.Example.com:8443//", "https://ims.example.com:8443", id="capitals"),
        pytest.param("http://127.0.0.1:8080", "http://127.0.0.1:8080", id="this machine"),
        pytest.param("http://127.9.9.9", "http://127.9.9.9", id="this machine, oddly"),
        pytest.param("http://localhost:1", "http://localhost:1", id="localhost"),
        pytest.param("http://[::1]:8080", "http://[::1]:8080", id="IPv6 loopback"),
        pytest.param("https://[2001:db8::1]", "https://[2001:db8::1]", id="IPv6"),
    ],
)
def test_an_endpoint_is_cut_to_scheme_host_and_port(text, base):
    assert endpoint(text) == base


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ims.example.com",
        "https:/ims.example.com",
        "https://",
        "https://:443",
        "https://ims.example.com:",
        "https://ims.example.com:0",
        "https://ims.example.com:65536",
        "https://ims.example.com:x",
        "https://[::1",
        "https://ims example.com",
        "https://ims.example.com\n",
        "https://ims.example.com\\@evil.example",
        "https://me@ims.example.com",
        "https://ims.example.com/v2",
        "https://ims.example.com?",
        "https://ims.example.com#",
        "https://ims_1.example.com",
        "https://-.example.com-",
        "http://ims.example.com",
        "http://128.0.0.1",
        "http://localhost.example.com",
        "http://[2001:db8::1]",
        "file:///etc/passwd",
    ],
)
def test_anything_but_an_encrypted_base_address_is_refused(text):
    with pytest.raises(ValueError, match=r"^(is|has|holds) "):
        endpoint(text)


def test_a_plan_can_be_turned_to_one_address_as_a_whole():
    found = at_endpoint(plan(HEAD + WEB), "http://127.0.0.1:8080/")

    target = found.targets["north"]
    assert {target.ims_endpoint, target.iam_endpoint, target.obs_endpoint} == {"http://127.0.0.1:8080"}
    assert target.region == "cn-north-4"
    assert found.images == plan(HEAD + WEB).images


# --- The edges of what is allowed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f'name = "{"n" * 128}"', id="longest name"),
        pytest.param('name = "网 页.a_b-1"', id="Chinese and an inner space"),
        pytest.param('name = "."', id="a name of one character"),
        pytest.param("min_disk = 1024", id="largest disk"),
        pytest.param("min_disk = 10", id="smallest disk without a warning"),
        pytest.param(f'image_url = "{"b" * 63}:k.raw"', id="longest bucket"),
        pytest.param('image_url = "a.b--c.1:k.raw"', id="odd bucket"),
        pytest.param(f'image_url = "bkt:{"k" * 1020}.raw"', id="longest key"),
        pytest.param('image_url = "bkt:a:b.raw"', id="a colon in the key"),
        pytest.param(f'description = "{"d" * 1024}"', id="longest description"),
        pytest.param('description = ""', id="no description"),
        pytest.param(f'image_tags = {{ {"k" * 36} = "{"v" * 43}" }}', id="longest tag"),
        pytest.param('enterprise_project_id = "0"', id="default project"),
        pytest.param('os_version = "Other Linux (64 bit)"', id="the other spelling"),
        pytest.param("labels = { password_policy = 'x', akita = 'y' }", id="no secret after all"),
    ],
)
def test_what_is_just_allowed_is_no_error(line):
    key = line.split(" = ", 1)[0]
    own = "".join(part for part in WEB.splitlines(keepends=True) if not part.startswith(f"{key} = "))

    assert errors(HEAD + own + line) == []


@given(st.text(alphabet="ab1.-A_", max_size=8))
@example("1.1.1.1")
def test_a_bucket_pattern_and_its_words_agree_on_what_a_bucket_is(name):
    by_pattern = errors(f'{HEAD}[defaults]\nbucket = "{name}"\n{WEB}')
    by_address = errors(HEAD + WEB.replace("mig-bucket", name))
    correct = (
        len(name) >= 3
        and set(name) <= set(string.ascii_lowercase + string.digits + ".-")
        and name[0] not in ".-"
        and name[-1] not in ".-"
        and not any(pair in name for pair in ("..", ".-", "-."))
        and not re.fullmatch(r"\d+(\.\d+){3}", name)  # an IP address
    )

    assert (not by_pattern, not by_address) == (correct, correct)
    assert TypeAdapter(Bucket).json_schema()["minLength"] == 3


def test_no_secret_is_repeated_in_what_is_said_about_it():
    text = f"""
        secret_key = "hunter2"
        {HEAD}
        ak = "hunter2"
        credentials = "hunter2:hunter2"
        ims_endpoint = "https://me:hunter2@ims.example.com"
        {WEB}
        password = "hunter2"
        labels = {{ token = "hunter2" }}
        image_tags = {{ sk = "hunter2" }}
        [credentials]
        sk = "hunter2"
        """

    said = errors(text)

    assert len(said) == 8
    assert "hunter2" not in "\n".join(said)


def test_what_is_said_is_one_line_that_no_terminal_takes_for_orders():
    with pytest.raises(PlanError) as caught:
        parse_plan(b'[plan]\n"\\u001b[31m" = 1\nname = "p\\u202e"', path="a\x1b[31m\nb.toml")

    assert all(problem.isprintable() for problem in caught.value.problems)
    assert caught.value.problems[-2].startswith(r'a\x1b[31m\nb.toml:2: plan."\u001b[31m": is not a key')


def test_errors_come_without_the_warnings_and_in_the_order_of_the_file():
    text = HEAD + WEB.replace("60", "5").replace("CentOS", "Cent") + "priority = 'x'\ndisk = 3\n"

    assert [problem.split(" ")[0] for problem in errors(text)] == ["plan.toml:10:", "plan.toml:11:"]


def test_a_warning_knows_its_parts():
    text = HEAD + WEB.replace("60", "5")

    assert warnings(text) == [
        Problem(
            path="plan.toml",
            line=9,
            column=1,
            field='images[0] "web-01".min_disk',
            value="5",
            reason="is below the 10 GB that some documents ask for with Linux",
            remedy="make it 10 or more",
            severity="warning",
        )
    ]


def test_many_images_with_one_doubt_make_one_warning():
    tables = "".join(
        WEB.replace("web-01", f"web-{n:02}").replace("CentOS 7.6", "CentOS 7.66") for n in range(30)
    )

    (warning,) = warnings(HEAD + tables)

    assert "(30 images)" in warning.reason
    assert warning.line == 8


# --- Operating systems ----------------------------------------------------------------------------------


def test_the_table_of_operating_systems_is_shipped_and_knows_both_families():
    known = known_systems()

    assert len(known) > 240
    assert set(known.values()) == {"Linux", "Windows", "Other"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("CentOS 7.6 64bit", "Linux"),
        ("Windows Server 2019 Standard 64bit", "Windows"),
        ("windows server 2031", "Windows"),
        ("FreeBSD 11.0 64bit", "Linux"),
        ("", "Linux"),
    ],
)
def test_an_operating_system_is_a_windows_or_treated_as_a_linux(version, expected):
    assert family(version) == expected


# --- Files that are no text -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(
            b"",
            "plan.toml: the file is empty; `migrator init` writes a plan to start from",
            id="empty",
        ),
        pytest.param(
            b" \n\t\r\n",
            "plan.toml: the file is empty; `migrator init` writes a plan to start from",
            id="blank",
        ),
        pytest.param(
            b'[plan]\nname = "a\xff"',
            "plan.toml:2: byte 0xff is not UTF-8; save the file as UTF-8",
            id="not UTF-8",
        ),
        pytest.param(
            b"[plan]\n\n\0",
            "plan.toml:3: there is a NUL byte, so this is not text; is it the right file?",
            id="NUL",
        ),
        pytest.param(
            "[plan]".encode("utf-16"),
            "plan.toml: the file is UTF-16; save it as UTF-8 without a byte order mark",
            id="UTF-16",
        ),
    ],
)
def test_a_file_that_is_no_text_gets_one_clear_error(data, said):
    assert errors(data) == [said]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = " + "[" * 5000, id="lists"),
        pytest.param("a = " + "{a=" * 5000, id="tables"),
        pytest.param(HEAD + WEB + "labels." + "a." * 3000 + "a = 1", id="dotted keys"),
        pytest.param(HEAD + "[" + "a." * 3000 + "a]\n" + WEB, id="headers"),
        pytest.param(HEAD + WEB + "labels = " + "[" * 90 + "]" * 90, id="a deep list"),
    ],
)
def test_depth_is_an_error_like_any_other(text):
    assert errors(text)


# --- Lines ----------------------------------------------------------------------------------------------


def test_lines_are_found_for_keys_however_they_are_written():
    lines = Lines(
        'a = 1 # "\n'
        "b.c = { d = [1, { e = 2 },\n"
        '  { "\\u0065" = 3 }], \'f g\' = """\n'
        '[x]\n""" }\n'
        "[t]\n"
        "  k = 1\n"
        "[[x.y]]\n"
        "[x.y.z]\n"
        "k = 2\n"
        "[[x.y]]  # second\r\n"
        "z.k = 3\n"
    )

    assert lines.line(("a",)) == 1
    assert lines.line(("b", "c", "d", 1, "e")) == 2
    assert lines.line(("b", "c", "d", 2, "e")) == 3
    assert lines.line(("b", "c", "f g")) == 3
    assert lines.line(("t", "k")) == 7
    assert lines.line(("x", "y", 0, "z", "k")) == 10
    assert lines.line(("x", "y", 1, "z", "k")) == 12
    assert lines.line(("x", "y", 1, "missing")) == 11
    assert lines.line(("nowhere",)) is None
    assert not lines.has(("x", "y", 1, "missing"))


_KEYS = st.sampled_from(["a", "b-1", "C_d", "é", "x y", "a.b", '"q"', "#", "[[a]]", "\\"])
_VALUES = st.recursive(
    st.integers(0, 9)
    | st.booleans()
    | st.sampled_from(["s", "[x]", "a\nb", '"', "'", "#", "{", "'''", '"""']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    """A value as TOML, with line breaks wherever they are allowed."""
    match value:
        case bool():
            return str(value).lower()
        case str() if "\n" in value and "'''" not in value:
            return f"'''\n{value}'''"
        case str() | int():
            return json.dumps(value)
        case list():
            return "[\n" + ",\n".join(map(written, value)) + "\n]"
        case _:
            inner = ", ".join(f"{json.dumps(key)} = {written(part)}" for key, part in value.items())
            return "{ " + inner + " }"


def places(value: Any, where: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where, *(place for key, part in inner for place in places(part, (*where, key)))]


@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=4), min_size=1, max_size=4))
@settings(max_examples=150)
def test_every_key_of_any_file_has_a_line_that_names_it(tables):
    text = "".join(
        "[[t]]\n" + "".join(f"{json.dumps(key)} = {written(value)}\n" for key, value in table.items())
        for table in tables
    )
    assert tomli.loads(text) == {"t": tables}

    lines = Lines(text)

    for index, table in enumerate(tables):
        for key, value in table.items():
            for place in places(value, ("t", index, key)):
                assert lines.has(place), (place, text)
                number = lines.line(place)
                if isinstance(place[-1], str):
                    assert number is not None
                    assert json.dumps(place[-1]) in text.splitlines()[number - 1]


# --- Whatever is in the file ----------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=200)
def test_any_bytes_are_a_plan_or_a_plan_error(data):
    assert all(problem.startswith("plan.toml") and "\n" not in problem for problem in errors(data))


_WORDS = st.sampled_from(
    [
        "",
        "web-01",
        "north",
        "south",
        "cn-north-4",
        "DataImage",
        "BMS",
        "Linux",
        "mig-bucket",
        "a.raw",
        "b:c.raw",
        "mig-bucket:a.raw",
        "CentOS 7.6 64bit",
        "Windows 10 64bit",
        "5s",
        "2/s",
        "5%",
        "tag",
        "\n",
        "\u202e",
        "镜像",
        "https://x.example",
        "a.b",
        "migrator_plan.x",
        "env",
        "arm",
        "bios",
        "0",
    ]
)
_TABLES = [
    "plan",
    "targets",
    "limits",
    "retry",
    "polling",
    "policy",
    "defaults",
    "images",
    "waves",
    "inventory",
]
_ALL_KEYS = st.sampled_from(
    [
        *IMAGE_KEYS,
        "region",
        "credentials",
        "ims_endpoint",
        "limits",
        "base",
        "cap",
        "marker",
        "north",
        "wave",
        "max_jobs",
        "settle",
        "max_failures",
        "first",
        "submit_rate",
        "sk",
        "x y",
        "",
        "migrator_item",
    ]
)
_ANYTHING = st.recursive(
    _WORDS
    | st.integers(-5, 2000)
    | st.booleans()
    | st.sampled_from(["1979-05-27", "nan", "0x" + "f" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ALL_KEYS, inner, max_size=4),
    max_leaves=12,
)


def toml(value: Any) -> str:
    """A value in one line; a few texts stand for what Python would not write like that."""
    match value:
        case bool():
            return str(value).lower()
        case str() if value in ("1979-05-27", "nan") or value.startswith("0xf"):
            return value
        case str() | int():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return f"{{ {', '.join(f'{json.dumps(key)} = {toml(part)}' for key, part in value.items())} }}"


@given(
    st.dictionaries(st.sampled_from(_TABLES), _ANYTHING),
    st.lists(st.dictionaries(_ALL_KEYS, _ANYTHING, max_size=8), max_size=3),
    st.booleans(),
)
@settings(max_examples=300)
def test_any_tables_are_a_plan_or_a_plan_error(tables, images, sound):
    if sound:
        base = {"name": "web-01", "image_url": "mig-bucket:a.raw", "os_version": "TempleOS", "min_disk": 1}
        tables = {**tables, "plan": {"name": "p"}, "targets": {"north": {"region": "cn-north-4"}}}
        tables["images"] = [{**base, **image} for image in images]
    text = "".join(f"{key} = {toml(value)}\n" for key, value in tables.items())

    assert all(problem.startswith("plan.toml") and "\n" not in problem for problem in errors(text))


# --- A large plan ---------------------------------------------------------------------------------------


def large(images: int) -> bytes:
    return (HEAD + "[defaults]\nbucket = 'mig-bucket'\n").encode() + b"".join(
        b'[[images]]\nname = "web-%06d"\nobject = "images/dc-east/web-%06d.zvhd2"\n'
        b'os_version = "CentOS 7.6 64bit"\nmin_disk = 60\ntype = "ECS"\npriority = %d\n'
        b'labels = { owner = "li.wei", rack = "A%d", app = "Shop" }\n\n' % (n, n, n % 10, n % 50)
        for n in range(images)
    )


def test_texts_that_many_images_share_are_kept_once():
    images = plan(large(50).decode()).images

    assert len({id(image.os_version) for image in images}) == 1
    assert len({id(image.labels["owner"]) for image in images}) == 1


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(was_on):
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        assert errors("[plan")
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()


def test_of_many_errors_of_one_kind_three_are_told_and_the_others_counted():
    data = large(300).replace(b"min_disk = 60", b"min_disk = 0")

    with pytest.raises(PlanError) as caught:
        parse_plan(data, path="plan.toml")

    assert caught.value.count == 300
    *told, last = [problem.split(": ", 1)[1] for problem in caught.value.problems]
    assert [problem.split(": ")[0] for problem in told] == [
        f'images[{n}] "web-{n:06}".min_disk' for n in range(3)
    ]
    assert last.startswith("and 297 more like this in lines ")


def test_twenty_thousand_empty_images_are_told_on_a_page():
    head = b"""[plan]\nname = "x"\n[targets.north]\nregion = "cn-north-4"\n"""

    with pytest.raises(PlanError) as caught:
        parse_plan(head + b"[[images]]\n" * 20_000, path="plan.toml")

    assert caught.value.count == 80_000
    assert len("\n".join(caught.value.problems)) < 10_000
    assert len(caught.value.problems) == 16


def test_problems_beyond_a_hundred_thousand_are_only_counted(monkeypatch):
    monkeypatch.setattr("migrator.plan.problems.MOST_NOTED", 100)

    with pytest.raises(PlanError) as caught:
        parse_plan(large(300).replace(b"min_disk = 60", b"min_disk = 0"), path="plan.toml")

    assert caught.value.count == 300
    alike, more = caught.value.problems[-2:]
    assert alike.startswith("plan.toml: and 97 more like this in lines ")
    assert more == "and 200 problems more, which were only counted"
