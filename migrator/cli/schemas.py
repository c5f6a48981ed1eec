"""`migrator schema`: the published schemas, by what they describe."""

import json
from collections.abc import Sequence

from migrator.domain.errors import UsageError


def schema_of(what: str) -> Sequence[str]:
    """The lines of a schema. Raises UsageError where there is none of that name."""
    if what == "plan":
        from migrator.plan import plan_schema as of
    elif what == "report":
        from migrator.reports.formats.as_json import report_schema as of
    elif what == "events":
        from migrator.reports.events_schema import events_schema as of
    elif what == "service":
        from migrator.reports.service import service_schema as of
    else:
        raise UsageError(
            f"there is no schema of {what!r}", hint='Ask for "plan", "report", "events" or "service".'
        )
    return json.dumps(of(), indent=2, ensure_ascii=False).splitlines()
