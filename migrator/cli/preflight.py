"""`migrator preflight`, and the preflight that every run starts with: nothing is changed, anywhere."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from migrator.cli.ahead import ledger_ahead
from migrator.cli.common import RED, YELLOW, Console, plural
from migrator.cli.notifying import notify_findings
from migrator.cli.options import Options
from migrator.cli.wiring import TargetServices, clock_for, open_clouds, zone_of
from migrator.cli.work import check_keys, choose
from migrator.domain.errors import PreflightRefused
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.engine.preflight import PreflightResult, PreflightServices
from migrator.engine.preflight import preflight as engine_preflight
from migrator.io.clock import SystemClock
from migrator.io.console import STDERR
from migrator.preflight import Finding, Severity
from migrator.preflight.windows import window_findings
from migrator.reports.findings import as_json, as_text, tally
from migrator.workflow.ledger import Ledger

FOUND_OFFLINE = frozenset({"PF032", "PF061", "PF070"})
"""Warnings that reading the plan gave already, with the line they stand in."""

_HINTS = {
    6: "Correct the credentials or have the rights granted, then run again; nothing was sent.",
    7: "Run again when it can be reached; nothing was sent.",
}


async def preflight(plan: Plan, options: Options, console: Console, thorough: bool = False) -> int:
    """Check what a run would import now, and say what is in the way; the exit code of that run.

    `thorough` asks for each file by itself, where else a list of its bucket and a sample have to do.
    """
    clock = clock_for(plan, options.environ)
    check_keys(plan, options)
    ledger, selected = await ledger_ahead(plan, options)
    keys = choose(plan, ledger, options.limit, selected).keys
    async with open_clouds(plan, clock, options.environ) as services:
        result = await run_preflight(
            plan, ledger, keys, services, clock, console, every_target=True, thorough=thorough
        )
    result = replace(result, findings=[*notify_findings(plan, options.environ), *result.findings])
    if console.json:
        console.object(as_json(plan.name, result.findings, images=result.images, exit_code=result.exit_code))
    else:
        for line in as_text(result.findings):
            console.out(line)
    found = tally(result.findings) or "nothing stands in the way"
    console.say(f"{plan.name}: {_checked(result)}: {found}; nothing was changed")
    return result.exit_code


async def preflight_before_run(
    plan: Plan,
    ledger: Ledger,
    keys: Iterable[str],
    services: Mapping[str, TargetServices],
    clock: Clock,
    console: Console,
    environ: Mapping[str, str],
) -> PreflightResult:
    """Preflight of a run that is about to start.

    Warnings are said. Raises PreflightRefused when something would go wrong for certain.
    """
    result = await run_preflight(plan, ledger, list(keys), services, clock, console)
    result = replace(result, findings=[*notify_findings(plan, environ), *result.findings])
    shown = [one for one in result.findings if one.severity is not Severity.INFO]
    shown = [one for one in shown if one.code not in FOUND_OFFLINE]
    if console.json and shown:
        console.object(
            {"preflight": as_json(plan.name, shown, images=result.images, exit_code=result.exit_code)}
        )
    if result.exit_code:
        errors = [one for one in shown if one.severity is Severity.ERROR]
        _say(errors, console.err)
        raise PreflightRefused(
            f"preflight found {tally(errors)}: no import was asked for",
            hint=_HINTS.get(result.exit_code),
            exit_code=result.exit_code,
        )
    _say(shown, console.say)
    if result.images:
        console.say(f"preflight: {_checked(result)}: {tally(shown) or 'nothing stands in the way'}")
    return result


async def run_preflight(
    plan: Plan,
    ledger: Ledger,
    keys: list[str],
    services: Mapping[str, TargetServices],
    clock: Clock,
    console: Console,
    *,
    wall: Clock | None = None,
    every_target: bool = False,
    thorough: bool = False,
) -> PreflightResult:
    """The engine's preflight, showing how far it is; with `every_target`, also of targets without work.

    `wall` is the clock by which the services date their answers; None is that of this machine, however fast
    a rehearsal against a simulator is.
    """
    shown_at = 0.0

    def on_answer(answers: int) -> None:
        nonlocal shown_at
        if console.person and (now := time.monotonic()) - shown_at >= 0.2:
            shown_at = now
            STDERR.live(f"preflight: {answers} questions asked")

    asked = {
        name: PreflightServices(
            images=one.ims, objects=one.obs, registry=one.projects, project_id=one.project_id
        )
        for name, one in services.items()
    }
    rng = random.SystemRandom()
    try:
        result = await engine_preflight(
            plan,
            ledger,
            keys,
            asked,
            clock,
            wall or SystemClock(),
            rng,
            targets=plan.targets if every_target else (),
            thorough=thorough,
            on_answer=on_answer,
        )
        late = window_findings(plan, ledger, keys, clock.now(), zone_of(plan))
        return replace(result, findings=[*late, *result.findings])
    finally:
        if shown_at:
            STDERR.live("")
            STDERR.keep_live()


def _say(findings: Iterable[Finding], say: Callable[..., None]) -> None:
    for finding in findings:
        first, *rest = as_text([finding], width=None)
        severity, _, more = first.partition(" ")
        say(more, label=severity, colour=RED if finding.severity is Severity.ERROR else YELLOW)
        for line in rest:
            say(line)


def _checked(result: PreflightResult) -> str:
    return f"{plural(result.images, 'image')} checked"
