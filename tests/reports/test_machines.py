"""Machines: done when all their disks are, the same in every report."""

import io
from zipfile import ZipFile

import pytest
from hypothesis import given

from migrator.domain.cloud import Fault
from migrator.reports.formats import FORMATS
from migrator.reports.headline import headline
from migrator.reports.machines import MachineState
from migrator.reports.summary import Summary
from migrator.reports.terminal import live_status, view
from migrator.workflow.events import Event, ImagePlanned, ImageRemoved, JobFailed
from migrator.workflow.ledger import Ledger
from tests.ledgers import START, image, ledgers
from tests.reports.test_as_html import Page
from tests.reports.test_ids import imported, showing
from tests.reports.test_reports import SCHEMA, as_json, of, report


def disk(name: str, machine: str, how: str, wave: str | None = None) -> list[Event]:
    """The life of one disk: "done", "running", "failed", "new" or "gone"."""
    one = image(name, labels={"machine": machine} if machine else {}, wave=wave)
    events = imported(one, f"id-{name}")
    match how:
        case "done":
            return events
        case "running":
            return events[:3]
        case "failed":
            return [*events[:3], JobFailed(at=START + 60, key=one.key, fault=Fault(message="damaged"))]
        case "gone":
            return [events[0], ImageRemoved(at=START + 1, key=one.key)]
    return [e for e in events if isinstance(e, ImagePlanned)]


def some() -> Summary:
    return showing(
        *disk("db01", "db01", "done"),
        *disk("db01-data", "db01", "done"),
        *disk("web", "web", "done", "pilot"),
        *disk("web-data", "web", "running", "rest"),
        *disk("old", "old", "gone"),
        *disk("mail", "mail", "failed"),
        *disk("mail-data", "mail", "running"),
        *disk("next", "next", "new"),
        *disk("lonely", "", "done"),
        *disk("half", "half", "done"),
        *disk("half-data", "half", "gone"),
    )


def test_a_machine_is_done_when_all_its_disks_are_and_what_needs_attention_is_first():
    stand = [(machine.name, machine.state.value) for machine in some().machines.all]

    assert stand == [
        ("mail", "failed"),
        ("web", "under_way"),
        ("next", "to_do"),
        ("db01", "done"),
        ("half", "done"),
        ("old", "cancelled"),
    ]


def test_a_machine_is_done_when_the_last_of_its_disks_was_and_tells_its_waves():
    by_name = {machine.name: machine for machine in some().machines.all}

    assert by_name["db01"].done_at == START + 61
    assert by_name["web"].done_at is None
    assert by_name["web"].waves == ("pilot", "rest")


def test_the_headline_and_a_terminal_count_machines_without_the_cancelled_ones():
    sentence = "2 of 5 machines done, 1 with failed disks"

    assert sentence in headline(some())
    assert f"  {sentence}" in [line.plain for line in view(live_status(some(), run=""))]


def test_a_plan_without_machines_does_not_speak_of_them():
    facts = showing(*disk("lonely", "", "done"))

    assert facts.machines.all == ()
    assert "machine" not in headline(facts)
    assert "machine" not in report(facts, "md").decode()


def test_json_has_each_machine_with_its_disks_by_status():
    document = as_json(some())

    assert list(SCHEMA.iter_errors(document)) == []
    found = document["machines"]
    assert (found["total"], found["by_state"]) == (
        6,
        {"failed": 1, "under_way": 1, "to_do": 1, "done": 2, "cancelled": 1},
    )
    mail = found["all"][0]
    assert (mail["name"], mail["state"], mail["waves"], mail["done_at"]) == ("mail", "failed", [], None)
    assert {status: n for status, n in mail["disks"].items() if n} == {"images": 2, "failed": 1, "running": 1}


def test_page_workbook_and_markdown_have_a_table_of_machines():
    facts = some()

    page = Page(report(facts, "html").decode())
    rows = [row[0] for row in page.tables["by-machine"][1:]]
    assert rows == ["mail", "web", "next", "db01", "half", "old"]
    with ZipFile(io.BytesIO(report(facts, "xlsx"))) as book:
        assert 'name="By machine"' in book.read("xl/workbook.xml").decode()
    assert "| machine `mail` | 2 | 0 | 1 | 1 | 0 % |" in report(facts, "md").decode()


@given(ledgers(max_images=10, max_steps=60))
def test_machines_and_a_recount_agree(ledger: Ledger):
    facts = of(ledger)

    assert sum(map(facts.machines.count, MachineState)) == len(facts.machines.all)
    for machine in facts.machines.all:
        rows = [row for row in facts.images if row.labels.get("machine") == machine.name]
        wanted = [row for row in rows if row.status != "cancelled"]
        assert machine.disks.images == len(rows)
        assert (machine.state is MachineState.DONE) == (
            bool(wanted) and all(row.status in ("succeeded", "skipped") for row in wanted)
        )
        assert (machine.state is MachineState.FAILED) == any(row.status == "failed" for row in wanted)


@pytest.mark.parametrize("form", FORMATS)
def test_a_name_of_a_machine_is_only_ever_a_name(form: str):
    facts = showing(*disk("a", '<script>alert("1")</script>|=1+1\n', "done"))

    assert report(facts, form)
