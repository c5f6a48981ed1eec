"""What the services said about us: reach, clock, credentials, project, quota, names, operating systems."""

import difflib
from collections.abc import Iterator, Mapping

from migrator.core.checks.facts import SKEW, Facts, Unknown, Why, living
from migrator.core.checks.finding import Finding, Item, grouped
from migrator.core.lookup import Shelf, name_taken
from migrator.core.plan.systems import family
from migrator.model import Image, ImageType, OnExisting, OnQuota, Policy, Quota

NOTICE = 300.0
"""Seconds at which a wrong clock is worth a word: a third of what signatures allow."""

_EXISTING = {OnExisting.ADOPT: "PF021", OnExisting.SKIP: "PF022", OnExisting.FAIL: "PF023"}
_NAMES = 3
"""Close matches that are shown."""


def account(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """The findings about one target and what is in it."""
    yield from _reach(facts)
    yield from _clock(facts)
    yield from _project(facts)
    yield from _quota(facts, policy)
    yield from _names(facts, policy)
    yield from _systems(facts)


def _reach(facts: Facts) -> Iterator[Finding]:
    """Whether anything can be asked at all; what shows it is told once."""
    for answer in (facts.date, facts.quota):
        if isinstance(answer, Unknown) and answer.why is not Why.UNANSWERED:
            code = {Why.CREDENTIALS: "PF002", Why.FORBIDDEN: ""}.get(answer.why, "PF001")
            if code:
                yield _of(facts, code, answer)
                return


def _of(facts: Facts, code: str, answer: Unknown) -> Finding:
    advice = answer.fault.remedy if answer.why in (Why.CREDENTIALS, Why.UNREACHABLE) else ""
    return Finding(code=code, target=facts.target.name, says=str(answer.fault), advice=advice)


def _clock(facts: Facts) -> Iterator[Finding]:
    match facts.date:
        case Unknown(why=Why.UNANSWERED) as answer:
            yield _of(facts, "PF090", answer)
        case float() as ahead if abs(ahead) > NOTICE:
            code = "PF004" if abs(ahead) > SKEW else "PF005"
            way = "ahead of" if ahead > 0 else "behind"
            says = f"it is {abs(ahead) / 60:.0f} minutes {way} the service's"
            yield Finding(code=code, target=facts.target.name, says=says)


def _project(facts: Facts) -> Iterator[Finding]:
    """A project that somebody named is held against the region; one that was looked up needs no check."""
    region, mine, name = facts.target.region, facts.project_id, facts.target.name
    match facts.projects:
        case Unknown() as answer:
            yield _of(facts, "PF091", answer)
        case tuple() as projects if mine is not None:
            found = next((project for project in projects if project.id == mine), None)
            if found is None:
                yield Finding(code="PF008", target=name, says=f"project_id {mine}")
            elif not (found.name == region or found.name.startswith(f"{region}_")):
                says = f"{mine} is {found.name}, and the target's region is {region}"
                yield Finding(code="PF006", target=name, says=says)
            elif not found.enabled:
                yield Finding(code="PF007", target=name, says=f"{found.name} ({mine})")


def _quota(facts: Facts, policy: Policy) -> Iterator[Finding]:
    match facts.quota:
        case Unknown(why=Why.FORBIDDEN | Why.UNANSWERED) as answer:
            yield _of(facts, "PF092", answer)
        case Quota(used=used, limit=limit):
            wanted = len(facts.absent)
            room = max(limit - used, 0)
            says = f"{used} of {limit} used, {wanted} to do: "
            if wanted > room:
                code = "PF011" if policy.on_quota is OnQuota.WAIT else "PF010"
                fit = f"{room} fit" if room else "none fits"
                yield Finding(code=code, target=facts.target.name, says=says + fit)
            elif wanted and wanted + facts.in_cloud > room:
                says += f"all fit, unless the {facts.in_cloud} under way do not count yet"
                yield Finding(code="PF012", target=facts.target.name, says=says)


def _names(facts: Facts, policy: Policy) -> Iterator[Finding]:
    if isinstance(facts.names, Unknown):
        refused = facts.names.why in (Why.CREDENTIALS, Why.FORBIDDEN)
        yield _of(facts, "PF003" if refused else "PF093", facts.names)
        return
    shelves = facts.names or {}
    yield from grouped(
        facts.target.name, (pair for image, _ in facts.work for pair in _name(image, shelves, policy))
    )


def _name(image: Image, shelves: Mapping[str, Shelf], policy: Policy) -> Iterator[tuple[str, Item]]:
    shelf = shelves.get(image.key, Shelf())
    ours, foreign = living(shelf), shelf.foreign
    if ours:
        yield _EXISTING[policy.on_existing], Item(key=image.key, says=f"{ours[0].id} ({ours[0].status})")
    elif foreign:
        yield "PF020", Item(key=image.key, says=name_taken(image, foreign[0]).message)


def _systems(facts: Facts) -> Iterator[Finding]:
    unanswered = [answer for answer in facts.systems.values() if isinstance(answer, Unknown)]
    if unanswered:
        yield _of(facts, "PF094", unanswered[0])
    suggestions: dict[str, str] = {}
    yield from grouped(
        facts.target.name,
        (pair for image in facts.absent for pair in _system(image, facts, suggestions)),
    )


def _system(image: Image, facts: Facts, suggestions: dict[str, str]) -> Iterator[tuple[str, Item]]:
    version = image.os_version
    if image.type is ImageType.DATA or version is None:
        if image.os_type == "Windows":
            yield "PF032", Item(key=image.key, says="a Windows data disk")
        return
    if family(version) == "Windows":
        yield "PF032", Item(key=image.key, says=version)
    architecture = image.architecture or "x86"
    every, here = facts.systems.get(""), facts.systems.get(architecture)
    if isinstance(here, frozenset) and version in here:
        return
    if not isinstance(every, frozenset) or not every:
        return  # that nobody could say is a finding of its own
    if version not in every:
        if version not in suggestions:
            suggestions[version] = close_matches(version, here if isinstance(here, frozenset) else every)
        yield "PF030", Item(key=image.key, says=f"{version}{suggestions[version]}")
    elif isinstance(here, frozenset) and here:
        yield "PF031", Item(key=image.key, says=f"{version}, architecture {architecture}")


def close_matches(version: str, listed: frozenset[str]) -> str:
    """What was probably meant, as "; did you mean …?", or nothing."""
    folded = {" ".join(name.lower().split()): name for name in sorted(listed)}
    found = difflib.get_close_matches(" ".join(version.lower().split()), folded, n=_NAMES, cutoff=0.6)
    names = [f'"{folded[name]}"' for name in found]
    return f"; did you mean {' or '.join(names)}?" if names else ""
