"""Ids that are handed on: what is there and nothing else, and names that only ever are names."""

import io
import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any, cast

import hcl2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Plan
from migrator.reports.formats import FILES, FORMATS, IDS
from migrator.reports.formats.as_terraform import identifier, quoted
from migrator.reports.ids import image_ids, left_out
from migrator.reports.summary import Summary, summary
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImagePlanned,
    ImageRemoved,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobSucceeded,
    StepAccepted,
    StepBegan,
    StepDone,
    StepMade,
)
from migrator.workflow.ledger import fold
from tests.ledgers import NAMES, START, image, ledgers, plan_for
from tests.reports.test_reports import of

EXPECTED = Path(__file__).parent / "expected"

HURTFUL = (
    '${file("/etc/passwd")}',
    "%{ if true }x%{ endif }",
    "$${a}",
    "$$${a}",
    "%%%{a}",
    "{{ lookup('env', 'X') }}",
    "no",
    "1e3",
    "2026-01-01",
    "~",
    "!!python/name:os.system",
    "\u2028a",
    "\x85",
    "\ufeff",
    "\x7f",
    "\ufeff" * 256,
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(NAMES),
    st.text(alphabet='ab${}%"\\\n{#!&*:?|> -', max_size=40),
    st.from_regex(r"[a-zA-Z0-9._ -]{1,40}", fullmatch=True),
    st.sampled_from(HURTFUL),
)
"""Names, the worst of them."""


def written(facts: Summary, form: str) -> str:
    stream = io.BytesIO()
    IDS[form](facts, stream)
    return stream.getvalue().decode()


def imported(one: Image, image_id: str) -> list[Event]:
    """The life of an image that went well."""
    key = one.key
    return [
        ImagePlanned(at=START, key=key, image=one, digest="planned"),
        AttemptBegan(at=START, key=key, attempt=1, digest="planned"),
        JobAccepted(at=START, key=key, job_id=f"job {key}"),
        JobSucceeded(at=START + 60, key=key, image_id=image_id),
        ImageVerified(at=START + 61, key=key, image_id=image_id),
    ]


def copied(one: Image, target: str, image_id: str) -> list[Event]:
    step = {"key": one.key, "step": f"copy:{target}"}
    return [
        StepBegan(at=START + 70, **step),  # type: ignore[arg-type]
        StepAccepted(at=START + 70, job_id="job", **step),
        StepMade(at=START + 90, image_id=image_id, **step),
        StepDone(at=START + 91, **step),
    ]


def with_clouds(plan: Plan, **clouds: str) -> Plan:
    targets = {
        name: target.model_copy(update={"cloud": clouds.get(name, "huawei")})
        for name, target in plan.targets.items()
    }
    return plan.model_copy(update={"targets": targets})


def showing(*events: Event, plan: Plan | None = None) -> Summary:
    return summary(fold(events), plan=plan or plan_for(), now=START + 700)


def some() -> Summary:
    """One of everything: done, copied, half copied, to do, failed, there before, no longer in the plan."""
    web = image("web-01", copy_to=("south",), labels={"machine": "web"})
    data = image("网络 01", type=ImageType.DATA, os_version=None, os_type="Linux", labels={"machine": "web"})
    old = image("old.01", method="normal", copy_to=("south", "west"))
    lake = image("lake", method="normal", type=ImageType.DATA, os_version=None, os_type="Linux")
    otc, gone, there, broken = image("de", "west"), image("gone"), image("there"), image("broken", "south")
    return showing(
        *imported(web, "id-web"),
        *copied(web, "south", "id-web-south"),
        *imported(data, "id-data"),
        *imported(old, "id-old"),
        *copied(old, "south", "id-old-south"),
        *imported(lake, "id-lake"),
        *imported(otc, "id-de"),
        *imported(gone, "id-gone"),
        ImageRemoved(at=START + 100, key=gone.key),
        ImagePlanned(at=START, key=there.key, image=there, digest="planned"),
        ImageSkipped(at=START + 1, key=there.key, image_id="id-there"),
        *imported(broken, "id-broken")[:3],
        JobFailed(at=START + 60, key=broken.key, fault=Fault(message="damaged")),
        ImagePlanned(at=START, key="north/next", image=image("next"), digest="planned"),
        plan=with_clouds(plan_for("north", "south", "west"), west="otc"),
    )


# --- What is handed on ----------------------------------------------------------------------------------


def test_only_what_is_there_and_verified_is_handed_on_and_copies_have_their_own_ids():
    found = [(one.target, one.name, one.image_id) for one in image_ids(some())]

    assert found == [
        ("north", "web-01", "id-web"),
        ("north", "网络 01", "id-data"),
        ("north", "old.01", "id-old"),
        ("north", "lake", "id-lake"),
        ("south", "web-01", "id-web-south"),
        ("south", "old.01", "id-old-south"),
        ("west", "de", "id-de"),
    ]


def test_what_is_left_out_is_counted_by_what_keeps_it():
    said = left_out(some().images)

    assert said == (
        "4 images (1 left the plan, 1 there before, 1 failed, 1 to do) and 1 copy that is not there"
    )


@pytest.mark.parametrize("form", IDS)
def test_what_is_handed_on_is_exactly_the_expected_file(form: str):
    assert written(some(), form) == (EXPECTED / FILES[form]).read_text()


@given(ledgers(max_images=6, max_steps=60))
def test_nothing_is_handed_on_that_a_report_does_not_call_imported(ledger: Any):
    facts = of(ledger)

    good = {row.key for row in facts.images if row.status == "succeeded" and row.image_id and not row.removed}
    assert {one.row.key for one in image_ids(facts)} == good
    for form in IDS:
        assert written(facts, form)


def test_every_format_has_a_file_of_its_own():
    assert FILES.keys() == FORMATS.keys() | IDS.keys()
    assert len(set(FILES.values())) == len(FILES)


# --- Names from outside ---------------------------------------------------------------------------------


def hcl_text(string: str) -> str:
    """What a quoted string of HCL stands for, read by the rules of its specification."""
    assert string[0] == string[-1] == '"'
    body = string[1:-1]
    text, at = "", 0
    simple = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
    while at < len(body):
        if body[at] == "\\" and body[at + 1] == "u":
            text, at = text + chr(int(body[at + 2 : at + 6], 16)), at + 6
        elif body[at] == "\\":
            text, at = text + simple[body[at + 1]], at + 2
        elif body[at : at + 3] in ("$${", "%%{"):
            text, at = text + body[at + 1 : at + 3], at + 3
        else:
            assert body[at : at + 2] not in ("${", "%{"), "something is interpolated"
            text, at = text + body[at], at + 1
    return text


def without_halves(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


@given(TEXTS, TEXTS, TEXTS)
def test_every_name_reads_back_as_itself_through_an_hcl_parser(name: str, key: str, image_id: str):
    one = image(name, source=ObjectRef("bucket", key), os_version=name)
    facts = showing(*imported(one, image_id or "id"))

    read = cast("dict[str, Any]", hcl2.loads(written(facts, "terraform")))

    assert [hcl_text(block["id"]) for block in read["import"]] == [without_halves(image_id or "id")]
    ((kind, named),) = (
        (kind, named) for block in read["resource"] for kind, named in block.items() if kind[0] == '"'
    )
    ((resource, content),) = named.items()
    assert hcl_text(content["name"]) == without_halves(name)
    assert hcl_text(content["image_url"]) == f"bucket:{without_halves(key)}"
    assert hcl_text(content["os_version"]) == without_halves(name)
    assert read["import"][0]["to"] == f"${{{hcl_text(kind)}.{hcl_text(resource)}}}"


@given(TEXTS)
def test_a_quoted_text_holds_no_template_and_no_end_of_a_line(text: str):
    inside = quoted(text)[1:-1]

    assert not re.search(r'(?<!\\)(?:\\\\)*"|[\x00-\x1f\u2028\u2029]', inside)
    assert not re.search(r"(?<![$])\$\{|(?<![%])%\{", inside)


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as Ansible reads it: text that is marked as unsafe is text."""


Loader.add_constructor("!unsafe", lambda loader, node: Unsafe(loader.construct_scalar(node)))


class Unsafe(str):
    """Text that Ansible does not take for a template."""

    __slots__ = ()


@given(TEXTS, TEXTS, TEXTS)
def test_every_name_reads_back_as_itself_through_a_yaml_parser(name: str, machine: str, image_id: str):
    one = image(name, labels={"machine": machine})
    facts = showing(*imported(one, image_id or "id"))

    read = yaml.load(written(facts, "ansible"), Loader)

    expected = without_halves(image_id or "id")
    assert read["image_ids"] == {"north": {without_halves(name): expected}}
    disks = read["machines"].get(without_halves(machine), [])
    assert [(disk["name"], disk["id"]) for disk in disks] == (
        [(without_halves(name), expected)] if machine else []
    )
    for value in [*read["image_ids"]["north"].values(), *(disk["name"] for disk in disks)]:
        assert isinstance(value, Unsafe) or not re.search(r"\{[{%#]", value)


@given(TEXTS, TEXTS)
def test_every_name_reads_back_as_itself_from_the_variables(name: str, image_id: str):
    facts = showing(*imported(image(name), image_id or "id"))

    assert json.loads(written(facts, "tfvars")) == {
        "image_ids": {"north": {without_halves(name): without_halves(image_id or "id")}}
    }


# --- Names of resources ---------------------------------------------------------------------------------


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4).map(tuple), unique=True, max_size=30))
def test_resources_have_names_that_terraform_takes_and_no_two_the_same(parts: list[tuple[str, ...]]):
    names = [identifier(*one) for one in parts]

    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b__c"), ("a__b", "c")),
        (("a_", "b"), ("a", "_b")),
        (("a", "b.c"), ("a", "b c")),
        (("a", "商城"), ("a", "前端")),
        (("1a", "b"), ("_1a", "b")),
    ],
)
def test_names_that_look_alike_are_told_apart(one: tuple[str, str], other: tuple[str, str]):
    assert identifier(*one) != identifier(*other)


def test_the_name_of_a_resource_stays_when_more_is_imported():
    web, dot = image("web 1"), image("web.1")

    alone = written(showing(*imported(web, "id-1")), "terraform")
    both = written(showing(*imported(dot, "id-2"), *imported(web, "id-1")), "terraform")

    addresses = re.findall(r"to = (\S+)", alone)
    assert set(addresses) < set(re.findall(r"to = (\S+)", both))


def test_a_digit_in_front_is_no_beginning_of_a_name():
    assert identifier("1a", "web") == "_1a__web"


@pytest.mark.skipif(which("terraform") is None, reason="needs terraform")
def test_terraform_itself_reads_the_configuration_and_would_write_it_the_same(tmp_path: Path):
    evil = [
        imported(image(name, source=ObjectRef("b", name)), f"id {n}")
        for n, name in enumerate((*NAMES, *HURTFUL))
    ]
    (tmp_path / "images.tf").write_text(written(showing(*(e for life in evil for e in life)), "terraform"))

    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")
