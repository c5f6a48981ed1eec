"""The pages of the manual that are written from tables of the program.

    python -m tests.manual      writes them again

`tests/test_manual.py` holds that nobody forgot to.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from migrator.domain.image import ImageType
from migrator.ims.calls import CALLS
from migrator.ims.fields import FIELDS, Field
from migrator.plan.forms import IMAGE_KEYS, plan_schema
from migrator.reports.metrics import METRICS
from migrator.workflow.beliefs import BELIEFS
from tests.manual_columns import column_manual
from tests.manual_man import man_page
from tests.manual_plan import plan_tables
from tests.manual_reference import error_codes, events

DOCS = Path(__file__).parent.parent / "docs"


def plan_keys() -> str:
    """Every key that an image may have in a plan."""
    rows = "".join(f"| {' | '.join(map(_escaped, _row(field)))} |\n" for field in FIELDS)
    return f"""\
# Keys of an image

What an image may say in `[[images]]`, in `[defaults]` and as a column of an inventory. `plans/full.toml`
shows all of it in use, and `migrator schema` lets editors complete and check it. "Sent as" is the name in the
request to the image service; what is never sent is for this program alone.

| Key | Holds | Meaning | Example | Disks | Needed | In `[defaults]` | Column of an inventory | Sent as |
|---|---|---|---|---|---|---|---|---|
{rows}
## Keys of `[[notify]]`

Who is told of what: [Notifications](notify.md).

| Key | Meaning | Needed |
|---|---|---|
{_notify_keys()}"""


def _notify_keys() -> str:
    table = plan_schema()["$defs"]["NotifyTable"]
    rows = ""
    for key, shape in table["properties"].items():
        default = f", then {_toml(shape['default'])}" if "default" in shape else ""
        needed = "yes" if key in table["required"] else f"no{default}"
        rows += f"| `{key}` | {_escaped(shape['description'])} | {needed} |\n"
    return rows


def _row(field: Field) -> list[str]:
    kinds = [kind.value for kind in ImageType if kind in field.kinds]
    default = "" if field.default is None else f", then {_toml(field.default)}"
    return [
        f"`{field.key}`",
        _holds(TypeAdapter(IMAGE_KEYS[field.key]).json_schema()),
        field.meaning,
        f"`{_toml(field.example)}`",
        "all" if len(kinds) == len(ImageType) else ", ".join(kinds),
        "yes" if field.required else f"no{default}",
        "no" if field.own else "yes",
        f"`{field.column}.NAME`" if field.column else f"`{field.key}`",
        f"`{field.sent.name}`"
        if field.sent
        else f"with `{field.resolved}`"
        if field.resolved
        else "never sent",
    ]


def _holds(schema: dict[str, Any]) -> str:
    """A rule in a few words; what else a pattern asks for is said by whoever refuses a value."""
    match schema:
        case {"enum": [*words, last]}:
            return f"{', '.join(map(_toml, words))} or {_toml(last)}"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number, {least} to {most}"
        case {"type": "array", "maxItems": most}:
            return f"list of at most {most} texts"
        case {"type": "object", "maxProperties": most}:
            return f"table of at most {most} texts"
        case {"type": "string", "maxLength": most}:
            return f"text, {schema.get('minLength', 0)} to {most} characters"
        case _:
            return {"string": "text", "integer": "whole number", "boolean": "true or false"}[schema["type"]]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;").replace(">", "&gt;")


def beliefs() -> str:
    """What the program believes about the service without proof."""
    rows = "".join(
        f"| `{one.id}` | {' | '.join(map(_escaped, (one.says, one.certainty, one.source, one.depends)))}"
        f" | {_escaped(one.otherwise)} |\n"
        for one in BELIEFS
    )
    return f"""\
# Beliefs about the service

Nobody who wrote this program can ask the real service. What rests on an unproven fact stands here, and a
first real run shows whether it holds:

- every run observes what it can, at no extra request, and `migrator doctor PLAN` asks what can be asked
  without changing anything. Among that is one request with a signature of 16 minutes ago (a key is locked by
  more than five wrong ones in a row): its refusal is what `policy.late` rests on;
- `reports/<plan>/service.json` holds what was seen, as counts and seconds by region. It has no names, ids or
  secrets, so it can be sent to somebody. `report.json` lists every belief as confirmed, contradicted or not
  yet seen;
- a contradiction is a warning of the run that sees it first, with what to do;
- what was seen steers: how long look-ups may stay empty (learned by each target's own jobs, kept in the
  journal), which job call is asked first, and whether an image that does not tell what others told is read
  again before its silence is accepted;
- `migrator simulate --as service.json` serves a cloud that does what was seen.

| belief | what is believed | certainty | source | what depends on it | where it is otherwise |
|---|---|---|---|---|---|
{rows}"""


def metrics() -> str:
    """Every metric, and how to have them."""
    rows = "".join(
        f"| `{row.name}` | {row.kind} | {', '.join(f'`{label}`' for label in ('plan', *row.labels))}"
        f" | {_escaped(row.meaning)} |\n"
        for row in METRICS
    )
    calls = ", ".join(f"`{name}`" for name in CALLS)
    return f"""\
# Metrics

`migrator run PLAN --metrics-file FILE` writes what follows for Prometheus, when it begins, every thirty
seconds and at its end, each time all of it or nothing. The textfile collector of node_exporter passes
it on:

```sh
node_exporter --collector.textfile.directory=/var/lib/node_exporter
migrator run plan.toml --metrics-file /var/lib/node_exporter/wave-1.prom
```

One file for each plan that runs. A file that cannot be written is said in the log (`metrics.stale`),
and the run goes on. No label holds the name of an image: how many series there are does not depend on
how many images there are.

| metric | kind | labels | what it is |
|---|---|---|---|
{rows}
`status` is where an image stands (as in reports), `outcome` what became of a submission: `accepted`,
`throttled`, `retryable`, `rejected`, or, after a look-up, `adopted` or `not_found`. `reason` is `held`
(a person has to decide), `halted`, `overdue`, `in_doubt` or `retrying`. `api` is the call
({calls}),
and `status` of a request is the HTTP status, `unreachable` (it never left) or `no-answer` (it may have
arrived). Requests and appends are those of the process that
writes the file: they begin at zero with each run, as counters may. The job of an image that is imported anew
is no longer among the others in `migrator_job_seconds`.

**The lag of the journal** is what `migrator_journal_append_seconds` says of events that are durable, and
`migrator_journal_waiting_seconds` of those that are not yet: it grows while a disk or a database hangs.
`time() - migrator_journal_last_event_timestamp_seconds` is how long nothing was recorded.

`migrator serve` shows the same of every plan that it knows at `/metrics`, made from the journals; so
requests and appends, which only the process of a run knows, are not there:

```yaml
scrape_configs:
  - job_name: migrator
    scrape_interval: 30s
    static_configs: [{{targets: ["127.0.0.1:8641"]}}]
    # with --token-file: authorization: {{credentials_file: /etc/prometheus/migrator.token}}
```

Use one of the two for a plan, or add `job` to `sum by (...)`: both together would count its images twice.

In the repository `docs/metrics/` has a dashboard for Grafana (`grafana-dashboard.json`) and nine alert
rules with their tests (`alerts.yml`, `alerts.test.yml`):

| alert | when |
|---|---|
| `MigratorStalled` | A run is at work, and nothing came further for an hour. |
| `MigratorRunGone` | A run stopped writing its metrics without having ended, such as by `kill -9`. |
| `MigratorTargetStopped` | Nothing more is submitted to a target. |
| `MigratorTooLate` | By the estimate, images are still waiting when the window of their wave closes. |
| `MigratorThrottled` | For half an hour more submissions were throttled than accepted. |
| `MigratorManyFailures` | More than 5 % of the finished images failed. |
| `MigratorHeldForAPerson` | Images wait for somebody to decide. |
| `MigratorJournalSlow` | Events take longer than a second to be durable, or one hangs for a minute. |
| `MigratorJournalUnreadable` | `migrator serve` cannot read the journal of a plan. |

The file of a run that was killed says for ever that it is at work: run the plan again, or delete the file.
"""


PAGES = {
    "metrics.md": metrics,
    "plan-keys.md": plan_keys,
    "plan-tables.md": plan_tables,
    "report-columns.md": column_manual,
    "beliefs.md": beliefs,
    "error-codes.md": error_codes,
    "events.md": events,
    "migrator.1": man_page,
}
"""By file in `docs/`: who writes it."""


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
