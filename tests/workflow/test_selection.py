"""The language of --only: what it finds, and that it says where it stops making sense."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.errors import UsageError
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.workflow.selection import CHOICES, FIELDS, selector
from migrator.workflow.states import Phase, State

WEB = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("b:web-01.zvhd2"),
    min_disk=40,
    wave="pilot",
    os_version="CentOS 7.6 64bit",
    labels={"owner": "li.wei", "rack no": "A 12", "机柜": "甲"},
)
DATA = Image(
    name="web-01-data",
    target="south",
    source=ObjectRef.parse("b:d.raw"),
    min_disk=500,
    type=ImageType.DATA,
    os_type="Linux",
    labels={"owner": "wang", "machine": "db01"},
)
FAILED = State(key=WEB.key, phase=Phase.FAILED)
PENDING = State(key=DATA.key)


def found(expression: str) -> list[str]:
    """Which of the two it means."""
    means = selector(expression)
    return [image.name for image, state in ((WEB, FAILED), (DATA, PENDING)) if means(image, state)]


@pytest.mark.parametrize(
    "expression",
    [
        "name==web-01",
        "name == 'web-01'",
        'name=="web-01"',
        "name~web-0?",
        'name ~ "*1"',
        "name~web-0[0-9]",
        "key==north/web-01",
        "key~north/*",
        "target==north",
        "target!=south",
        "wave==pilot",
        "wave!=''",
        "type==ECS",
        "type != DataImage",
        'os == "CentOS 7.6 64bit"',
        "os~CentOS*",
        "status==failed",
        "status!=pending",
        "label.owner==li.wei",
        "labels.owner~li*",
        'label."rack no"=="A 12"',
        "label.'rack no'~'A*'",
        "label.机柜==甲",
        'label."rack no"!=""',
        "  name  ==  web-01  ",
        "(name==web-01)",
        "((name==web-01))and(type==ECS)",
        "not name==web-01-data",
        "not not name==web-01",
        "not (name==web-01-data or status==pending)",
        "name==web-01 or name==nobody",
        "name==nobody or name==web-01 and type==ECS",
        "(name==nobody or name~web*) and type==ECS",
        "name==and or name==web-01",
        "name==label.x or name==web-01",
    ],
)
def test_an_expression_finds_what_it_says(expression):
    assert found(expression) == ["web-01"]


def test_what_an_image_does_not_have_is_empty():
    assert found('wave==""') == ["web-01-data"]
    assert found('label.rack=="" and label.owner!=""') == ["web-01", "web-01-data"]


def test_the_family_of_a_data_disk_is_its_os():
    assert found("os==Linux") == ["web-01-data"]


def test_capitals_count_and_a_pattern_is_of_the_whole():
    assert found("name~WEB*") == found("name~web") == found("name==Web-01") == []


def test_not_binds_closer_than_and_and_and_closer_than_or():
    assert found("not name==web-01 and name==nobody or type==ECS") == ["web-01"]


@pytest.mark.parametrize(
    ("expression", "column", "said"),
    [
        ("", 1, 'here a condition is missing; such as name~"web-*"'),
        ("   ", 4, "here a condition is missing"),
        ("nam==x", 1, '"nam" is nothing that an image has; did you mean "name"?'),
        ("size==3", 1, '"size" is nothing that an image has; ask for name, key'),
        ("owner==li.wei", 1, '"owner" is nothing that an image has; '),
        ("label.==x", 1, '"label." is nothing that an image has; did you mean "label.NAME"?'),
        ("name", 5, 'after "name" comes ==, != or ~'),
        ("name web", 6, 'after "name" comes ==, != or ~, not "web"'),
        ("name=web", 5, '"=" is not understood; equal is ==, unequal !=, alike ~'),
        ("name!web", 5, '"!" is not understood'),
        ("name==", 7, "after == comes a value"),
        ("name~)", 6, "after ~ comes a value"),
        ("name== ==x", 8, "after == comes a value"),
        ('name=="web', 7, "this quote is not closed"),
        ("(name==x", 1, "this parenthesis is not closed"),
        ("name==x)", 8, '")" does not belong here'),
        ("name==x type==ECS", 9, '"type" does not belong here; join two conditions by and, or or'),
        ("(name==x type==ECS)", 10, '"type" does not belong here; join two conditions by and, or or'),
        ("name==x and", 12, "here a condition is missing"),
        ("or name==x", 1, '"or" is nothing that an image has'),
        ("status==fialed", 9, '"fialed" is no status; did you mean "failed"?'),
        ("status==x", 9, '"x" is no status; there are pending, submitting'),
        ("type!=ecs", 7, '"ecs" is no type; did you mean "ECS"?'),
        ("not " * 60 + "name==x", 201, "there are too many conditions inside each other"),
        ("(" * 60 + "name==x", 51, "there are too many conditions inside each other"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_column(expression, column, said):
    with pytest.raises(UsageError) as caught:
        selector(expression)

    told, shown, arrow = str(caught.value).split("\n")
    assert told.startswith(f"column {column}: ")
    assert said in told
    assert shown == f"  {expression}"
    assert arrow.index("^") == column + 1
    assert "label.NAME" in caught.value.hint


def test_the_arrow_stands_below_wide_characters_too():
    with pytest.raises(UsageError) as caught:
        selector("name==网页 x")

    assert str(caught.value).split("\n")[2] == "  " + " " * 11 + "^"


def test_an_expression_without_end_is_refused():
    with pytest.raises(UsageError, match="more than 10000 characters"):
        selector("name==x or " * 1000 + "name==x")


def test_every_status_and_type_can_be_asked_for():
    for what, values in CHOICES.items():
        assert what in FIELDS
        for value in values:
            selector(f"{what}=={value}")


# --- Laws -----------------------------------------------------------------------------------------------

_CONDITIONS = st.sampled_from(
    [
        ("name==web-01", (True, False)),
        ("status==pending", (False, True)),
        ("name~web*", (True, True)),
        ("os==x", (False,) * 2),
    ]
)
_TREES = st.recursive(
    _CONDITIONS,
    lambda inner: (
        inner.map(lambda one: (f"not ({one[0]})", tuple(not part for part in one[1])))
        | st.tuples(inner, inner).map(
            lambda two: (
                f"({two[0][0]}) and ({two[1][0]})",
                tuple(a and b for a, b in zip(two[0][1], two[1][1], strict=True)),
            )
        )
        | st.tuples(inner, inner).map(
            lambda two: (
                f"({two[0][0]})or({two[1][0]})",
                tuple(a or b for a, b in zip(two[0][1], two[1][1], strict=True)),
            )
        )
    ),
    max_leaves=8,
)


@given(_TREES)
@settings(max_examples=150)
def test_conditions_combine_as_logic_does(tree):
    expression, selected = tree

    means = selector(expression)

    assert (means(WEB, FAILED), means(DATA, PENDING)) == selected


_PARTS = [
    "name",
    "label.a",
    "status",
    "==",
    "!=",
    "~",
    "=",
    "(",
    ")",
    "and",
    "or",
    "not",
    "x",
    '"',
    "'",
    " ",
    "\n",
    "网",
    "[",
    "*",
]


@given(st.lists(st.sampled_from(_PARTS), max_size=12).map("".join) | st.text(max_size=20))
@settings(max_examples=300)
def test_any_text_is_an_expression_or_a_usage_error_that_points_into_it(text):
    try:
        means = selector(text)
    except UsageError as error:
        told = str(error).split("\n")
        assert 1 <= int(told[0].split(":")[0].removeprefix("column ")) <= len(text) + 1
        assert (len(told), all(line.isprintable() for line in told)) == (3, True)
    else:
        assert means(WEB, FAILED) in (True, False)


def test_a_machine_is_asked_for_by_its_name_and_means_all_its_disks():
    assert found('machine == "db01"') == found("label.machine == db01") == ["web-01-data"]
    assert found('machine == ""') == ["web-01"]
