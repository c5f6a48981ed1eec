"""What a run records of itself when it begins, and what it says then."""

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence

from migrator import __version__
from migrator.cli.common import Console, plural
from migrator.cli.work import Work, edited, failed_ones
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.workflow.events import ImageEvent, JobRestored, RunBegan
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.plan_facts import facts_of
from migrator.workflow.provenance import Sources, provenance


def run_began(
    plan: Plan,
    items: Mapping[str, Planned],
    ledger: Ledger,
    sources: Sources | None,
    now: Moment,
    *,
    coming: int,
) -> RunBegan:
    """The first of the `coming` facts that a run appends until the ledger has all `items`, the plan's images;
    they are made of `sources`, where that is known."""
    facts = facts_of(plan)
    return RunBegan(
        at=now,
        run=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{secrets.token_hex(3)}",
        version=__version__,
        host=socket.gethostname(),
        pid=os.getpid(),
        plan=None if facts == ledger.plan else facts,
        provenance=provenance(sources, items, ledger, coming),
    )


def say_what_is_left(
    plan: Plan, ledger: Ledger, work: Work, selected: frozenset[str] | None, console: Console
) -> None:
    """What a person may not expect of what this run takes care of, and what it leaves alone."""
    if selected is not None:
        console.say(f"{len(selected)} of {plural(len(plan.images), 'image')} selected for this run")
        if failed := failed_ones(ledger, selected):
            console.warn(
                f"{plural(failed, 'selected image')} failed before; failed images are tried again only "
                "with --retry-failed"
            )
    for sentence in edited(ledger):
        console.warn(sentence)
    for target, count in work.orphaned.items():
        console.warn(
            f"{plural(count, 'image')} of target {target} cannot be followed, because the plan no longer "
            f"has it; put [targets.{target}] back to go on with {'it' if count == 1 else 'them'}"
        )


def journal_is_behind(taken_in: Sequence[ImageEvent]) -> str:
    """What is said where a copy of the journal was put back, and reports know more."""
    jobs = sum(isinstance(event, JobRestored) for event in taken_in)
    doubts = len(taken_in) - jobs
    what = [
        f"{plural(jobs, 'job')} taken from the report" if jobs else "",
        f"{plural(doubts, 'image')} looked up before anything is sent for them" if doubts else "",
    ]
    said = ", ".join(filter(None, what)) or "nothing of it was missing"
    return f"the journal is older than the report beside it: {said}"


def first_line(plan: Plan, left: int, *, resumed: bool) -> str:
    """The line with which a run begins."""
    verb = "resuming" if resumed else "starting"
    return f"{verb} {plan.name}: {left} of {len(plan.images)} images to do"
