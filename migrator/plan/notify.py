"""Who is told of what, as a plan writes it → Receivers."""

from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from migrator.domain.notify import SEND_TIMEOUT, STALLED_AFTER, NotifyOn, Receiver
from migrator.plan.forms import NotifyTable, keys_of, validator_of
from migrator.plan.lines import Where
from migrator.plan.problems import ProblemCollector
from migrator.plan.targets import check_duration

LONGEST_TIMEOUT = 300.0

_KEYS = keys_of(NotifyTable)
_WAYS = ("url_env", "exec", "apprise_env")
_DURATIONS = ("after", "timeout")


@cache
def _table() -> SchemaValidator:
    return validator_of(_KEYS, required=("on",))


def read_receivers(tables: object, *, waves: bool, found: ProblemCollector) -> tuple[Receiver, ...]:
    """The receivers that are well, in the plan's order; what is wrong goes to `found`.

    `waves` tells whether the plan has any.
    """
    if not isinstance(tables, list):
        found.error(("notify",), "must be a list of tables", "write [[notify]], in double brackets")
        return ()
    receivers: list[Receiver] = []
    places: dict[str, int] = {}
    for index, table in enumerate(tables):
        where = ("notify", index)
        if not isinstance(table, dict):
            found.error(where, "must be a table", "write [[notify]] above its keys", value=table)
        elif (receiver := _receiver(table, where, found)) is not None:
            if (first := places.setdefault(receiver.name, index)) != index:
                reason = f"is called {receiver.name}, as is another receiver:"
                found.error(where, reason, 'give one of them a name = "..."', other=("notify", first))
            if NotifyOn.WAVE in receiver.on and not waves:
                found.warning((*where, "on"), 'has "wave", and the plan has no [[waves]]', 'take "wave" out')
            receivers.append(receiver)
    return tuple(receivers)


def _receiver(table: dict[str, Any], where: Where, found: ProblemCollector) -> Receiver | None:
    try:
        read = _table().validate_python(table)
    except ValidationError as error:
        found.refused(error.errors(include_url=False), where, list(_KEYS))
        return None
    _check_way(read, where, found)
    for key in _DURATIONS:
        if isinstance(table.get(key), float):
            found.error((*where, key), "has no unit", 'write it like "90s" or "30m"', value=table[key])
        elif key in read:
            check_duration(read[key], (*where, key), found, table[key])
    if read.get("timeout", 0.0) > LONGEST_TIMEOUT:
        found.error((*where, "timeout"), "is more than 5m", value=table["timeout"])
    on = tuple(dict.fromkeys(map(NotifyOn, read["on"])))
    if "after" in read and NotifyOn.STALLED not in on:
        found.warning((*where, "after"), 'means nothing without "stalled" in on', "add that, or take it out")
    command = tuple(read.get("exec", ()))
    address = read.get("url_env") or read.get("apprise_env")
    return Receiver(
        name=read.get("name") or address or (command[0].rpartition("/")[2] if command else ""),
        on=on,
        after=read.get("after", STALLED_AFTER),
        url_env=read.get("url_env"),
        secret_env=read.get("secret_env"),
        exec=command,
        apprise_env=read.get("apprise_env"),
        timeout=read.get("timeout", SEND_TIMEOUT),
    )


def _check_way(read: dict[str, Any], where: Where, found: ProblemCollector) -> None:
    """Note a receiver that is reached in no way, in two, or by a command without a name."""
    ways = [way for way in _WAYS if way in read]
    if not ways:
        remedy = 'add url_env = "VARIABLE", exec = ["PROGRAM"] or apprise_env = "VARIABLE"'
        found.error(where, "does not say how to reach the receiver", remedy)
    elif len(ways) > 1:
        found.error((*where, ways[1]), f"stands beside {ways[0]}", "write a [[notify]] for each of them")
    if "secret_env" in read and "url_env" not in read:
        found.error((*where, "secret_env"), "signs requests to url_env, which is not there", "take it out")
    if "exec" in read and not read["exec"][0].strip():
        found.error((*where, "exec"), "names no program", 'write exec = ["/path/to/program", "ARGUMENT"]')
