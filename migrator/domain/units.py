"""Durations, rates and thresholds: how a plan writes them, and what they are worth.

Seconds are floats. A *moment* is a float too: UTC seconds since the epoch.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    WithJsonSchema,
)

Moment = float
"""UTC seconds since the epoch."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class OutOfBounds(ValueError):
    """Well written, and still no value: says which there are."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


def seconds(text: object) -> float:
    """Seconds in a duration such as "90s", "1h30m" or "250ms"; raises ValueError for anything else."""
    if isinstance(text, float):
        return text
    if isinstance(text, str):
        parts = _DURATION.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
    likely = _spelled(text) if isinstance(text, str) else ""
    raise ValueError(f'expected a duration such as "90s", "10m" or "6h"{likely}')


_WORD = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:(s)|(?:sec(?:ond)?s?)|(m)(?:in(?:ute)?s?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?)",
    re.IGNORECASE,
)


def _spelled(text: str) -> str:
    """What somebody probably wants who wrote a unit as a word: "4hours"."""
    if (found := _WORD.fullmatch(text.strip())) is None:
        return ""
    unit = next((unit.lower() for unit in found.groups()[1:] if unit), "s")
    return f'; did you mean "{found[1]}{unit}"?'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something may happen: a number of times in a period."""

    count: float
    """Times in one period; more than zero."""

    unit: str
    """The period: "s", "m" or "h"."""

    @property
    def per_second(self) -> float:
        return self.count / _UNITS[self.unit]

    def __str__(self) -> str:
        return f"{_decimal(self.count)}/{self.unit}"


def rate(text: object) -> Rate:
    """The rate that "2/s", "60/m" or "500/h" stands for; raises ValueError for anything else."""
    if isinstance(text, Rate):
        return text
    found = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h)", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('expected a rate such as "2/s", "60/m" or "500/h"')
    if float(found[1]) <= 0:
        raise OutOfBounds("is not more than 0", 'a rate below one in a second is one in a minute: "1/m"')
    return Rate(count=float(found[1]), unit=found[2])


def threshold(text: object) -> "Threshold":
    """The share that "5%" (a fraction of those finished) or 12 (a count) stands for; raises ValueError."""
    if isinstance(text, Threshold):
        return text
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return Threshold(count=text)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError('expected a count such as 12, or a percentage such as "5%"')
    if float(found[1]) > 100:
        raise OutOfBounds("is more than all of them", 'the largest percentage is "100%"')
    return Threshold(fraction=float(found[1]) / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A count of images, or a fraction of them; exactly one of the two is set."""

    count: int | None = None
    fraction: float | None = None

    def __str__(self) -> str:
        return str(self.count) if self.fraction is None else f"{_percent(self.fraction)}%"


def duration_text(value: float) -> str:
    """A duration in the form that a plan writes, which reads back as the same: 5400.0 → "90m".

    `value` is finite and not negative.
    """
    for unit in ("h", "m"):
        if value >= _UNITS[unit] and value % _UNITS[unit] == 0:
            return f"{_decimal(value / _UNITS[unit])}{unit}"
    if 0 < value < 1:
        text = f"{_decimal(round(value * 1000, 9))}ms"
        if seconds(text) == value:
            return text
    return f"{_decimal(value)}s"


def _decimal(value: float) -> str:
    """A number as digits with at most one point, which is all that a plan may write: no exponent."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(fraction: float) -> str:
    """The shortest percentage that reads back as `fraction`."""
    texts = (_decimal(float(f"{fraction * 100:.{digits}g}")) for digits in range(1, 18))
    return next((text for text in texts if float(text) / 100 == fraction), _decimal(fraction * 100))


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "examples": ["90s", "10m", "6h"]}
    ),
]
"""Seconds, written "90s", "10m" or "6h"."""

RateSetting = Annotated[
    Rate,
    BeforeValidator(rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(s|m|h)$", "examples": ["2/s", "60/m"]}),
]
"""A rate, written "2/s", "60/m" or "500/h"."""

ThresholdSetting = Annotated[
    Threshold,
    BeforeValidator(threshold),
    PlainSerializer(lambda given: given.count if given.fraction is None else str(given)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?%$", "examples": ["5%"]},
            ]
        }
    ),
]
"""A count of images, or a percentage of them."""


def span(seconds: float) -> str:
    """A duration in its two largest units: "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    # Hours are rounded before they are split, so that no day has twenty-four of them left over.
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
