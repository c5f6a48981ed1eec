"""The JSON Schemas that `migrator schema` prints, by name; each is imported when it is asked for."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from migrator.domain.errors import UsageError

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
        *first, last = (f'"{name}"' for name in SCHEMAS)
        raise UsageError(f"there is no schema of {what!r}", hint=f"Ask for {', '.join(first)} or {last}.")
    module, function = SCHEMAS[what]
    make: Callable[[], dict[str, Any]] = getattr(import_module(module), function)
    return make()
