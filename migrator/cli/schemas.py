"""`migrator schema`: the JSON Schemas by name; each is imported when it is asked for."""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from migrator.cli.common import Console, command

SCHEMAS = {
    "plan": ("migrator.plan", "plan_schema"),
    "report": ("migrator.reports.formats.as_json", "report_schema"),
    "events": ("migrator.reports.events_schema", "events_schema"),
    "service": ("migrator.reports.service", "service_schema"),
    "notification": ("migrator.workflow.notifications", "notification_schema"),
}
"""Where the function is that makes each."""


def schema_of(what: str) -> dict[str, Any]:
    """The schema of that name. Raises UsageError, which names what there is."""
    if what not in SCHEMAS:
        from migrator.domain.errors import UsageError

        *first, last = (f'"{name}"' for name in SCHEMAS)
        raise UsageError(f"there is no schema of {what!r}", hint=f"Ask for {', '.join(first)} or {last}.")
    module, function = SCHEMAS[what]
    make: Callable[[], dict[str, Any]] = getattr(import_module(module), function)
    return make()


@click.command()
@click.argument(
    "what",
    default="plan",
    metavar="[plan|report|events|service|notification]",
    help="Of the plan, of report.json, of run --json, of service.json, or of notifications.",
)
@command
def schema(*, what: str, console: Console) -> int:
    """Print a JSON Schema: of the plan, or of what is written."""
    for line in json.dumps(schema_of(what), indent=2, ensure_ascii=False).splitlines():
        console.out(line)
    return 0
