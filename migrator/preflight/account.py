"""What the services say about us: reach, clock, credentials, project, quota, names, operating systems."""

from collections.abc import Iterator, Mapping

from migrator.domain.cloud import KeyState, Quota
from migrator.domain.image import Image, ImageType
from migrator.domain.plan import OnExisting, OnQuota, Policy
from migrator.domain.units import span
from migrator.ims.os_versions import family
from migrator.preflight.facts import LARGEST_SKEW, TargetFacts, Unknown, UnknownReason, living
from migrator.preflight.finding import Finding, Item, grouped
from migrator.workflow.lookup import NOTHING_LISTED, ImageMatches, name_taken

NOTABLE_SKEW = 300.0
"""Seconds at which a wrong clock is worth a word: a third of what signatures allow."""

_EXISTING = {OnExisting.ADOPT: "PF021", OnExisting.SKIP: "PF022", OnExisting.FAIL: "PF023"}
_CLOSE_MATCHES = 3
"""Close matches that are shown."""


def account_findings(facts: TargetFacts, policy: Policy) -> Iterator[Finding]:
    """The findings about one target and what is in it."""
    yield from _reach(facts)
    yield from _clock(facts)
    yield from _project(facts)
    yield from _quota(facts, policy)
    yield from _names(facts, policy)
    yield from _systems(facts)
    yield from _keys(facts)


def _reach(facts: TargetFacts) -> Iterator[Finding]:
    """Whether anything can be asked at all; what shows it is said once."""
    for answer in (facts.date, facts.quota):
        if isinstance(answer, Unknown) and answer.reason is not UnknownReason.UNANSWERED:
            code = {UnknownReason.CREDENTIALS: "PF002", UnknownReason.FORBIDDEN: ""}.get(
                answer.reason, "PF001"
            )
            if code:
                yield _unanswered(facts, code, answer)
                return


def _unanswered(facts: TargetFacts, code: str, answer: Unknown) -> Finding:
    advice = (
        answer.fault.remedy if answer.reason in (UnknownReason.CREDENTIALS, UnknownReason.UNREACHABLE) else ""
    )
    return Finding(code=code, target=facts.target.name, says=str(answer.fault), advice=advice)


def _clock(facts: TargetFacts) -> Iterator[Finding]:
    match facts.date:
        case Unknown(reason=UnknownReason.UNANSWERED) as answer:
            yield _unanswered(facts, "PF090", answer)
        case float() as ahead if abs(ahead) > NOTABLE_SKEW:
            code = "PF004" if abs(ahead) > LARGEST_SKEW else "PF005"
            way = "ahead of" if ahead > 0 else "behind"
            says = f"it is {span(abs(ahead))} {way} the service's"
            yield Finding(code=code, target=facts.target.name, says=says)


def _project(facts: TargetFacts) -> Iterator[Finding]:
    """A project that somebody named is held against the region; one that was looked up needs no check."""
    region, mine, name = facts.target.region, facts.project_id, facts.target.name
    match facts.projects:
        case Unknown() as answer:
            yield _unanswered(facts, "PF091", answer)
        case tuple() as projects if mine is not None:
            found = next((project for project in projects if project.id == mine), None)
            if found is None:
                yield Finding(code="PF008", target=name, says=f"project_id {mine}")
            elif not (found.name == region or found.name.startswith(f"{region}_")):
                says = f"{mine} is {found.name}, and the target's region is {region}"
                yield Finding(code="PF006", target=name, says=says)
            elif not found.enabled:
                yield Finding(code="PF007", target=name, says=f"{found.name} ({mine})")


def _quota(facts: TargetFacts, policy: Policy) -> Iterator[Finding]:
    match facts.quota:
        case Unknown(reason=UnknownReason.FORBIDDEN | UnknownReason.UNANSWERED) as answer:
            yield _unanswered(facts, "PF092", answer)
        case Quota(used=used, limit=limit):
            wanted = len(facts.to_import)
            room = max(limit - used, 0)
            says = f"{used} of {limit} used, {wanted} to do: "
            if wanted > room:
                code = "PF011" if policy.on_quota is OnQuota.WAIT else "PF010"
                fit = f"{room} fit" if room else "none fits"
                yield Finding(code=code, target=facts.target.name, says=says + fit)
            elif wanted and wanted + facts.in_cloud > room:
                says += f"all fit, unless the {facts.in_cloud} under way do not count yet"
                yield Finding(code="PF012", target=facts.target.name, says=says)


def _keys(facts: TargetFacts) -> Iterator[Finding]:
    """KMS keys with which images are to be encrypted."""
    for key_id, answer in facts.keys.items():
        images = [image for image in facts.to_import if image.cmk_id == key_id]
        says = f"{key_id}, for {len(images)} {'image' if len(images) == 1 else 'images'}"
        match answer:
            case KeyState.MISSING:
                yield Finding(code="PF087", target=facts.target.name, says=says)
            case KeyState() if answer is not KeyState.ENABLED:
                yield Finding(code="PF088", target=facts.target.name, says=f"{says}: it is {answer.value}")
            case Unknown(fault=fault):
                yield Finding(code="PF089", target=facts.target.name, says=f"{says}: {fault.message}")
            case None:
                yield Finding(code="PF089", target=facts.target.name, says=f"{says}: kms_endpoint is not set")


def _names(facts: TargetFacts, policy: Policy) -> Iterator[Finding]:
    if isinstance(facts.names, Unknown):
        refused = facts.names.reason in (UnknownReason.CREDENTIALS, UnknownReason.FORBIDDEN)
        yield _unanswered(facts, "PF003" if refused else "PF093", facts.names)
        return
    matches_by_key = facts.names or {}
    yield from grouped(
        facts.target.name, (pair for image, _ in facts.work for pair in _name(image, matches_by_key, policy))
    )


def _name(
    image: Image, matches_by_key: Mapping[str, ImageMatches], policy: Policy
) -> Iterator[tuple[str, Item]]:
    matches = matches_by_key.get(image.key, NOTHING_LISTED)
    ours, foreign = living(matches), matches.foreign
    if ours:
        yield _EXISTING[policy.on_existing], Item(key=image.key, says=f"{ours[0].id} ({ours[0].status})")
    elif foreign:
        yield "PF020", Item(key=image.key, says=name_taken(image, foreign[0]).message)


def _systems(facts: TargetFacts) -> Iterator[Finding]:
    unanswered = [answer for answer in facts.systems.values() if isinstance(answer, Unknown)]
    if unanswered:
        yield _unanswered(facts, "PF094", unanswered[0])
    suggestions: dict[str, str] = {}
    yield from grouped(
        facts.target.name,
        (pair for image in facts.to_import for pair in _system(image, facts, suggestions)),
    )


def _system(image: Image, facts: TargetFacts, suggestions: dict[str, str]) -> Iterator[tuple[str, Item]]:
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
    """The closest names of the list, as "; did you mean …?", or nothing."""
    import difflib  # only for a system that nobody knows

    folded = {" ".join(name.lower().split()): name for name in sorted(listed)}
    found = difflib.get_close_matches(" ".join(version.lower().split()), folded, n=_CLOSE_MATCHES, cutoff=0.6)
    names = [f'"{folded[name]}"' for name in found]
    return f"; did you mean {' or '.join(names)}?" if names else ""
