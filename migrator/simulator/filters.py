"""The filters of image lists: each is honoured, or the request is refused.

Names and values: IMS API reference, "Querying Images".
"""

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.image_view import listed_as_json, view
from migrator.simulator.jobs import Project, Record
from migrator.simulator.settings import Settings
from migrator.simulator.wire import Call

Check = Callable[[Record], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir"})
_TEXTS = frozenset(
    {
        "__os_bit",
        "__os_type",
        "__os_version",
        "__platform",
        "__system__cmkid",
        "container_format",
        "disk_format",
        "virtual_env_type",
    }
)
"""Filters that compare one attribute as text, beside __support_*."""

_NUMBERS = frozenset({"min_disk", "min_ram"})
_SWITCHES = frozenset({"protected", "__whole_image"})
"""Filters of true or false; what an image does not say of itself is false."""

_UNANSWERED = frozenset({"flavor_id", "member_status", *_SWITCHES})
"""Documented filters that are honoured under conditions, or not at all."""


def filters(
    project: Project, call: Call, now: Moment, *, native: bool = False, created_since: bool = True
) -> list[Check]:
    """One test for each filter of a call.

    Raises ValueError for a filter that cannot be read, that nobody documented, or that this stand-in knows
    no answer to (`flavor_id`): to leave it out would be to answer another question. `native` lists take any
    other name for that of an attribute, as OpenStack does. Without `created_since`, the caller begins where
    `oldest` says.
    """
    pairs = call.query
    if not created_since:
        oldest(pairs)  # which reads them, so that a wrong one is refused
        pairs = tuple(pair for pair in pairs if pair[0] != "created_at" or not pair[1].startswith("gte:"))
    return [check for name, value in pairs for check in _checks(project, call, name, value, now, native)]


def _checks(project: Project, call: Call, name: str, value: str, now: Moment, native: bool) -> list[Check]:
    settings = project.settings
    match name:
        case "id":
            return [_equal(lambda r: r.id, value)]
        case "name":
            return [_equal(lambda r: r.name, value)]
        case "status":
            return [_equal(lambda r: r.status(now), value)]
        case "owner":
            return [_equal(lambda r: r.project_id, value)]
        case "__imagetype" | "visibility":
            return [] if value == "private" else [lambda _: False]
        case "__isregistered":
            return [_equal(lambda _: "true", value.lower())]
        case "tag":
            return [_tag_check(value, now, settings)]
        case "enterprise_project_id":
            granted = value == "all_granted_eps"
            return [] if granted else [_equal(lambda r: r.enterprise_project_id, value)]
        case "created_at":
            return [_time_check(value, lambda r: r.created)]
        case "updated_at":
            return [_time_check(value, lambda r: r.job.ends if now >= r.job.ends else r.created)]
        case "architecture":
            return [_equal(lambda r: r.asked.architecture, value)]
        case "member_status" if call.one("visibility") == "shared":
            return []  # none of the images here is shared, so the list is empty already
        case _ if name in _PAGING:
            return []
        case _ if name in _NUMBERS:
            number = int(value)
            return [lambda r: int(view(r, now, settings)[name]) == number]
        case _ if name in _SWITCHES and value.lower() in ("true", "false"):
            wanted = value.lower() == "true"
            return [lambda r: bool(view(r, now, settings).get(name)) is wanted]
        case _ if name in _TEXTS or name.startswith("__support_") or (native and name not in _UNANSWERED):
            return [lambda r: str(view(r, now, settings).get(name, "")) == value]
    raise ValueError(name)


def oldest(pairs: Iterable[tuple[str, str]]) -> Moment:
    """Before this moment there is no image that the filters of a call let pass."""
    moments = [-inf]
    for name, value in pairs:
        if name == "created_at" and value.startswith("gte:"):
            moments.append(_moment(value.partition(":")[2]))
    return max(moments)


def _equal(of: Callable[[Record], object], value: str) -> Check:
    return lambda record: of(record) == value


def _tag_check(text: str, now: Moment, settings: Settings) -> Check:
    key, equals, value = text.partition("=")

    def check(record: Record) -> bool:
        drawn = listed_as_json(record, now, settings)
        if drawn is None or not drawn.tagged:
            return False
        return record.tags.get(key) == value if equals else key in record.tags

    return check


def _time_check(text: str, of: Callable[[Record], Moment]) -> Check:
    sign, colon, moment = text.partition(":")
    compare = _COMPARE.get(sign) if colon else None
    if compare is None:
        raise ValueError(text)
    then = _moment(moment)
    return lambda record: compare(of(record), then)


@lru_cache(maxsize=1024)
def _moment(text: str) -> Moment:
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise ValueError(text)
