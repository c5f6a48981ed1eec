"""A line that is not TOML: what is said about it names what was meant."""

import pytest

from migrator.domain.errors import PlanError
from migrator.plan import parse_plan

HEAD = '[plan]\nname = "p"\n[targets.north]\nregion = "cn-north-4"\n'


def said(text: str) -> str:
    with pytest.raises(PlanError) as refused:
        parse_plan(text.encode(), path="plan.toml")
    [problem] = refused.value.problems
    return problem.partition("; ")[2]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (
            'image_url = "C:\\images\\a.zvhd2"',
            "text with a backslash stands in single quotes: 'C:\\images\\a.zvhd2'",
        ),
        ("name = “web-01”", 'use straight quotes: name = "web-01"'),
        ("name = ‘web-01’", "use straight quotes: name = 'web-01'"),
        (
            "name\u00a0= 1",
            "column 5 holds a no-break space (U+00A0), perhaps pasted: type a plain space",
        ),
        (
            "na\u200bme = 1",
            "column 3 holds a zero-width space (U+200B), perhaps pasted: type a plain space",
        ),
        ("min_disk = 40 GB", "write the number alone, 40; sizes of disks are in GB"),
        ("request_timeout = 60s", 'a value with a unit stands in quotes: "60s"'),
        ("submit_rate = 2/s", 'a value with a unit stands in quotes: "2/s"'),
        ("max_failures = 5%", 'a value with a unit stands in quotes: "5%"'),
        ("min_disk = 040", 'a number does not begin with 0: write 40, or "040" if it is text'),
        ('name: "web-01"', 'use "=" and not ":": name = "web-01"'),
        ("verify = True", "write true, in small letters"),
        ("wave = None", "leave the line out: a key without a value is not written"),
        ("region = cn-north-4", 'text stands in quotes: "cn-north-4"'),
        (
            "not_before = 2026-02-30T00:00:00Z",
            "there is no moment 2026-02-30T00:00:00Z: is the day in the calendar, and the hour below 24?",
        ),
        ("[[images]", "text stands in quotes, each key on its own line, and no key or table comes twice"),
    ],
)
def test_a_line_that_is_not_toml_is_told_by_what_was_meant(line, remedy):
    assert said(f"{HEAD}[x]\n{line}\n") == remedy


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "plan:\n  name: p\n",
            "this is YAML, and a plan is TOML: `migrator init PATH` writes one to start from",
        ),
        ("---\nplan:\n", "this is YAML, and a plan is TOML: `migrator init PATH` writes one to start from"),
        ('{"plan": {}}', "this is JSON, and a plan is TOML: `migrator init PATH` writes one to start from"),
    ],
)
def test_a_file_in_another_language_is_told_as_such(text, remedy):
    assert said(text) == remedy


def test_a_byte_order_mark_is_no_fault():
    text = (
        HEAD
        + '[[images]]\nname = "a"\nimage_url = "b-1:k.zvhd2"\nos_version = "CentOS 7.6 64bit"\n'
        + "min_disk = 40\n"
    )

    plan, _ = parse_plan(b"\xef\xbb\xbf" + text.encode(), path="plan.toml")

    assert plan.name == "p"
