"""What a shell offers: the values that the plan on the command line has."""

import pytest
from click.testing import CliRunner

from migrator.cli.app import app


def offered(desk, typed: str) -> list[str]:
    """What bash would be given for a command line that is being typed."""
    words = typed.split(" ")
    env = {"_MIGRATOR_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = CliRunner().invoke(app, [], env={**desk.env, **env}, prog_name="migrator")
    return [line.partition(",")[2] for line in done.stdout.split("\n") if line]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--simulate st", ["storm"]),
        ("--wave p", ["pilot"]),
        ("--again north/web-0", ["north/web-01", "north/web-02"]),
        ("--only label.owner", ["label.owner==li.wei"]),
        ("--only target", ["target==north"]),
    ],
)
def test_values_of_the_plan_are_offered(desk, typed, words):
    it = desk()
    path = it.plan(2)
    text = path.read_text().replace(
        'name = "web-01"\n', 'name = "web-01"\nwave = "pilot"\nlabels.owner = "li.wei"\n'
    )
    path.write_text(text + '[[waves]]\nname = "pilot"\n[[waves]]\nname = "rest"\n')

    assert offered(it, f"migrator run {path} {typed}") == words


def test_scenarios_are_offered_without_a_plan(desk):
    assert offered(desk(), "migrator simulate --scenario c") == ["calm", "chaos"]


def test_a_plan_that_cannot_be_read_offers_nothing(desk):
    it = desk()
    (it.folder / "p.toml").write_text("no plan")

    assert offered(it, f"migrator run {it.folder / 'p.toml'} --wave ") == []
