"""`run --detach` hands a plan to the workers of a database; `stop` asks all who work on it to drain."""

import asyncio
import os
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.json import decode, encode
from pydantic import ValidationError

from migrator import __version__
from migrator.cli.common import Console, plural
from migrator.cli.journals import expect_url
from migrator.cli.options import Options
from migrator.cli.work import check_keys, two_plans
from migrator.domain.errors import JournalError, UsageError
from migrator.domain.image import Image
from migrator.domain.plan import Plan
from migrator.journal.postgres import schema
from migrator.journal.postgres.connection import Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.handover import HandOver, hand_over, stop, strangers
from migrator.workflow.events import RunBegan
from migrator.workflow.plan_facts import facts_of
from migrator.workflow.selection import selector
from migrator.workflow.steps import COPY, wanted
from migrator.workflow.target_counts import WaveCount


class Handed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan without its images, and how it is to be run, as it lies in the database."""

    plan: str
    """JSON of the plan's own model."""

    version: str
    """Of the program that handed it over."""

    only: str | None = None
    wave: str | None = None
    again: tuple[str, ...] = ()
    retry_failed: bool = False
    preflight: bool = True


def document(plan: Plan, options: Options) -> str:
    """What is handed over besides the images."""
    bare = plan.model_copy(update={"images": ()})
    text = bare.model_dump_json()
    if Plan.model_validate_json(text) != bare:
        raise JournalError(
            f"the plan {plan.name} cannot be handed over as it is",
            hint="This is a fault of migrator: run it without --detach, and report it.",
        )
    given = Handed(
        plan=text,
        version=__version__,
        only=None if options.only is None else options.only.expression,
        wave=options.wave,
        again=tuple(sorted(options.again)),
        retry_failed=options.retry_failed,
        preflight=options.preflight,
    )
    return encode(given).decode()


def read_document(text: str, images: list[Image]) -> tuple[Plan, Options]:
    """The plan again, with some of its images, and how it is to be run.

    Raises UsageError for one that a newer program handed over.
    """
    given = decode(text, type=Handed)
    try:
        bare = Plan.model_validate_json(given.plan)
    except ValidationError as error:
        raise UsageError(
            f"the plan was handed over by migrator {given.version}, and this is {__version__}: "
            f"{error.error_count()} of its settings cannot be read",
            hint="Run the same version everywhere.",
        ) from None
    options = Options(
        only=None if given.only is None else selector(given.only),
        wave=given.wave,
        again=frozenset(given.again),
        retry_failed=given.retry_failed,
        preflight=given.preflight,
    )
    return bare.model_copy(update={"images": tuple(images)}), options


def targets_for(plan: Plan, target: str, images: Iterable[Image]) -> list[str]:
    """The targets whose services the images of one of them need: its own first, then those that get copies
    or accept what is shared."""
    images = list(images)
    there = {step.whom for image in images for step in wanted(image) if step.kind == COPY}
    receivers = {
        name
        for name, one in plan.targets.items()
        if one.project_id and any(one.project_id in image.share_with for image in images)
    }
    return [target, *sorted((there | receivers) & plan.targets.keys() - {target})]


def queue_of(plan: Plan, target: str, images: Iterable[Image]) -> str:
    """The credentials that a worker needs for one target, as its queue is called."""
    names = targets_for(plan, target, images)
    return " ".join(dict.fromkeys(plan.targets[name].credentials for name in names))


async def detach(plan: Plan, options: Options, console: Console) -> int:
    """Hand a plan to the workers, and return. Raises MigratorError."""
    if options.journal is None:
        raise UsageError(
            "--detach hands the plan to workers, which need a journal that they all reach",
            hint="Name it: --journal postgresql://USER@HOST/DATABASE, or MIGRATOR_JOURNAL.",
        )
    for name, given in (("--limit", options.limit), ("--max-duration", options.max_duration)):
        if given is not None:
            raise UsageError(
                f"{name} and --detach do not go together: it is about one process",
                hint="Choose images with --only or --wave; `migrator stop PLAN` ends it.",
            )
    check_keys(plan, options)
    database = Database.at(expect_url(options.journal))
    name = f"{database.name}, plan {plan.name}"
    now = time.time()
    began = RunBegan(
        at=now,
        run=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{secrets.token_hex(3)}",
        version=__version__,
        host=socket.gethostname(),
        pid=os.getpid(),
        plan=facts_of(plan),
    )

    def give() -> int:
        with explained(name), database.connect() as connection:
            schema.prepare(connection, database.name)
            other = strangers(connection, plan.name, [image.key for image in plan.images])
            if other is not None:
                raise two_plans(plan.name, *other)
            return hand_over(connection, name, plan.name, _given(plan, options), began)

    revision = await asyncio.to_thread(give)
    how = "handed over" if revision == 1 else "handed over again"
    images, targets = plural(len(plan.images), "image"), plural(len(plan.targets), "target")
    console.say(f"{plan.name}: {images} for {targets} {how}; where it stands: migrator status PLAN")
    if console.json:
        console.object({"plan": plan.name, "run": began.run, "revision": revision})
    return 0


def _given(plan: Plan, options: Options) -> HandOver:
    images: defaultdict[str, list[Image]] = defaultdict(list)
    waves: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for image in plan.images:
        images[image.target].append(image)
        waves[image.target][image.wave or ""] += 1
    return HandOver(
        document=document(plan, options),
        queues={name: queue_of(plan, name, images[name]) for name in plan.targets if images[name]},
        images=images,
        waves={
            target: {wave: WaveCount(total=count) for wave, count in counts.items()}
            for target, counts in waves.items()
        },
        tells=bool(plan.notify),
    )


async def stop_plan(plan: Plan, options: Options, console: Console) -> int:
    """Ask everybody who works on a plan to submit nothing more. Raises MigratorError."""
    if options.journal is None:
        raise UsageError(
            "stop is for a plan whose journal lies in a database",
            hint="Name it: --journal postgresql://USER@HOST/DATABASE, or MIGRATOR_JOURNAL. A run on this "
            "machine is stopped by Ctrl-C, or `kill -TERM` with the number that `migrator status` shows.",
        )
    database = Database.at(expect_url(options.journal))
    name = f"{database.name}, plan {plan.name}"
    why = f"by {os.environ.get('USER') or 'somebody'} on {socket.gethostname()}"

    def ask() -> bool:
        with explained(name), database.connect() as connection:
            if not schema.found(connection, name):
                raise JournalError(f"{name}: nothing has run yet", hint="Nothing is to be stopped.")
            return stop(connection, name, plan.name, why)

    if await asyncio.to_thread(ask):
        console.say(f"{plan.name}: nothing new is submitted; jobs that run are followed to their end")
    else:
        console.say(f"{plan.name}: nobody was working on it, and no worker will begin")
    return 0
