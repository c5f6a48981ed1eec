"""Problems of a plan as annotations: lines that GitHub Actions shows beside the file.

GitHub, "Workflow commands for GitHub Actions": `::error file=...,line=...,col=...::message`, with percent,
newlines and, in properties, colon and comma escaped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from migrator.cli.common import Console
from migrator.cli.options import ProblemFormat
from migrator.domain.errors import PlanError
from migrator.plan.problems import Problem


@contextmanager
def annotated(form: ProblemFormat, console: Console) -> Iterator[Callable[[Iterable[Problem]], None]]:
    """Says the errors of a plan that is read within, and whatever it is called with, as annotations, where
    the form is that of GitHub."""

    def annotate(problems: Iterable[Problem]) -> None:
        if form is ProblemFormat.GITHUB:
            for problem in problems:
                console.out(annotation(problem.as_object()))

    try:
        yield annotate
    except PlanError as error:
        if form is ProblemFormat.GITHUB:
            for found in error.found:
                console.out(annotation(found))
        raise


def annotation(problem: Mapping[str, object]) -> str:
    """One problem in one line."""
    places = {"file": problem["file"], "line": problem["line"], "col": problem["column"]}
    known = {key: _property(str(value)) for key, value in places.items() if value is not None}
    given = ",".join(f"{key}={value}" for key, value in known.items())
    said = ": ".join(str(part) for part in (problem["path"], problem["message"]) if part)
    text = f"{said}; {problem['remedy']}" if problem["remedy"] else said
    return f"::{problem['severity']} {given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
