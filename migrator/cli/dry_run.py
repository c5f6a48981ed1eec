"""`run --dry-run`: every import that a run would ask for."""

import json
import time
from collections.abc import Iterator

from msgspec import structs

from migrator.cli import beside
from migrator.cli.ahead import ledger_ahead
from migrator.cli.common import Console, as_json, plural, run_async
from migrator.cli.options import Options
from migrator.cli.work import check_keys, choose, undecided
from migrator.domain import collector
from migrator.domain.plan import MarkerKind, Plan
from migrator.domain.units import span
from migrator.ims.client import submit_body
from migrator.ims.methods import method_for, method_of, wish_of
from migrator.pacing.floor import Floor, floors
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import marker
from migrator.workflow.states import Phase


def dry_run(plan: Plan, options: Options, console: Console) -> int:
    """Show every import that a run would ask for, in order; the journal is only read.

    Nothing is left out, and outside of a loop one signal ends it, even where it waits for a reader.
    """
    beside.wait_for_readers()
    collector.spared()  # the plan
    check_keys(plan, options)
    with collector.paused():
        ledger, selected = run_async(ledger_ahead, plan, options)
    chosen = choose(plan, ledger, options.limit, selected).keys
    keys = [key for key in chosen if ledger.states[key].phase is Phase.PENDING]
    collector.spared()  # what the journal remembers
    console.many(line for key in keys for line in _import(plan, ledger, key, json_=console.json))
    for sentence in undecided(ledger.planned[key].image for key in keys if not ledger.states[key].method):
        console.say(sentence)
    for floor in floors(plan, ledger, chosen, time.time()):
        console.say(_at_best(floor, plan))
    console.say(f"{plural(len(keys), 'import')} would be submitted; nothing was sent")
    return 0


def _import(plan: Plan, ledger: Ledger, key: str, *, json_: bool) -> Iterator[str]:
    image, state = ledger.planned[key].image, ledger.states[key]
    if image.undecided and state.method:
        image = structs.replace(image, method=state.method)
    body = submit_body(image, marker(plan.name, key) if plan.policy.marker is MarkerKind.TAG else None)
    method = method_of(image)
    url = f"{plan.targets[image.target].ims_endpoint}{method.path}"
    if json_:
        said = {"import": method.key, "decided": method_for(wish_of(image)).method is not None}
        yield as_json({"key": key, "method": "POST", "url": url, **said, "body": body})
    else:
        yield f"POST {url}"
        yield f"  {json.dumps(body, ensure_ascii=False)}"


def _at_best(floor: Floor, plan: Plan) -> str:
    limits = plan.targets[floor.target].limits
    after = f" after {floor.running} under way" if floor.running else ""
    how = "as so far" if floor.learned else "assumed"
    return (
        f"{floor.target}: {plural(floor.images, 'import')}{after}, {limits.max_jobs} at once and "
        f"{limits.submit_rate}: {span(floor.seconds)} at best, if one takes {span(floor.typical)} ({how})"
    )
