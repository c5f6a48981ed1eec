"""The commands that need no cloud: status, report, dry run, simulator and demo."""

import json
import signal
import time
from importlib import resources
from pathlib import Path

import anyio

from migrator.cli.common import Look, plural
from migrator.cli.parts import plan_folder
from migrator.cli.preflight import ledger_ahead
from migrator.cli.reporting import write_reports
from migrator.cli.session import Options, check_keys, choose, run
from migrator.clouds.dry import DryCloud
from migrator.core.floor import Floor, floors
from migrator.core.headline import span
from migrator.core.ledger import Ledger
from migrator.core.lifecycle import Phase
from migrator.core.plan import at_endpoint, parse_plan
from migrator.core.reconcile import marker, planned
from migrator.core.summary import Summary, summary
from migrator.edges.clock import SystemClock
from migrator.edges.journal import Journal
from migrator.errors import UsageError
from migrator.model import MarkerKind, Plan
from migrator.simulator.server import serve
from migrator.simulator.settings import SCENARIOS
from migrator.simulator.settings import scenario as settings_of


async def _ledger(plan: Plan, reports_dir: Path) -> Ledger:
    """What is known of a plan. Raises UsageError when it never ran."""
    path = plan_folder(reports_dir, plan) / "journal.db"
    if not path.exists():
        raise UsageError(
            f"{path}: nothing has run yet", hint="Start with `migrator run PLAN`, or name its --reports-dir."
        )
    reader = Journal.read(path)
    return await reader.ledger(planned(plan))


async def status(plan: Plan, reports_dir: Path, look: Look) -> int:
    """Print where a plan stands."""
    facts = summary(await _ledger(plan, reports_dir), plan=plan, now=time.time())
    if look.json:
        look.object(_totals(facts))
        return 0
    for name, count in facts.totals.by_status.items():
        if count:
            look.out(f"{name.value.replace('_', ' '):<12}{count:>8}")
    look.out(f"{'all':<12}{facts.totals.images:>8}")
    for cause in facts.failures:
        look.out(f"failed: {cause.count} x {cause.code} {cause.message}")
        if cause.remedy:
            look.out(f"        {cause.remedy}")
    return 0


def _totals(facts: Summary) -> dict[str, object]:
    totals = {phase.value: count for phase, count in facts.totals.by_status.items()}
    return {"plan": facts.plan.name, "images": facts.totals.images, "totals": totals}


async def report(plan: Plan, reports_dir: Path, look: Look) -> int:
    """Write every report anew."""
    ledger = await _ledger(plan, reports_dir)
    folder = plan_folder(reports_dir, plan)
    for path in await write_reports(plan, ledger, folder, time.time(), running=False):
        look.out(str(path))
    return 0


async def dry_run(plan: Plan, options: Options, look: Look) -> int:
    """Show every import that a run would ask for, in order; the journal is only read."""
    check_keys(plan, options)
    ledger, meant = await ledger_ahead(plan, options)
    chosen = choose(plan, ledger, options.limit, meant).keys
    keys = [key for key in chosen if ledger.states[key].phase is Phase.PENDING]
    cloud = DryCloud()
    marked = plan.policy.marker is MarkerKind.TAG
    for key in keys:
        image = ledger.planned[key].image
        await cloud.submit(image, marker(plan.name, key) if marked else None)
        url = f"{plan.targets[image.target].ims_endpoint}/v2/cloudimages/quickimport/action"
        if look.json:
            look.object({"key": key, "method": "POST", "url": url, "body": cloud.bodies[-1]})
        else:
            look.out(f"POST {url}\n  {json.dumps(cloud.bodies[-1], ensure_ascii=False)}")
    for floor in floors(plan, ledger, chosen, time.time()):
        look.say(_at_best(floor, plan))
    look.say(f"{plural(len(keys), 'import')} would be submitted; nothing was sent")
    return 0


def _at_best(floor: Floor, plan: Plan) -> str:
    limits = plan.targets[floor.target].limits
    after = f" after {floor.running} under way" if floor.running else ""
    how = "as so far" if floor.learned else "assumed"
    return (
        f"{floor.target}: {plural(floor.images, 'import')}{after}, {limits.max_jobs} at once and "
        f"{limits.submit_rate}: {span(floor.seconds)} at best, if one takes {span(floor.typical)} ({how})"
    )


async def simulate(scenario: str, seed: int, port: int, speed: float, look: Look) -> int:
    """Serve the stand-in cloud until a signal ends it."""
    if scenario not in SCENARIOS:
        raise UsageError(
            f"there is no scenario {scenario!r}", hint=f"There are: {', '.join(sorted(SCENARIOS))}."
        )
    settings = settings_of(scenario, seed=seed)
    try:
        async with serve(settings, port=port, speed=speed) as running:
            if look.json:
                look.object({"url": running.url, "ak": settings.access_key, "sk": settings.secret_key})
            else:
                look.out(f"serving {scenario} at {running.url} (Ctrl-C ends it)")
                look.out(f"export HUAWEICLOUD_SDK_AK={settings.access_key}")
                look.out(f"export HUAWEICLOUD_SDK_SK={settings.secret_key}")
                look.out(
                    f'plan: ims_endpoint, iam_endpoint and obs_endpoint = "{running.url}", '
                    f'region = "{next(iter(settings.regions))}"; inspect {running.url}/_sim/ledger'
                )
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
    except OSError as error:
        raise UsageError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}",
            hint="Name another --port; 0 takes any free one.",
        ) from None
    return 0


async def demo(seed: int, reports_dir: Path, look: Look) -> int:
    """Import the shipped plan against a simulator of its own."""
    data = resources.files("migrator").joinpath("data/demo.toml").read_bytes()
    plan, _ = parse_plan(data, path="demo.toml")
    settings = settings_of("demo", seed=seed)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(SystemClock().now()))
    async with serve(settings) as running:
        named = plan.model_copy(update={"name": f"demo-{stamp}"})
        look.say("a simulated cloud throttles some requests and lets some imports fail; nothing is real")
        environ = {"HUAWEICLOUD_SDK_AK": settings.access_key, "HUAWEICLOUD_SDK_SK": settings.secret_key}
        options = Options(reports_dir=reports_dir, environ=environ)
        code = await run(at_endpoint(named, running.url), options, look)
    return 0 if code == 3 else code
