"""The waves of a plan as written → Waves."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from migrator.domain.image import Image
from migrator.domain.plan import Wave
from migrator.domain.units import threshold
from migrator.plan.forms import WaveTable, keys_of, validator_of
from migrator.plan.lines import Where
from migrator.plan.problems import ProblemCollector

_KEYS = keys_of(WaveTable)


@cache
def _table() -> SchemaValidator:
    return validator_of(_KEYS, required=("name",))


def read_waves(tables: object, found: ProblemCollector) -> tuple[list[Wave], list[str]]:
    """The waves that are well, and the names of all, in the plan's order; what is wrong goes to `found`."""
    if not isinstance(tables, list):
        found.error(("waves",), "must be a list of tables", "write [[waves]], in double brackets")
        return [], []
    waves: list[Wave] = []
    names: dict[str, int] = {}
    for index, table in enumerate(tables):
        where = ("waves", index)
        if not isinstance(table, dict):
            found.error(where, "must be a table", "write [[waves]] above its keys", value=table)
            continue
        name = table.get("name")
        if isinstance(name, str) and (first := names.setdefault(name, index)) != index:
            reason = "is the name of two waves: first of"
            found.error((*where, "name"), reason, "rename one", value=name, other=("waves", first))
        try:
            _table().validate_python(table)
        except ValidationError as error:
            found.refused(error.errors(include_url=False), where, list(_KEYS))
            continue
        wave = Wave(
            name=table["name"],
            not_before=_moment(table.get("not_before")),
            not_after=_moment(table.get("not_after")),
            proceed=None if "proceed" not in table else threshold(table["proceed"]),
        )
        _check_window(wave, waves, where, table, found)
        waves.append(wave)
    return waves, list(names)


def _moment(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _check_window(
    wave: Wave, earlier: Sequence[Wave], where: Where, table: dict[str, Any], found: ProblemCollector
) -> None:
    """Note a wave that is over before it may begin, by its own times or by those of an earlier one."""
    if wave.not_after is None:
        return
    if wave.not_before is not None and wave.not_after <= wave.not_before:
        reason = "is not later than not_before, so nothing could ever be submitted"
        found.error((*where, "not_after"), reason, "swap them, or take one out", value=table["not_after"])
        return
    for index, other in enumerate(earlier):
        if other.not_before is not None and wave.not_after <= other.not_before:
            reason = "is over before an earlier wave may begin, so its turn would never come: see"
            remedy = "waves run in the order in which they are written"
            found.error(
                (*where, "not_after"),
                reason,
                remedy,
                value=table["not_after"],
                other=("waves", index, "not_before"),
            )
            return


def check_sizes(waves: Sequence[Wave], images: Sequence[Image], found: ProblemCollector) -> None:
    """Note a proceed that cannot be reached, one that means nothing, and a wave without images."""
    sizes = Counter(image.wave for image in images)
    for index, wave in enumerate(waves):
        size = sizes[wave.name]
        if size == 0:
            found.warning(
                ("waves", index),
                "has no images",
                f'give some wave = "{wave.name}", or take it out',
                value=wave.name,
            )
        elif wave.proceed is not None and wave is waves[-1]:
            reason = "means nothing in the last wave, because none follows"
            found.warning(("waves", index, "proceed"), reason, "take it out", value=str(wave.proceed))
        elif wave.proceed is not None and (wave.proceed.count or 0) > size:
            reason = f"is more than the {size} images of the wave, so the next one would never begin"
            found.error(
                ("waves", index, "proceed"),
                reason,
                "lower it, or write a percentage",
                value=wave.proceed.count,
            )
