"""A plan file → Plan, with every problem in one go; and what `migrator schema` and `migrator init` hand out.

The road: bytes → text → tables (tomli) → settings and targets → images, with those of inventories → Plan.
Nothing here opens a file: spreadsheets are opened by whom `parse_plan` is given.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import tomli
from pydantic import BaseModel, ValidationError

from migrator.domain import collector
from migrator.domain.errors import PlanError
from migrator.domain.image import Image
from migrator.domain.notify import Receiver
from migrator.domain.plan import MarkerKind, Plan, Policy, Polling, Retry, Target, Wave
from migrator.domain.sheets import Opener, nowhere
from migrator.domain.text import SLUG, did_you_mean
from migrator.domain.units import duration_text
from migrator.domain.zone import zone_names
from migrator.plan import syntax
from migrator.plan.after_import import check_after_import
from migrator.plan.defaults import Defaults, read_defaults
from migrator.plan.forms import PlanFile, PlanTable, keys_of, plan_schema, validator_of
from migrator.plan.grouping import grouped
from migrator.plan.images import read_images
from migrator.plan.inventory import Inventories, read_inventories
from migrator.plan.machines import check_machines
from migrator.plan.notify import read_receivers
from migrator.plan.problems import Problem, ProblemCollector
from migrator.plan.starter import STARTER
from migrator.plan.targets import check_duration, checked_durations, endpoint, read_limits, read_target
from migrator.plan.waves import check_sizes, read_waves
from migrator.plan.wording import MISSING

__all__ = [
    "STARTER",
    "ParsedPlan",
    "Problem",
    "Settings",
    "at_endpoint",
    "parse_plan",
    "parse_settings",
    "parse_whole",
    "plan_schema",
]

_Settings = TypeVar("_Settings", bound=BaseModel)

_TABLES = tuple(keys_of(PlanFile))
_SLUG = re.compile(SLUG)
_PLAN_KEYS = keys_of(PlanTable)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class ParsedPlan(NamedTuple):
    """What a plan file and its inventories say."""

    plan: Plan
    problems: list[Problem]
    """What is worth a second look."""

    settled: bool
    """None of that is about an image or an inventory."""


class Settings(NamedTuple):
    """What a plan file says but for its images."""

    plan: Plan
    problems: list[Problem]
    """What of that is worth a second look."""

    lists: list[str]
    """The files of its inventories, as written and in their order."""


def parse_plan(data: bytes, *, path: str, open_sheet: Opener = nowhere) -> tuple[Plan, list[Problem]]:
    """The plan that a file's content `data` says, and what in it is worth a second look.

    `path` is how problems name the file; `open_sheet` opens the spreadsheets that it names. Raises PlanError
    with its errors, each with its line or its cell, when the plan cannot be run as written; of many of one
    kind, with the first ones and how many more there are.
    """
    return parse_whole(data, path=path, open_sheet=open_sheet)[:2]


def parse_whole(data: bytes, *, path: str, open_sheet: Opener = nowhere) -> ParsedPlan:
    """Like `parse_plan`, and whether there is anything to be said of the images."""
    with collector.paused():
        return _parse(data, path, open_sheet)


def parse_settings(data: bytes, *, path: str) -> Settings:
    """The same plan without its images, which are not looked at: of a file that `parse_plan` took before.

    Raises PlanError where that is not so, without saying all that is wrong.
    """
    with collector.paused():
        text = _text(data, path)
        tables = _tables(text, path)
        found = ProblemCollector()
        settings = _read_settings(tables, found)
        problems = found.problems(path, text, {})
        if found.failed:
            raise PlanError([str(problem) for problem in problems])
        lists = [str(table["file"]) for table in tables.get("inventory", [])]
        return Settings(plan=settings.plan(()), problems=problems, lists=lists)


def at_endpoint(plan: Plan, url: str) -> Plan:
    """The same plan with every target's image, identity and object service at one base URL."""
    base = endpoint(url)
    there = {"ims_endpoint": base, "iam_endpoint": base, "obs_endpoint": base, "kms_endpoint": base}
    targets = {name: target.model_copy(update=there) for name, target in plan.targets.items()}
    return plan.model_copy(update={"targets": targets})


def _parse(data: bytes, path: str, open_sheet: Opener) -> ParsedPlan:
    text = _text(data, path)
    tables = _tables(text, path)
    found = ProblemCollector()
    settings = _read_settings(tables, found)
    about_settings = found.count
    plan, names, inventories = _read(tables, settings, open_sheet, found)
    settled = found.count == about_settings
    problems = found.problems(path, text, names, inventories.place)
    if plan is None:
        wrong = [one for one in problems if one.severity == "error"]
        errors = grouped(wrong, found.unnoted["error"])
        raise PlanError(
            errors.lines, count=errors.count, found=[one.as_object() for one in wrong[:MOST_FOUND]]
        )
    return ParsedPlan(plan=plan, problems=problems, settled=settled)


MOST_FOUND = 10_000
"""Problems that a machine is given one by one."""


def _text(data: bytes, path: str) -> str:
    def refused(reason: str, remedy: str, line: int | None = None) -> PlanError:
        problem = Problem(path=path, line=line, field="", value="", reason=reason, remedy=remedy)
        return PlanError([str(problem)], found=[problem.as_object()])

    if not data.strip():
        raise refused("the file is empty", "`migrator init` writes a plan to start from")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refused("the file is UTF-16", "save it as UTF-8 without a byte order mark")
    data = data.removeprefix(b"\xef\xbb\xbf")  # which Windows' editor writes
    if (offset := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, offset) + 1
        raise refused("there is a NUL byte, so this is not text", "is it the right file?", line)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise refused(reason, "save the file as UTF-8", line) from None


def _tables(text: str, path: str) -> dict[str, Any]:
    column: int | None = None
    try:
        return tomli.loads(text)
    except RecursionError:
        line, reason = None, "lists or tables lie too deep in each other"
    except tomli.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        reason = f"not valid TOML: {str(error)[: place.start()] if place else error}"
        line = text.count("\n") + 1 if place and place[1] is None else None
        if place and place[1] is not None:
            line, column = int(place[1]), int(place[2])
            reason += f" (column {place[2]})"
    except ValueError:  # int() of more than 4300 digits
        line, reason = None, "not valid TOML: a number has thousands of digits"
    remedy = syntax.remedy(text, line, reason)
    problem = Problem(path=path, line=line, column=column, field="", value="", reason=reason, remedy=remedy)
    raise PlanError([str(problem)], found=[problem.as_object()]) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _BarePlan:
    """What the tables say but for images and inventories, as far as it is well."""

    head: dict[str, Any]
    retry: Retry
    polling: Polling
    policy: Policy
    targets: dict[str, Target]
    known: dict[str, None]
    """The names of all targets, of those that are not well too."""

    waves: list[Wave]
    turns: list[str]
    """The names of all waves."""

    receivers: tuple[Receiver, ...]
    defaults: Defaults

    def plan(self, images: tuple[Image, ...]) -> Plan:
        """The plan of which nothing is wrong."""
        return Plan(
            **self.head,
            targets=self.targets,
            retry=self.retry,
            polling=self.polling,
            policy=self.policy,
            waves=tuple(self.waves),
            notify=self.receivers,
            images=images,
        )


def _read_settings(tables: dict[str, Any], found: ProblemCollector) -> _BarePlan:
    for key in tables:
        if key not in _TABLES:
            found.refuse({"type": "extra_forbidden", "input": tables[key], "loc": (key,)}, (key,), _TABLES)
    head = _head(tables, found)
    retry = _settings(Retry, tables, "retry", found)
    polling = _settings(Polling, tables, "polling", found)
    policy = _settings(Policy, tables, "policy", found)
    _check_order(retry, polling, found)
    targets, known = _targets(tables, found)
    waves, turns = read_waves(tables.get("waves", []), found)
    receivers = read_receivers(tables.get("notify", []), waves=bool(waves), found=found)
    defaults = read_defaults(tables.get("defaults", {}), known, turns, found)
    return _BarePlan(
        head=head,
        retry=retry,
        polling=polling,
        policy=policy,
        targets=targets,
        known=known,
        waves=waves,
        turns=turns,
        receivers=receivers,
        defaults=defaults,
    )


def _read(
    tables: dict[str, Any], settings: _BarePlan, open_sheet: Opener, found: ProblemCollector
) -> tuple[Plan | None, dict[int, object], Inventories]:
    """The plan, or None when anything is wrong; the images that are spoken of, by name; their inventories."""
    known, turns, defaults = settings.known, settings.turns, settings.defaults
    entries = tables.get("images", [])
    lists = tables.get("inventory", [])
    if entries == [] and lists == []:
        found.error(("images",), "is missing", MISSING["images"])
    elif not isinstance(entries, list):
        found.error(("images",), "must be a list of tables", "write [[images]], in double brackets")
        entries = []
    inventories = read_inventories(lists, entries, known, turns, open_sheet, found)
    images = read_images(
        entries,
        defaults,
        known,
        turns,
        marked=settings.policy.marker is MarkerKind.TAG,
        faulty=inventories.faulty,
        blamed={
            "target": [*inventories.wrong["target"], defaults.wrong.get("target")],
            "wave": [*inventories.wrong["wave"], defaults.wrong.get("wave")],
            "os_version": [defaults.wrong.get("os_version")],
        },
        found=found,
    )
    if not found.failed:
        check_sizes(settings.waves, images, found)
        check_machines(images, settings.policy, found)
        check_after_import(images, settings.targets, found)
    names = _names(entries, found)
    entries.clear()
    return None if found.failed else settings.plan(tuple(images)), names, inventories


def _names(entries: list[Any], found: ProblemCollector) -> dict[int, object]:
    """The names of the images that something was found about, by position."""
    names: dict[int, object] = {}
    for noted in found.noted:
        for place in (noted.where, noted.other or ()):
            if len(place) > 1 and place[0] == "images" and isinstance(index := place[1], int):
                names[index] = entries[index].get("name")
    return names


def _head(tables: Mapping[str, Any], found: ProblemCollector) -> dict[str, Any]:
    if "plan" not in tables:
        found.error(("plan",), "is missing", MISSING["plan"])
        return {}
    table = tables["plan"]
    if not isinstance(table, dict):
        found.error(("plan",), "must be a table", "write [plan], in single brackets", value=table)
        return {}
    try:
        validator_of(_PLAN_KEYS, required=("name",)).validate_python(table)
    except ValidationError as error:
        found.refused(error.errors(include_url=False), ("plan",), list(_PLAN_KEYS))
        return {}
    if (name := table.get("timezone")) is not None and name not in zone_names():
        remedy = did_you_mean(name, zone_names()) or 'write an IANA name, such as "Asia/Shanghai" or "UTC"'
        found.error(("plan", "timezone"), "is not a time zone that is known here", remedy, value=name)
    return table


def _settings(
    model: type[_Settings], tables: Mapping[str, Any], key: str, found: ProblemCollector
) -> _Settings:
    """A table of settings, without what is wrong in it."""
    keys = model.model_fields
    table = checked_durations(tables.get(key, {}), found, (key,), keys)
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found.refused(errors, (key,), list(keys))
        wrong = {fault["loc"][0] for fault in errors}
        table = {name: value for name, value in table.items() if name not in wrong}
        settings = model.model_validate(table)
    for name, written in table.items():
        if isinstance(value := getattr(settings, name), float):
            check_duration(value, (key, name), found, written)
    return settings


def _check_order(retry: Retry, polling: Polling, found: ProblemCollector) -> None:
    """Note pauses and intervals that begin above where they end."""
    if retry.base > retry.cap:
        reason = f"is more than retry.cap, which is {duration_text(retry.cap)}"
        found.error(
            ("retry", "base"), reason, "the first pause is the shortest", value=duration_text(retry.base)
        )
    if polling.min_interval > polling.max_interval:
        reason = f"is more than polling.max_interval, which is {duration_text(polling.max_interval)}"
        least = duration_text(polling.min_interval)
        found.error(("polling", "min_interval"), reason, "lower it, or raise the other", value=least)


def _targets(tables: Mapping[str, Any], found: ProblemCollector) -> tuple[dict[str, Target], dict[str, None]]:
    """The targets that are well, and the names of all."""
    shared, _ = read_limits(tables.get("limits", {}), found)
    table = tables.get("targets", {})
    if not isinstance(table, dict):
        found.error(
            ("targets",), "must be a table of tables", 'write [targets.north] and region = "..." below it'
        )
        return {}, {}
    if not table:
        found.error(("targets",), "is missing", MISSING["targets"])
    targets: dict[str, Target] = {}
    for name, entry in table.items():
        if not _SLUG.fullmatch(name):
            fault = {"type": "string_pattern_mismatch", "input": name}
            found.refuse(fault, ("targets", name), ())
        if (target := read_target(name, entry, shared, found)) is not None:
            targets[name] = target
    return targets, dict.fromkeys(table)
