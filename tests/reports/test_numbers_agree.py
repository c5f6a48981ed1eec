"""Whoever opens whichever report reads the same numbers: each format is read back and compared.

A reader says what its format shows; None where it shows nothing of the kind.
"""

import csv
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings

from migrator.reports.formats import FORMATS
from migrator.reports.formats.as_csv import cell
from migrator.reports.glossary import STATUSES
from migrator.reports.headline import headline
from migrator.reports.summary import Summary, summary
from migrator.reports.untrusted import one_line
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase
from tests.ledgers import latest, ledgers, plan_for, random_ledger
from tests.reports.test_as_html import Page
from tests.reports.test_as_md import table as markdown_table

Group = dict[str, tuple[int, int, int]]
"""By name, "" for none: images, done, failed."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What a report shows."""

    totals: tuple[int, int, int] | None = None
    """Images, done, failed."""

    statuses: dict[str, int] | None = None
    """All ten."""

    waves: Group | None = None
    targets: Group | None = None
    owners: Group | None = None
    machines: Group | None = None
    causes: list[int] | None = None
    """How many images failed of each cause."""

    rows: list[tuple[str, str, float | None]] | None = None
    """Of each image, in the plan's order: its name, its status, and the minutes that it took."""

    headline: str | None = None


DONE = {"succeeded", "skipped"}
STATUS_OF = {status.word: phase.value for phase, status in STATUSES.items()}


def counted(rows: list[tuple[str, str]]) -> Group:
    """Groups recounted from (name, status)."""
    found: dict[str, Counter[str]] = {}
    for name, status in rows:
        found.setdefault(name, Counter())[status] += 1
    return {
        name: (sum(some.values()), sum(some[done] for done in DONE), some["failed"])
        for name, some in found.items()
    }


def statuses(some: list[str]) -> dict[str, int]:
    counts = Counter(some)
    return {phase.value: counts[phase.value] for phase in Phase}


def truth(facts: Summary) -> Numbers:
    """Recounted from the ledger's own states, not from what the summary says of them."""
    found = [(row.image, row.state.phase.value) for row in facts.images]

    def by(name: Callable[[Any], str]) -> Group:
        return counted([(one_line(name(image)), status) for image, status in found])

    everything = counted([("", status) for _, status in found])
    return Numbers(
        totals=everything.get("", (0, 0, 0)),
        statuses=statuses([status for _, status in found]),
        waves=by(lambda image: image.wave or ""),
        targets=by(lambda image: image.target),
        owners=by(lambda image: image.labels.get("owner", "")),
        machines={
            name: some for name, some in by(lambda image: image.labels.get("machine", "")).items() if name
        },
        causes=[cause.count for cause in facts.failures],
        rows=[(one_line(row.name), row.state.phase.value, row.minutes) for row in facts.images],
        headline=headline(facts),
    )


# --- One reader for each format -------------------------------------------------------------------------


def from_json(raw: bytes) -> Numbers:
    document = json.loads(raw)
    totals = document["totals"]

    def group(tallies: dict[str, dict[str, int]]) -> Group:
        return {
            one_line(name): (tally["images"], sum(tally[done] for done in DONE), tally["failed"])
            for name, tally in tallies.items()
        }

    owners = totals["by_label"].get("owner")
    return Numbers(
        totals=(
            totals["images"],
            sum(totals["by_status"][done] for done in DONE),
            totals["by_status"]["failed"],
        ),
        statuses=totals["by_status"],
        waves=group(totals["by_wave"]),
        targets=group(totals["by_target"]),
        owners=group(owners) if owners else None,
        machines=group({one["name"]: one["disks"] for one in document["machines"]["all"]}),
        causes=[cause["count"] for cause in document["failures"]],
        rows=[
            (
                one_line(one["name"]),
                one["status"],
                None if one["seconds"] is None else round(one["seconds"] / 60, 2),
            )
            for one in document["images"]
        ],
    )


def from_csv(raw: bytes) -> Numbers:
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))

    def plain(text: str) -> str:
        return text[1:] if text[:1] == "'" and cell(text[1:]) == text else text

    def group(column: str) -> Group:
        return counted([(plain(row[column]), row["status"]) for row in rows])

    return Numbers(
        totals=counted([("", row["status"]) for row in rows]).get("", (0, 0, 0)),
        statuses=statuses([row["status"] for row in rows]),
        waves=group("wave"),
        targets=group("target"),
        owners=group("label.owner") if rows and "label.owner" in rows[0] else None,
        rows=[
            (plain(row["name"]), row["status"], float(row["minutes"]) if row["minutes"] else None)
            for row in rows
        ],
    )


def from_xlsx(raw: bytes) -> Numbers:
    book = openpyxl.load_workbook(io.BytesIO(raw))

    def table(title: str) -> list[dict[str, Any]]:
        header, *rows = book[title].iter_rows(values_only=True)
        return [dict(zip(map(str, header), row, strict=True)) for row in rows]

    def group(title: str, what: str) -> Group:
        return {
            "" if row[what] == "(none)" else row[what]: (row["Images"], row["Done"], row["Failed"])
            for row in table(title)
        }

    lines: Iterable[tuple[Any, ...]] = book["Summary"].iter_rows(values_only=True)
    first = [row for row in lines if row[0] is not None]
    cells = {row[0]: row for row in reversed(first)}  # of statuses: what it waits for comes later
    start = next(index for index, row in enumerate(first) if row[0] == "Target") + 1
    targets: Group = {}
    for row in first[start:]:
        if not isinstance(row[2], int) or not isinstance(row[3], int):
            break
        targets[row[0]] = (row[2], row[3], row[4])
    everything = {phase.value: cells[STATUSES[phase].word][1] for phase in Phase}
    return Numbers(
        totals=(cells["All"][1], sum(everything[done] for done in DONE), everything["failed"]),
        statuses=everything,
        waves=group("By wave", "Wave"),
        targets=targets,
        owners=group("By owner", "Owner"),
        machines=group("By machine", "Machine") if "By machine" in book.sheetnames else {},
        causes=[row["Images"] for row in table("Failures by cause")],
        rows=[(row["Name"], STATUS_OF[row["Status"]], row["Minutes"]) for row in table("Images")],
        headline=str(first[1][0]),
    )


def from_md(raw: bytes) -> Numbers:
    text = raw.decode()
    _, everything, *rows = markdown_table(text)
    groups: dict[str, Group] = {"wave": {}, "target": {}, "machine": {}}
    cut = [name for name, *_ in rows if name.endswith(" more machines")]
    for name, *numbers, _, _ in rows:
        if name in cut:
            continue
        what, _, which = name.partition(" ") if not name.startswith("no ") else (name[3:], "", "")
        images, done, failed = (int(number.replace(",", "")) for number in numbers)
        groups[what][which] = images, done, failed
    section = text.partition("## Failures\n")[2].partition("\n## ")[0]
    counts = [int(number) for number in re.findall(r"^- \*\*(\d+) images?\*\*: ", section, re.MULTILINE)]
    images, done, failed = (int(number.replace(",", "")) for number in everything[1:4])
    return Numbers(
        totals=(images, done, failed),
        waves=groups["wave"],
        targets=groups["target"],
        machines=None if cut else groups["machine"],
        causes=counts if "more cause" not in section else None,
        headline=text.split("**")[1],
    )


def from_html(raw: bytes) -> Numbers:
    text = raw.decode()
    page = Page(text)
    data = page.data

    def group(table: str, unnamed: str) -> Group | None:
        if table not in page.tables:
            return None
        header, *rows = page.tables[table]
        places = [header.index(label) for label in ("All", "Done", "Failed")]
        return {
            "" if row[0] == unnamed else row[0]: tuple(int(row[place].replace(",", "")) for place in places)  # type: ignore[misc]
            for row in rows
        }

    by_status = {
        status: int(count.replace(",", ""))
        for status, count in re.findall(r'data-status="(\w+)">([\d,]+)<', text)
    }
    tiles = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r'data-number="(done|failed)">([\d,]+)<', text)
    }
    words = [status for status, _ in data["statuses"]]
    rows = sorted(page.rows, key=lambda row: row["position"])
    failures = text.partition('id="h-failures"')[2].partition("</section>")[0]
    return Numbers(
        totals=(data["total"], tiles["done"], tiles["failed"]),
        statuses=by_status,
        waves=group("waves", "no wave"),
        targets=group("targets", "no target"),
        owners=group("owners", "no owner"),
        machines=group("by-machine", "") or {},
        causes=[int(number) for number in re.findall(r'class="count"><strong>(\d+)<', failures)],
        rows=[
            (
                row["name"],
                words[row["status"]],
                row["minutes"],
            )
            for row in rows
        ],
        headline=headline_of(re.findall("<h1>(.*?)</h1>", text)[0]),
    )


def headline_of(sentence: str) -> str:
    """The headline in a sentence with a capital letter and a full stop."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


READERS: dict[str, Callable[[bytes], Numbers]] = {
    "json": from_json,
    "csv": from_csv,
    "xlsx": from_xlsx,
    "md": from_md,
    "html": from_html,
}


def disagreements(facts: Summary, form: str) -> list[str]:
    stream = io.BytesIO()
    FORMATS[form](facts, stream)
    shown, real = READERS[form](stream.getvalue()), truth(facts)
    return [
        f"{form}.{one.name}: {getattr(shown, one.name)!r} is not {getattr(real, one.name)!r}"
        for one in fields(Numbers)
        if getattr(shown, one.name) is not None and getattr(shown, one.name) != getattr(real, one.name)
    ]


# --- The law --------------------------------------------------------------------------------------------


def test_every_format_has_a_reader_here():
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@given(ledger=ledgers(max_images=10, max_steps=100))
@settings(max_examples=25)
def test_every_report_shows_the_numbers_of_the_ledger(form: str, ledger: Ledger):
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))

    assert disagreements(facts, form) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_large_report_does_too(form: str):
    ledger = random_ledger(random.Random(9), 1200)
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))
    assert facts.totals.images == 1200

    assert disagreements(facts, form) == []
