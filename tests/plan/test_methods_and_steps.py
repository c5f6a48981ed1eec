"""Forty wrong combinations of keys and methods, of shares and copies: each with its own words."""

import pytest

from migrator.domain.errors import PlanError
from migrator.plan import parse_plan

HEAD = """
[plan]
name = "p"
[targets.north]
region = "cn-north-4"
project_id = "0123456789abcdef0123456789abcdef"
[targets.south]
region = "cn-south-1"
agency = "ims_admin_agency"
[targets.bare]
region = "cn-east-3"
[targets.twin]
region = "cn-north-4"
project_id = "2123456789abcdef0123456789abcdef"
agency = "ims_admin_agency"
"""
SYSTEM = {"min_disk": "40", "os_version": '"CentOS 7.6 64bit"'}
DATA = {"type": '"DataImage"', "min_disk": "40", "os_type": '"Linux"'}
NO_OS = {"min_disk": "40"}
N, A = '"normal"', '"auto"'
OWN, TWIN = '["0123456789abcdef0123456789abcdef"]', '["2123456789abcdef0123456789abcdef"]'
KEY = '"9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"'
WINDOWS = '"Windows Server 2019 Standard 64bit"'


def said(file: str, keys: dict[str, str], **more: str) -> list[str]:
    """What is wrong with one image, without the places."""
    lines = "\n".join(f"{key} = {value}" for key, value in ({"target": '"north"'} | keys | more).items())
    plan = f'{HEAD}\n[[images]]\nname = "web"\nimage_url = "bucket:{file}"\n{lines}\n'
    try:
        parse_plan(plan.encode(), path="p.toml")
    except PlanError as error:
        return [problem.partition('"web".')[2] for problem in error.problems]
    return []


WRONG = [
    (said("a.vmdk", SYSTEM), "is a vmdk file; quick import takes only .zvhd2 and .raw"),
    (said("a.qcow2", DATA), "is a qcow2 file; quick import takes only .zvhd2 and .raw"),
    (said("a.vhdx", SYSTEM, method='"quick"'), 'set method = "auto"'),
    (said("a.iso", SYSTEM, method=N), "installation disc"),
    (said("a.iso", SYSTEM, method=A), "installation disc"),
    (said("a.ova", SYSTEM, method=N), "archive of a whole machine"),
    (said("a-flat.vmdk", SYSTEM, method=N), "bare data of a VMware disk"),
    (said("a-000001.vmdk", SYSTEM, method=A), "name of a snapshot"),
    (said("a.vmdk.gz", SYSTEM, method=N), "is packed"),
    (said("a.img", SYSTEM, method=N), "normal import takes only"),
    (said("a.zvhd2", SYSTEM, cmk_id=KEY), "cmk_id: "),
    (said("a.zvhd2", SYSTEM, is_config="true"), "is_config: true does not go with quick import"),
    (said("a.zvhd2", SYSTEM, min_ram="1024"), "min_ram: 1024 does not go with quick import"),
    (said("a.zvhd2", SYSTEM, max_ram="1024"), "max_ram: 1024 does not go with quick import"),
    (said("a.zvhd2", SYSTEM, os_type='"Linux"'), "os_type: "),
    (said("a.zvhd2", NO_OS), "os_version: is missing"),
    (said("a.zvhd2", SYSTEM, min_disk="1025"), "must be at most 1024"),
    (said("a.zvhd2", DATA, min_disk="1025"), 'set method = "normal"'),
    (said("a.zvhd2", DATA, min_disk="2049", method=N), "must be at most 2048"),
    (said("a.vmdk", SYSTEM, method=N, min_disk="9"), "must be at least 10 for a Linux"),
    (
        said("a.vmdk", SYSTEM, method=N, min_disk="19", os_version=WINDOWS),
        "at least 20 for a Windows",
    ),
    (
        said("a.vmdk", SYSTEM, method=N, min_disk="1025"),
        "must be at most 1024 for a Linux",
    ),
    (said("a.vmdk", DATA, method=N, min_disk="39"), "must be at least 40 for a data disk"),
    (said("a.zvhd2", DATA, method=N, min_disk="39"), 'set method = "quick" or "auto"'),
    (said("a.vmdk", DATA, method=A, min_disk="39"), "must be at least 40 for a data disk"),
    (said("a.vmdk", SYSTEM, method=N, license_type='"byol"', os_version=WINDOWS), "license_type: "),
    (said("a.vmdk", SYSTEM, method=A, license_type='"byol"', os_version=WINDOWS), "license_type"),
    (
        said("a.zvhd2", SYSTEM, method=A, license_type='"byol"', cmk_id=KEY, os_version=WINDOWS),
        "cmk_id",
    ),
    (said("a.vmdk", DATA, method=N, is_config="true"), "does not go with a data disk image"),
    (said("a.vmdk", DATA, method=N, min_ram="1"), "does not go with a data disk image"),
    (
        said("a.vmdk", DATA, method=N, os_version='"CentOS 7.6 64bit"'),
        "does not go with a data disk",
    ),
    (said("a.vmdk", DATA, method=N, architecture='"x86"'), "does not go with a data disk image"),
    (said("a.vmdk", DATA, method=N, os_type='"Other"'), 'write "Linux" or "Windows"'),
    (said("a.vmdk", SYSTEM, method=N, type='"BMS"', cmk_id=KEY), "does not go with type BMS"),
    (said("a.vmdk", SYSTEM, method=N, cmk_id='"mine"'), "is not the id of a KMS key"),
    (said("a.vmdk", SYSTEM, method='"slow"'), 'must be one of "quick", "normal", "auto"'),
    (said("a.zvhd2", SYSTEM, method='"Quick"'), 'did you mean "quick"?'),
    (said("a.vmdk", SYSTEM, method=N, is_config='"yes"'), "is_config: "),
    (said("a.vmdk", SYSTEM, method=N, min_ram="-1"), "must be at least 0"),
    (said("a.vmdk", SYSTEM, method=N, os_type='"Solaris"'), "must be one of"),
    (said("a.zvhd2", SYSTEM, share_with='["mine"]'), "is not a project id"),
    (
        said("a.zvhd2", SYSTEM, share_with=OWN),
        "is the project that the image",
    ),
    (said("a.zvhd2", SYSTEM, copy_to='["sowth"]'), 'did you mean "south"?'),
    (said("a.zvhd2", SYSTEM, copy_to='["bare"]'), "is a target without an agency"),
    (said("a.zvhd2", SYSTEM, copy_to='["twin"]'), "copies go to other regions"),
    (said("a.zvhd2", SYSTEM, copy_to='["north"]'), "copies go to other regions"),
    (said("a.vmdk", SYSTEM, method=N, cmk_id=KEY, copy_to='["south"]'), "neither shared nor copied"),
    (
        said("a.vmdk", SYSTEM, method=N, cmk_id=KEY, share_with=TWIN),
        "neither shared nor copied",
    ),
]


@pytest.mark.parametrize(("problems", "words"), WRONG)
def test_each_wrong_combination_is_told_in_its_own_words_and_once(problems: list[str], words: str):
    assert len(problems) == 1, problems
    assert words in problems[0]


RIGHT = [
    said("a.vmdk", NO_OS, method=N),
    said("a.vmdk", NO_OS, method=A),
    said("a.vmdk", SYSTEM, method=N, os_type='"Other"', is_config="false", min_ram="0"),
    said("a.zvhd2", SYSTEM, method=A, cmk_id=KEY),
    said("a.zvhd2", DATA, method=A, min_disk="2048"),
    said("a.zvhd2", DATA, method=A, min_disk="5"),
    said("a.zvhd2", SYSTEM, copy_to='["south"]', share_with=TWIN),
    said("a.raw", SYSTEM, method=A),
    said("a.RAW", SYSTEM, method=A),
]


@pytest.mark.parametrize("problems", RIGHT)
def test_what_goes_together_is_no_problem(problems: list[str]):
    assert problems == []


def test_a_copy_may_not_get_the_name_of_an_image_that_its_target_imports():
    both = """
[[images]]
name = "web"
target = "{target}"
image_url = "bucket:{target}.zvhd2"
min_disk = 40
os_version = "CentOS 7.6 64bit"
{more}
"""
    plan = (
        HEAD + both.format(target="north", more='copy_to = ["south"]') + both.format(target="south", more="")
    )

    with pytest.raises(PlanError) as caught:
        parse_plan(plan.encode(), path="p.toml")

    assert len(caught.value.problems) == 1
    assert "would get two images of one name" in caught.value.problems[0]
