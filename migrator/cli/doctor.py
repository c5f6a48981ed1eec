"""`migrator doctor`: which beliefs about the service hold here, asked without changing anything."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from migrator import __version__
from migrator.cli.common import Console
from migrator.cli.journals import journal_of, plan_folder
from migrator.cli.options import Options
from migrator.cli.service import service_seen
from migrator.cli.wiring import TargetServices, clock_for, open_clouds
from migrator.domain.cloud import ImageQuery
from migrator.domain.errors import CloudError, TargetHaltedError
from migrator.domain.plan import JobApi, Plan
from migrator.engine.observing import ObservedCloud
from migrator.io.atomic_write import write_atomically
from migrator.reports.service import FILE_NAME, region_name, write_service
from migrator.workflow.beliefs import Observer, ServiceSeen, Verdict
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed, plan_tag

Answer = TypeVar("Answer")

NOBODY = "migrator-doctor-that-no-image-bears"
"""A name, and the value of a tag, that no image has."""

TOO_OLD = 16 * 60.0
"""Seconds: a minute more than a signature may be old."""

_MARKS = {Verdict.CONFIRMED: "yes", Verdict.CONTRADICTED: "NO", Verdict.NOT_SEEN: "?"}


async def doctor(plan: Plan, options: Options, console: Console) -> int:
    """Ask every target of the plan, and print each belief with what is known of it.

    Returns 0, or 4 where a belief is contradicted. Raises MigratorError where a service refuses us.
    """
    clock = clock_for(plan, options.environ)
    folder = plan_folder(options.reports_dir, plan.name)
    location = journal_of(plan.name, options)
    ledger = await location.read().ledger(listed(plan)) if await location.exists() else Ledger()
    found = service_seen(folder)
    async with open_clouds(plan, clock, options.environ) as services:
        for name, one in services.items():
            region = region_name(plan.targets[name].region)
            console.say(f"{name}: asking {region}; nothing is changed")
            seen = await _examine(plan, name, one, ledger, console)
            found[region] = found.get(region, ServiceSeen()).plus(seen)
    _show(found, console)
    if folder.is_dir():
        data = write_service(found, clock.now(), __version__)
        write_atomically(folder / FILE_NAME, data)
        console.say(f"what was seen is in {folder / FILE_NAME}: no names, ids or secrets, fit to be sent")
    counts = (count for seen in found.values() for _, count in seen.verdicts())
    return 4 if any(count.verdict is Verdict.CONTRADICTED for count in counts) else 0


async def _examine(
    plan: Plan, name: str, services: TargetServices, ledger: Ledger, console: Console
) -> ServiceSeen:
    """What one target's service answers to questions that change nothing."""
    seen = ServiceSeen()
    observer = Observer(seen)
    cloud = ObservedCloud(services.ims, observer)
    for (target, by), delays in ledger.learned.items():
        if target == name:
            seen.learned(by, delays)
    for key, item in ledger.planned.items():
        if item.image.target == name and ledger.states[key].image_id is not None:
            observer.on_accepted(item.image, None)
    await _ask(lambda: cloud.images(ImageQuery(tag=plan_tag(plan.name))), console)
    if (page := await _ask(lambda: cloud.images(ImageQuery(name=NOBODY)), console)) is not None:
        seen.note("name-filter-honoured", not page.images)
    nobodys = ImageQuery(tag=("migrator_plan", NOBODY))
    if (page := await _ask(lambda: cloud.images(nobodys), console)) is not None:
        seen.note("tag-filter-honoured", not page.images)
    states = (ledger.states[key] for key, item in ledger.planned.items() if item.image.target == name)
    jobs = [state.job_id for state in states if state.job_id]
    if jobs and await _ask(lambda: cloud.job(jobs[-1]), console) is not None:
        called = services.ims.job_call
        if called is not None:
            seen.note("job-progress-call", called is JobApi.PROGRESS)
    await _old_signature(services, seen, console)
    return seen


async def _old_signature(services: TargetServices, seen: ServiceSeen, console: Console) -> None:
    """One question, signed as if 16 minutes ago: one wrong signature, where more than five lock a key."""
    if services.backdated is None:
        return
    try:
        await services.backdated(TOO_OLD).quota()
    except TargetHaltedError:
        seen.note("old-signature-refused", True)
    except CloudError as error:
        console.warn(f"no answer: {error}")
    else:
        seen.note("old-signature-refused", False)


async def _ask(question: Callable[[], Awaitable[Answer]], console: Console) -> Answer | None:
    """One answer; None where there is none. Raises TargetHaltedError: nobody may ask."""
    try:
        return await question()
    except TargetHaltedError:
        raise
    except CloudError as error:
        console.warn(f"no answer: {error}")
        return None


def _show(found: dict[str, ServiceSeen], console: Console) -> None:
    for region, seen in found.items():
        if not console.json:
            console.out(f"{region}:")
        for belief, count in seen.verdicts():
            if console.json:
                console.object(
                    {
                        "region": region,
                        "belief": belief.id,
                        "says": belief.says,
                        "verdict": count.verdict.value,
                        "seen": count.seen,
                        "against": count.against,
                        "certainty": belief.certainty.value,
                        "source": belief.source,
                        "depends": belief.depends,
                    }
                )
                continue
            console.out(f"  {_MARKS[count.verdict]:<4}{belief.says}")
            if count.verdict is Verdict.CONTRADICTED:
                console.out(f"      {count.against} times not so. {belief.otherwise}")
