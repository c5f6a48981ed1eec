"""What a run records of its plan: all that a report shows of it, and nothing that is nobody's business."""

import pytest

from migrator.cli.reporting import snapshot
from migrator.domain.plan import Plan
from migrator.journal.codec import event_text, read_event
from migrator.plan import parse_plan
from migrator.reports.formats.as_json import head
from migrator.reports.summary import summary
from migrator.workflow.events import ImagePlanned, RunBegan
from migrator.workflow.ledger import fold
from migrator.workflow.plan_facts import facts_of, plan_from

FULL = """
[plan]
name = "east"
description = "the east"
owner = "Ann"
timezone = "Asia/Shanghai"
[targets.north]
region = "cn-north-4"
credentials = "env:NOBODYS_BUSINESS"
project_id = "0123456789abcdef0123456789abcdef"
ims_endpoint = "https://ims.nobodys-business.example"
[targets.north.limits]
max_jobs = 7
[targets.south]
region = "cn-south-1"
credentials = "profile:nobodys-business"
[limits]
submit_rate = "30/m"
[policy]
settle = "5m"
late = "20m"
marker = "none"
max_failures = 12
[[waves]]
name = "pilot"
not_before = 2026-12-01T02:00:00Z
not_after = 2026-12-01T04:00:00Z
proceed = "90%"
[[waves]]
name = "rest"
[[notify]]
name = "us"
on = ["end"]
exec = ["/usr/bin/nobodys-business", "--token", "nobodys-business"]
[[notify]]
name = "them"
on = ["end"]
url_env = "NOBODYS_BUSINESS_URL"
secret_env = "NOBODYS_BUSINESS_SECRET"
[defaults]
bucket = "bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
[[images]]
name = "web"
object = "web.zvhd2"
target = "north"
wave = "pilot"
[[images]]
name = "db"
object = "db.zvhd2"
target = "south"
wave = "rest"
"""
SPARE = """
[plan]
name = "spare"
[targets.north]
region = "cn-north-4"
[defaults]
bucket = "bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
[[images]]
name = "web"
object = "web.zvhd2"
"""


def recorded(plan: Plan) -> RunBegan:
    """The begin of a run, as a journal gives it back."""
    began = RunBegan(at=1.0, run="r", version="1", host="h", pid=1, plan=facts_of(plan))
    kind, text = type(began).__name__, event_text(began)[1]
    again = read_event(kind, text)
    assert isinstance(again, RunBegan)
    return again


@pytest.mark.parametrize("text", [FULL, SPARE], ids=["every key", "defaults"])
def test_a_report_of_what_was_recorded_is_the_report_of_the_plan(text):
    plan, _ = parse_plan(text.encode(), path="east.toml")
    began = recorded(plan)
    planned = [ImagePlanned(at=1.0, key=one.key, image=one, digest="d") for one in plan.images]
    ledger = fold([began, *planned])
    assert began.plan is not None

    again = plan_from(plan.name, began.plan)

    told = head(summary(ledger, plan=again, now=2.0))
    assert told == head(summary(ledger, plan=plan, now=2.0))
    assert facts_of(again) == began.plan


def test_no_address_no_credentials_and_no_command_is_recorded():
    plan, _ = parse_plan(FULL.encode(), path="east.toml")

    text = event_text(recorded(plan))[1]

    assert "nobodys" not in text.lower()
    assert "0123456789abcdef" not in text


def test_the_latest_run_that_recorded_its_plan_tells_and_one_that_did_not_changes_nothing():
    plan, _ = parse_plan(SPARE.encode(), path="spare.toml")
    before = RunBegan(at=0.0, run="q", version="0", host="h", pid=1)

    assert fold([before]).plan is None
    assert fold([recorded(plan), before]).plan == facts_of(plan)


def test_a_ledger_that_is_handed_to_another_thread_knows_all_that_the_first_knows():
    plan, _ = parse_plan(FULL.encode(), path="east.toml")
    ledger = fold([recorded(plan)])

    assert snapshot(ledger) == ledger
