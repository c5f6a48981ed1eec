"""`migrator preflight`, and the look that every run takes before it starts: it changes nothing, anywhere."""

import random
import time
from collections.abc import Callable, Iterable, Mapping

from migrator.cli.common import Look, plural
from migrator.cli.parts import Parts, clock_for, open_clouds, plan_folder
from migrator.cli.session import Options, check_keys, choose, meant_by, words_of
from migrator.cli.streams import STDERR
from migrator.core.checks import Finding, Severity
from migrator.core.ledger import Ledger
from migrator.core.reconcile import listed, planned
from migrator.edges.clock import SystemClock
from migrator.edges.journal import Journal
from migrator.engine.preflight import Place, Seen
from migrator.engine.preflight import preflight as look_at
from migrator.errors import PreflightRefused
from migrator.model import Plan
from migrator.ports import Clock
from migrator.render.findings import as_json, as_text, tally

TOLD_OFFLINE = frozenset({"PF032", "PF061", "PF070"})
"""Warnings that reading the plan gave already, with the line they stand in."""

_HINTS = {
    6: "Correct the credentials or have the rights granted, then run again; nothing was sent.",
    7: "Run again when it can be reached; nothing was sent.",
}


async def preflight(plan: Plan, options: Options, look: Look, thorough: bool = False) -> int:
    """Look at what a run would import now, and say what is in the way; the exit code of that run.

    `thorough` asks for each file by itself, where else a list of its bucket and a sample have to do.
    """
    clock = clock_for(plan, options.environ)
    check_keys(plan, options)
    ledger, meant = await ledger_ahead(plan, options)
    keys = choose(plan, ledger, options.limit, meant).keys
    async with open_clouds(plan, clock, options.environ) as parts:
        seen = await ask_all(plan, ledger, keys, parts, clock, look, command=True, thorough=thorough)
    if look.json:
        look.object(as_json(plan.name, seen.findings, images=seen.images, exit_code=seen.exit_code))
    else:
        for line in as_text(seen.findings):
            look.out(line)
    said = tally(seen.findings) or "nothing stands in the way"
    look.say(f"{plan.name}: {_looked_at(seen)}: {said}; nothing was changed")
    return seen.exit_code


async def before_run(
    plan: Plan, ledger: Ledger, keys: Iterable[str], parts: Mapping[str, Parts], clock: Clock, look: Look
) -> dict[str, int]:
    """Look before a run starts; bytes of each image's file by key, as far as they were told.

    Warnings are said. Raises PreflightRefused when something would go wrong for certain.
    """
    seen = await ask_all(plan, ledger, list(keys), parts, clock, look, command=False)
    told = [one for one in seen.findings if one.severity is not Severity.INFO]
    told = [one for one in told if one.code not in TOLD_OFFLINE]
    if look.json and told:
        shown = as_json(plan.name, told, images=seen.images, exit_code=seen.exit_code)
        look.object({"preflight": shown})
    if seen.exit_code:
        errors = [one for one in told if one.severity is Severity.ERROR]
        _say(errors, look.err, look)
        raise PreflightRefused(
            f"preflight found {tally(errors)}: no import was asked for",
            hint=_HINTS.get(seen.exit_code),
            exit_code=seen.exit_code,
        )
    _say(told, look.say, look)
    if seen.images:
        look.say(f"preflight: {_looked_at(seen)}: {tally(told) or 'nothing stands in the way'}")
    return seen.sizes


async def ask_all(
    plan: Plan,
    ledger: Ledger,
    keys: list[str],
    parts: Mapping[str, Parts],
    clock: Clock,
    look: Look,
    *,
    command: bool,
    thorough: bool = False,
) -> Seen:
    """Ask all that preflight asks, and show how far it is; `command` looks at every target of the plan."""
    shown_at = 0.0

    def told(asked: int) -> None:
        nonlocal shown_at
        if look.person and (now := time.monotonic()) - shown_at >= 0.2:
            shown_at = now
            STDERR.live(f"preflight: {asked} questions asked")

    places = {
        name: Place(images=part.ims, objects=part.obs, registry=part.projects, project_id=part.project_id)
        for name, part in parts.items()
    }
    rng = random.SystemRandom()
    wall = SystemClock()  # answers are dated by real time, however fast a rehearsal is
    try:
        return await look_at(
            plan,
            ledger,
            keys,
            places,
            clock,
            wall,
            rng,
            targets=plan.targets if command else (),
            thorough=thorough,
            told=told,
        )
    finally:
        if shown_at:
            STDERR.live("")
            STDERR.settle()


def _say(findings: Iterable[Finding], say: Callable[[str], None], look: Look) -> None:
    for finding in findings:
        first, *rest = as_text([finding], width=None)
        word, _, more = first.partition(" ")
        say(f"{look.paint(word, '1;31' if finding.severity is Severity.ERROR else '1;33')} {more}")
        for line in rest:
            say(line)


def _looked_at(seen: Seen) -> str:
    return f"{plural(seen.images, 'image')} looked at"


async def ledger_ahead(plan: Plan, options: Options) -> tuple[Ledger, frozenset[str] | None]:
    """What a run would know before it starts, and the keys that it would be about, None for all.

    The journal is only read. Raises JournalError.
    """
    path = plan_folder(options.reports_dir, plan) / "journal.db"
    ledger = await Journal.read(path).ledger(listed(plan)) if path.exists() else Ledger()
    meant = meant_by(plan, ledger, options)
    words = list(words_of(planned(plan, ledger.planned), ledger, options, time.time(), meant))
    for event in words:
        ledger.apply(event)
    return ledger, meant
