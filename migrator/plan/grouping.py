"""Many problems of one kind, said as some of them and a count: a long plan may have one everywhere."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from migrator.domain.text import escaped, stretches
from migrator.plan.problems import Problem

FIRST = 10
"""Problems of one kind that are said one by one, each in its place."""

SOME = 3
"""Of more than those, so many are said one by one; the rest by their rows."""

_PARTICULAR = re.compile(r'"(?:[^"\\]|\\.)*"|\(.*?\)|\d+')
"""What tells one problem from another of its kind: names, places and numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Problems as they are listed."""

    lines: list[str]
    count: int
    """Of the problems; there may be fewer lines."""

    problems: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.count > 0


def grouped(problems: Iterable[Problem], unnoted: int = 0) -> Grouped:
    """Up to ten of each kind in their order; of more, the first three and the rows of the rest, together.

    `unnoted` are further ones, of which nobody knows more than that.
    """
    kinds: defaultdict[tuple[str, ...], list[Problem]] = defaultdict(list)
    every = list(problems)
    for problem in every:
        kinds[_kind(problem)].append(problem)
    lines = []
    for problem in every:
        alike = kinds[_kind(problem)]
        if len(alike) <= FIRST:
            lines.append(str(problem))
        elif problem is alike[0]:
            lines += [*map(str, alike[:SOME]), _more(alike[SOME:])]
    if unnoted:
        lines.append(f"and {unnoted:,} problems more, which were only counted")
    return Grouped(problems=every, lines=lines, count=len(every) + unnoted)


def _kind(problem: Problem) -> tuple[str, ...]:
    return problem.path, problem.severity, _key(problem), _PARTICULAR.sub("…", problem.reason)


def _key(problem: Problem) -> str:
    """The key at fault, whichever image's it is."""
    return _PARTICULAR.sub("", problem.field).rpartition(".")[2].strip()


def _more(alike: Sequence[Problem]) -> str:
    problem = alike[0]
    what = ": ".join(filter(None, (_key(problem), _PARTICULAR.sub("…", problem.reason))))
    lines = [one.line for one in alike if one.line is not None]
    where = f" in {'line' if len(lines) == 1 else 'lines'} {stretches(lines)}" if lines else ""
    return escaped(f"{problem.path}: and {len(alike):,} more like this{where}: {what}")
