"""How far what a service tells of progress is from what is true: learned from jobs that ended.

Once a job's end is known, each answer about it can be compared with what was true at that moment. Progress
may be exact at first and stand still later, or run ahead and then crawl, so that each tenth of it is judged
by itself. Rounding, coarse steps and nonsense all show as what they are: a range, narrow or wide.
"""

from collections import deque
from dataclasses import dataclass

from migrator.domain.units import Moment

FEW = 20
"""Answers about ended jobs that say something about others."""

RECENT = 50
"""Answers that are remembered for each tenth: a service may behave otherwise at night than by day."""

EXCEPTIONS = 2
"""Of those, so many may have run further ahead than is allowed for: that costs questions too many.
On the other side there are none, since an end that comes sooner than is believed is noticed late."""

SPARE = 0.1
"""The part by which what was seen is widened, for what was not."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is true lies between what is told less `ahead` and what is told plus `behind`, as fractions."""

    ahead: float
    behind: float
    learned: bool = True
    """Ended jobs said so; otherwise it is a guess."""


PERCENTS = Accuracy(0.01, 0.01, learned=False)
"""What is taken for granted at first: whole percents, rounded in either way."""


class Reliability:
    """What the ended jobs of one target say about the progress that is told of others."""

    def __init__(self) -> None:
        self._of_tenth = [deque[float](maxlen=RECENT) for _ in range(10)]
        self._of_all: deque[float] = deque(maxlen=2 * RECENT)
        self._tenths: list[Accuracy | None] = [None] * 10
        self._all = PERCENTS

    def accuracy(self, told: float) -> Accuracy:
        """How far off `told` may be: as answers of about this progress were, or else as any were."""
        return self._tenths[tenth(told)] or self._all

    def compare(self, told: float, began_at: Moment, at: Moment, ended_at: Moment) -> None:
        """So much was told `at` a moment of a job whose whole time is known now."""
        off = (at - began_at) / (ended_at - began_at) - told
        part = tenth(told)
        self._of_all.append(off)
        self._of_tenth[part].append(off)
        self._all = _range(self._of_all) or PERCENTS
        self._tenths[part] = _range(self._of_tenth[part])


def tenth(told: float) -> int:
    """The tenth of the whole, from 0 to 9, in which this progress lies."""
    return min(int(told * 10), 9)


def _range(seen: deque[float]) -> Accuracy | None:
    """The range of what was seen, but for a few; None when that is too little."""
    if len(seen) < FEW:
        return None
    least, most = sorted(seen)[EXCEPTIONS], max(seen)
    spare = SPARE * max(most - least, PERCENTS.ahead)
    return Accuracy(ahead=spare + max(0.0, -least), behind=spare + max(0.0, most))
