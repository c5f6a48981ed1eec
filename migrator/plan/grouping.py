"""Many problems of one kind, said as some of them and a count: a long plan may have one everywhere."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from migrator.domain.text import escaped
from migrator.plan.problems import Problem

FIRST = 10
"""Problems of one kind that are said one by one."""

_PARTICULAR = re.compile(r'"(?:[^"\\]|\\.)*"|\(.*?\)|\d+')
"""What tells one problem from another of its kind: names, places and numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Problems as they are listed."""

    lines: list[str]
    count: int
    """Of the problems; there may be fewer lines."""

    def __bool__(self) -> bool:
        return self.count > 0


def grouped(problems: Iterable[Problem], unnoted: int = 0) -> Grouped:
    """The first ten of each kind, in their order, each ten followed by how many more there are.

    `unnoted` are further ones, of which nobody knows more than that.
    """
    found = [(_kind(problem), problem) for problem in problems]
    totals = Counter(kind for kind, _ in found)
    said: Counter[tuple[str, ...]] = Counter()
    lines = []
    for kind, problem in found:
        said[kind] += 1
        if said[kind] <= FIRST:
            lines.append(str(problem))
        if said[kind] == FIRST and (more := totals[kind] - FIRST):
            lines.append(_more(problem, more))
    if unnoted:
        lines.append(f"and {unnoted:,} problems more, which were only counted")
    return Grouped(lines=lines, count=len(found) + unnoted)


def _kind(problem: Problem) -> tuple[str, ...]:
    return problem.path, problem.severity, _key(problem), _PARTICULAR.sub("…", problem.reason)


def _key(problem: Problem) -> str:
    """The key at fault, whichever image's it is."""
    return _PARTICULAR.sub("", problem.field).rpartition(".")[2].strip()


def _more(problem: Problem, count: int) -> str:
    what = ": ".join(filter(None, (_key(problem), _PARTICULAR.sub("…", problem.reason))))
    return escaped(f"{problem.path}: and {count:,} more like this: {what}")
