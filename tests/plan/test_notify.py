"""Who is told of what, as a plan writes it."""

import pytest

from migrator.domain.errors import PlanError
from migrator.domain.notify import NotifyOn, Receiver
from migrator.domain.plan import Plan
from migrator.plan import Problem, parse_plan

HEAD = """
[plan]
name = "p"
[targets.north]
region = "cn-north-4"
[[images]]
name = "web"
image_url = "bucket:web.zvhd2"
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""


def read(*tables: str, more: str = "") -> tuple[Plan, list[Problem]]:
    text = HEAD + more + "".join(f"[[notify]]\n{table}\n" for table in tables)
    return parse_plan(text.encode(), path="p.toml")


def receivers(*tables: str) -> tuple[Receiver, ...]:
    return read(*tables)[0].notify


def wrong(*tables: str) -> list[str]:
    with pytest.raises(PlanError) as raised:
        read(*tables)
    return raised.value.problems


def test_a_receiver_is_read_with_all_its_keys():
    (one,) = receivers(
        'name = "ops"\non = ["end", "stalled"]\nafter = "45m"\n'
        'url_env = "URL"\nsecret_env = "KEY"\ntimeout = "9s"'
    )

    assert one == Receiver(
        name="ops",
        on=(NotifyOn.END, NotifyOn.STALLED),
        after=2700.0,
        url_env="URL",
        secret_env="KEY",
        timeout=9.0,
    )


def test_a_receiver_without_a_name_is_called_by_its_variable_or_its_command():
    found = receivers(
        'on = ["end"]\nurl_env = "OPS_URL"',
        'on = ["end"]\nexec = ["/usr/bin/page", "--now"]',
        'on = ["end"]\napprise_env = "OPS_CHAT"',
    )

    assert [one.name for one in found] == ["OPS_URL", "page", "OPS_CHAT"]


def test_a_plan_without_receivers_has_none():
    assert receivers() == ()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        pytest.param('on = ["ended"]\nurl_env = "U"', 'did you mean "end"?', id="an event nobody knows"),
        pytest.param('on = []\nurl_env = "U"', "on: must not be empty", id="no event"),
        pytest.param('url_env = "U"', "on: is missing; say of what", id="nothing said of events"),
        pytest.param('on = ["end"]', "does not say how to reach the receiver", id="no way"),
        pytest.param(
            'on = ["end"]\nurl_env = "U"\nexec = ["x"]', "exec: stands beside url_env", id="two ways"
        ),
        pytest.param(
            'on = ["end"]\nexec = ["x"]\nsecret_env = "K"', "signs requests to url_env", id="unsigned"
        ),
        pytest.param('on = ["end"]\nexec = [" "]', "names no program", id="no program"),
        pytest.param('on = ["end"]\nexec = "x"', 'exec: "x" must be a list', id="one text as command"),
        pytest.param('on = ["end"]\nurl_env = "U"\ntimeout = "6m"', '"6m" is more than 5m', id="too patient"),
        pytest.param('on = ["end"]\nurl_env = "U"\ntimeout = "0s"', "more than nothing", id="no patience"),
        pytest.param('on = ["stalled"]\nurl_env = "U"\nafter = 30.0', "has no unit", id="thirty what"),
        pytest.param('on = ["end"]\nurl = "https://x"', "is not a key of a receiver", id="an unknown key"),
    ],
)
def test_what_is_wrong_is_said(table, said):
    (problem,) = wrong(table)

    assert said in problem
    assert problem.startswith("p.toml:")


@pytest.mark.parametrize("key", ["url_env", "secret_env", "apprise_env"])
def test_a_secret_in_place_of_a_variable_is_refused_and_not_repeated(key):
    problems = wrong(f'on = ["end"]\n{key} = "https://hooks.example/T0/abc-secret"')

    assert any("is not the name of a variable" in problem for problem in problems)
    assert not any("hooks.example" in problem for problem in problems)


def test_two_receivers_of_one_name_are_an_error():
    (problem,) = wrong('on = ["end"]\nurl_env = "U"', 'on = ["begin"]\nurl_env = "U"')

    assert "is called U, as is another receiver: notify[0] (line 11)" in problem


def test_a_wave_that_cannot_be_and_a_time_that_means_nothing_are_warned_of():
    _, warnings = read('on = ["wave"]\nurl_env = "U"\nafter = "5m"')

    assert [one.reason for one in warnings] == [
        'has "wave", and the plan has no [[waves]]',
        'means nothing without "stalled" in on',
    ]
    assert read('on = ["wave"]\nurl_env = "U"', more='[[waves]]\nname = "w"\n')[1] == []


def test_single_brackets_are_told_from_double_ones():
    with pytest.raises(PlanError, match="write \\[\\[notify\\]\\], in double brackets"):
        parse_plan((HEAD + '[notify]\non = ["end"]\n').encode(), path="p.toml")
