"""A fault, and what is said of it: where, what, what now; one remedy for each."""

import json

import pytest

from migrator.domain.errors import CredentialsError
from migrator.domain.http import Response
from migrator.ims.answers import read_fault
from migrator.ims.identity import read_token
from tests.cli.conftest import Desk

HEAD = '[plan]\nname = "dc"\n[targets.north]\nregion = "cn-north-4"\n'
DEFAULTS = '[defaults]\nbucket = "disks"\nos_version = "CentOS 7.6 64bit"\nmin_disk = 40\n'
IMAGE = '[[images]]\nname = "web"\nobject = "web.raw"\n'

PLANS = [
    pytest.param(
        HEAD + DEFAULTS.replace("40", '"40"') + IMAGE,
        'defaults.min_disk: "40" must be a whole number; write it without quotes: 40',
        id="a quoted number",
    ),
    pytest.param(
        HEAD + '[limits]\nsubmit_rate = "0/s"\n' + DEFAULTS + IMAGE,
        'limits.submit_rate: "0/s" is not more than 0; '
        'a rate below one in a second is one in a minute: "1/m"',
        id="a rate of nothing",
    ),
    pytest.param(
        HEAD + '[policy]\nmax_failures = "150%"\n' + DEFAULTS + IMAGE,
        'policy.max_failures: "150%" is more than all of them; the largest percentage is "100%"',
        id="more than all",
    ),
    pytest.param(
        HEAD + '[polling]\ndeadline = "4hours"\n' + DEFAULTS + IMAGE,
        'expected a duration such as "90s", "10m" or "6h"; did you mean "4h"?',
        id="a unit as a word",
    ),
    pytest.param(
        HEAD.replace("cn-north-4", "eu-de_test1") + DEFAULTS + IMAGE,
        'targets.north.region: "eu-de_test1" is the name of a project in a region; write region = "eu-de", '
        'and the id of the project as project_id = "..."',
        id="a project for a region",
    ),
    pytest.param(
        HEAD + DEFAULTS.replace("disks", "x") + IMAGE,
        'defaults.bucket: "x" has 1 character; at least 3 are needed',
        id="too short",
    ),
]


@pytest.mark.parametrize(("text", "said"), PLANS)
def test_a_fault_of_a_plan_is_told_with_its_remedy(desk, text, said):
    it = desk()
    path = it.folder / "p.toml"
    path.write_text(text)

    result = it("validate", path)

    assert result.code == 2
    assert said in result.err
    assert "one problem" in result.err


NO_KEY = "is not a key of an image"


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        pytest.param(
            "名称,对象,最小磁盘",
            'holds no heading that is a key of an image: "名称", "对象", "最小磁盘"; '
            "call them as a plan does: "
            'name for "名称", object for "对象", min_disk for "最小磁盘"',
            id="all in Chinese",
        ),
        pytest.param(
            "name,object,负责人", '"负责人" is not a key of an image; did you mean "label.owner"?', id="one"
        ),
        pytest.param(
            "name,object,Owner", '"Owner" is not a key of an image; did you mean "label.owner"?', id="a word"
        ),
    ],
)
def test_headings_that_are_no_keys_are_named_with_what_is_meant(desk, heading, said):
    it = desk()
    (it.folder / "d.csv").write_text(f"{heading}\nweb,web.raw,40\n")
    path = it.folder / "p.toml"
    path.write_text(HEAD + DEFAULTS + '[[inventory]]\nfile = "d.csv"\n')

    assert f"d.csv:1: {said}" in it("validate", path).err.replace("(C1): ", "").replace("C1: ", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("run", "PLAN", "--max-duration", "4hours"),
            'expected a duration such as "90s", "10m" or "6h"; did you mean "4h"?',
            id="a unit as a word",
        ),
        pytest.param(
            ("--json", "validate", "PLAN"),
            "--json stands before the command; options come behind it: ",
            id="an option before the command",
        ),
        pytest.param(
            ("run", "PLAN", "--simulate", "strom"),
            '--simulate strom: did you mean "storm"? There are calm, busy, storm.',
            id="a scenario mistyped",
        ),
    ],
)
def test_a_fault_of_the_command_line_is_told_with_its_remedy(desk, arguments, said):
    it = desk()
    plan = it.plan(1)

    result = it.spawn(*(str(plan) if one == "PLAN" else one for one in arguments))

    assert result.code == 2
    assert said in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        pytest.param(
            502,
            "<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1><hr>openresty</body></html>",
            "HTTP 502: a web page, 502 Bad Gateway",
            id="a page with a title",
        ),
        pytest.param(
            503,
            "<!DOCTYPE html><h1>We'll be <b>back</b> &amp; soon</h1>",
            "HTTP 503: a web page, We'll be back & soon",
            id="a heading",
        ),
        pytest.param(
            504, "<html><body></body></html>", "HTTP 504: a web page without text", id="a page without"
        ),
        pytest.param(
            500,
            '{"reason": "no backend", "node": 7}',
            "HTTP 500: reason: no backend, node: 7",
            id="JSON of no known form",
        ),
        pytest.param(500, "upstream gone", "HTTP 500: upstream gone", id="plain text"),
    ],
)
def test_what_an_answer_says_is_told_without_its_form(status, body, message):
    fault = read_fault(Response(status=status, body=body.encode()))

    assert fault.message == message


def test_a_right_that_is_missing_in_an_enterprise_project_is_that_image_s_affair():
    body = {"error": {"error_code": "EPS.0004", "error_msg": "Permission error."}}

    fault = read_fault(Response(status=403, body=json.dumps(body).encode()))

    assert "enterprise_project_id" in fault.remedy
    assert "EPS permissions" in fault.remedy


def test_an_address_that_is_no_identity_service_is_told_as_that():
    body = {"error_code": "APIGW.0101", "error_msg": "The API does not exist."}

    with pytest.raises(CredentialsError) as refused:
        read_token(Response(status=404, body=json.dumps(body).encode()))

    assert "correct iam_endpoint or region" in refused.value.hint


# --- For machines ---------------------------------------------------------------------------------------


def faulty(desk: Desk):
    path = desk.folder / "p.toml"
    path.write_text(HEAD.replace("cn-north-4", "eu-de_test1") + DEFAULTS + '  [[images]]\nname = "web"\n')
    return path


def test_a_machine_gets_each_problem_in_its_parts(desk):
    it = desk()

    (said,) = it("validate", faulty(it), "--json").objects

    region, image = said["problems"]
    assert list(region) == ["file", "line", "column", "path", "message", "remedy", "severity"]
    assert (region["line"], region["column"], region["path"]) == (4, 1, "targets.north.region")
    assert region["message"] == '"eu-de_test1" is the name of a project in a region'
    assert region["remedy"].startswith('write region = "eu-de"')
    assert (image["line"], image["path"], image["severity"]) == (9, 'images[0] "web".image_url', "error")


def test_a_mistake_of_toml_has_its_column(desk):
    it = desk()
    path = it.folder / "p.toml"
    path.write_text('[plan]\nname = "dc"\nowner = oops\n')

    (said,) = it("validate", path, "--json").objects

    (problem,) = said["problems"]
    assert (problem["line"], problem["column"], problem["path"]) == (3, 9, "")


def test_warnings_are_told_in_their_parts_as_well(desk):
    it = desk()
    path = it.plan(1)
    path.write_text(
        path.read_text().replace("web-01.zvhd2", "web-01.raw")
        + '[[images]]\nname = "b"\nobject = "web-01.raw"\n'
    )

    (said,) = it("validate", path, "--json").objects

    assert said["valid"] is True
    assert all(one["severity"] == "warning" for one in said["warnings"])


def test_github_shows_problems_beside_the_file(desk):
    it = desk()
    path = faulty(it)
    moved = path.rename(it.folder / "a,b:50%.toml")

    result = it("validate", moved, "--format", "github")

    first, second = result.out.splitlines()
    place = str(it.folder).replace(":", "%3A").replace(",", "%2C")
    assert first.startswith(f"::error file={place}/a%2Cb%3A50%25.toml,line=4,col=1::targets.north.region: ")
    assert second.startswith("::error file=")
    assert result.code == 2
