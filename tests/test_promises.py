"""What 1.0 promised still holds: docs/upgrades.md has the words, `tests/promises.py` the comparison."""

import copy
import json
from typing import Any

import pytest

from tests.promises import KEPT, broken, promised

PROMISED = json.loads(KEPT.read_text(encoding="utf-8"))


def test_nothing_that_was_promised_is_broken() -> None:
    assert broken(PROMISED, promised()) == []


def change(*path: str, to: Any = None) -> Any:
    """Sets what lies at a path, or takes it away."""

    def apply(now: Any) -> None:
        for word in path[:-1]:
            now = now[word]
        if to is None:
            now.remove(path[-1]) if isinstance(now, list) else now.pop(path[-1])
        else:
            now[path[-1]] = to

    return apply


IMAGE = ("schemas", "report", "properties", "generated_at")
PLAN = ("schemas", "plan", "properties")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(change("commands", "run"), "commands: run is gone", id="a command"),
        pytest.param(change("commands", "run", "--only"), "run --only is gone", id="an option"),
        pytest.param(change("formats", "csv"), "formats: csv is gone", id="a format"),
        pytest.param(change("exit codes", "70"), "exit codes: 70 is gone", id="an exit code"),
        pytest.param(change("metrics", "migrator_images"), "metrics: migrator_images is gone", id="a metric"),
        pytest.param(change("metrics", "migrator_images", to=["gauge"]), "other labels", id="its labels"),
        pytest.param(change("schemas", "events"), "schemas: events is gone", id="a schema"),
        pytest.param(
            change("schemas", "report", "properties", "waits"), "report.waits: is gone", id="a member"
        ),
        pytest.param(
            change("schemas", "report", "required", "waits"), "waits: may be missing now", id="always there"
        ),
        pytest.param(
            change(*IMAGE, to={"type": "number"}), "report.generated_at: was ['string']", id="a type"
        ),
        pytest.param(
            change(*IMAGE, to={"type": ["string", "null"]}),
            "report.generated_at: was ['string']",
            id="never null",
        ),
        pytest.param(
            change("schemas", "report", "properties", "schema", "const", to="migrator.report/2"),
            "report.schema",
            id="2",
        ),
        pytest.param(change(*PLAN, "policy"), "plan.policy: is gone", id="a table of a plan"),
        pytest.param(
            change("schemas", "plan", "required", to=["plan", "waves"]), "plan.waves: has to be", id="must"
        ),
    ],
)
def test_a_broken_promise_is_found(harm: Any, says: str) -> None:
    now = copy.deepcopy(PROMISED)
    harm(now)

    assert [line for line in broken(PROMISED, now) if says in line], broken(PROMISED, now)


def test_what_is_only_added_breaks_nothing() -> None:
    now = copy.deepcopy(PROMISED)
    now["commands"] |= {"new": ["--option"]}
    now["formats"].append("new")
    now["schemas"]["report"]["properties"]["new"] = {"type": "string"}
    now["schemas"]["report"]["required"].append("new")
    now["schemas"]["plan"]["properties"]["new"] = {"type": "string"}

    assert broken(PROMISED, now) == []
