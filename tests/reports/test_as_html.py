"""The HTML report: the same numbers as the JSON one, one file, and text that stays text.

What only a browser can tell is in tests/browser.
"""

import base64
import hashlib
import io
import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.reports.formats import as_html, as_json
from migrator.reports.formats.as_html import FIRST
from migrator.reports.glossary import GROUPS, STATUSES, label, statuses_of
from migrator.reports.headline import headline
from migrator.reports.summary import Summary, summary
from migrator.reports.tally import Tally
from migrator.reports.times import iso
from migrator.reports.untrusted import one_line
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptUnknown,
    Event,
    ImagePlanned,
    JobAccepted,
    JobFailed,
    RunBegan,
    TargetHalted,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.states import Phase
from tests.browser.realistic import migration
from tests.ledgers import NAMES, START, image, latest, ledgers, plan_for, random_ledger

HOSTILE = (
    *NAMES,
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</title></style></textarea><img src=x onerror=alert(3)>",
    "<!-- <script>",
    "' onmouseover='alert(4)' x='",
    '" onfocus="alert(5)" autofocus="',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "javascript:alert(6)",
    "line\u2028separator\u2029here",
    "قاعدة البيانات",
    "\u202efdp.exe",
    "half\ud800pair",
    "<b>bold</b>",
    "&lt;i>",
)
"""Names that would like to be more than a name."""

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """A page as a browser takes it apart: elements, tables by id, and what each script says."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._table: list[list[str]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag in {"script", "style"}:
            self.raw.append((tag, found, ""))
        elif tag == "table":
            self._table = self.tables.setdefault(found.get("id") or "", [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in {"td", "th"} and self._table:
            self._table[-1].append("")
        if tag not in VOID:
            self._open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = None
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] in {"script", "style"}:
            tag, attributes, before = self.raw[-1]
            self.raw[-1] = (tag, attributes, before + data)
            return
        self.text += data
        if self._table and self._table[-1] and any(tag in {"td", "th"} for tag, _ in self._open):
            self._table[-1][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        """What the scripts are given."""
        (text,) = [text for _, attributes, text in self.raw if attributes.get("id") == "data"]
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.data["columns"], row, strict=True)) for row in self.data["rows"]]


def html(facts: Summary) -> bytes:
    stream = io.BytesIO()
    as_html.write(facts, stream)
    return stream.getvalue()


def page(facts: Summary) -> Page:
    return Page(html(facts).decode())


def of(ledger: Ledger) -> Summary:
    return summary(ledger, plan=plan_for(), now=latest(ledger))


def report(facts: Summary) -> dict[str, Any]:
    stream = io.BytesIO()
    as_json.write(facts, stream)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def failing(shown: Image, fault: Fault) -> list[Event]:
    return [
        ImagePlanned(at=START, key=shown.key, image=shown, digest="planned"),
        AttemptBegan(at=START, key=shown.key, attempt=1, digest="planned"),
        JobAccepted(at=START, key=shown.key, job_id="job-1"),
        JobFailed(at=START + 90, key=shown.key, fault=fault),
    ]


def hostile() -> Summary:
    """Every text that somebody else may choose, chosen badly."""
    began = RunBegan(at=START, run="run", version=HOSTILE[14], host=HOSTILE[13], pid=1)
    halted = TargetHalted(at=START, target=HOSTILE[15], fault=Fault(message=HOSTILE[16], remedy=HOSTILE[13]))
    events: list[Event] = [began, halted]
    for text in HOSTILE:
        shown = image(text, text, wave=text, os_version=text, labels={"owner": text, text: text})
        events += failing(shown, Fault(code=text, message=text, remedy=text, request_id=text))
    return summary(fold(events), plan=plan_for(HOSTILE[13], HOSTILE[15]), now=START + 99)


# --- The same numbers -----------------------------------------------------------------------------------


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@given(ledgers(max_images=10, max_steps=80))
@settings(max_examples=40)
def test_every_number_in_the_page_is_the_one_in_the_json(ledger: Ledger):
    facts = of(ledger)
    shown, expected = page(facts), report(facts)

    labels = {word.label: phase for phase, word in STATUSES.items()}
    assert {
        labels[name.strip()].value: number(count) for name, count in shown.tables["totals"][1:]
    } == expected["totals"]["by_status"]
    for table, name in (("waves", "by_wave"), ("targets", "by_target")):
        if table not in shown.tables:
            assert set(expected["totals"][name]) <= {""}
            continue
        head, *lines = shown.tables[table]
        for line, tally in zip(lines, expected["totals"][name].values(), strict=True):
            counts = dict(zip(head[2:], map(number, line[2:]), strict=True))
            assert counts.pop("All") == tally["images"]
            for group in GROUPS:
                assert counts.get(label(group.word), 0) == sum(
                    tally[status.value] for status in statuses_of(group)
                )
    assert shown.data["throughput"]["per_hour"] == expected["throughput"]["per_hour"]
    assert [each[1:] for each in shown.data["throughput"]["slices"]] == [
        [each["succeeded"], each["failed"]] for each in expected["throughput"]["buckets"]
    ]


@given(ledgers(max_images=10, max_steps=80))
@settings(max_examples=40)
def test_every_image_in_the_page_is_the_one_in_the_json(ledger: Ledger):
    facts = of(ledger)
    shown, expected = page(facts), report(facts)["images"]
    data = shown.data

    assert sorted(row["position"] for row in shown.rows) == list(range(1, len(expected) + 1))
    for row in shown.rows:
        same = expected[row["position"] - 1]
        assert row["name"] == one_line(same["name"])
        assert data["texts"]["target"][row["target"]] == one_line(same["target"])
        assert data["statuses"][row["status"]][0] == same["status"]
        assert row["minutes"] == (same["seconds"] and round(same["seconds"] / 60, 2))
        assert row["attempts"][0] == len(same["attempts"])
        for flag in ("removed", "drifted", "held"):
            assert row[flag] == same[flag]
        assert (row["image_id"], row["job_id"]) == (same["image_id"], same["job_id"])
        error = None if row["error"] is None else data["errors"][row["error"]]
        assert error == (same["error"] and [same["error"][name] for name in ("code", "message", "remedy")])
        for name in ("submitted_at", "finished_at"):
            moment = None if row[name] is None else iso((data["base"] + row[name]) / 1000)
            assert moment == same[name]


def test_each_image_that_stands_still_points_to_its_cause():
    facts = of(random_ledger(random.Random(5), 120))
    shown = page(facts)
    causes = [*facts.failures, *facts.waiting]

    found = {
        (row["cause"], facts.images[row["position"] - 1].key)
        for row in shown.rows
        if row["cause"] is not None
    }

    assert found == {(index, key) for index, cause in enumerate(causes) for key in cause.keys}
    assert len(shown.data["causes"]) == len(causes)


def test_the_headline_is_the_heading_and_says_what_every_other_report_says():
    facts = of(random_ledger(random.Random(5), 60))

    words = headline(facts)

    assert f"<h1>{words[:1].upper()}{words[1:]}.</h1>" in html(facts).decode()


def test_causes_are_told_with_remedy_owners_and_the_images_they_hit():
    damaged = Fault(code="IMG.0057", message="damaged", remedy="Upload it again.", request_id="r-1")
    events = [
        event
        for number in range(12)
        for event in failing(image(f"web-{number:02}", labels={"owner": "li.wei"}), damaged)
    ]

    text = re.sub(r"\s+", " ", page(summary(fold(events), plan=plan_for(), now=START + 99)).text)

    assert "12 images IMG.0057 damaged What to do Upload it again." in text
    assert "Owners li.wei" in text
    assert "north/web-00, north/web-01" in text
    assert "and 4 more" in text


def test_who_is_waited_for_stands_first_with_what_failed_and_what_is_held_for_them():
    damaged = Fault(code="IMG.0057", message="damaged")
    mine = [failing(image(f"web-{number}", labels={"owner": "li.wei"}), damaged) for number in range(2)]
    held = image("db-1", labels={"owner": "chen"})
    doubt = [
        ImagePlanned(at=START, key=held.key, image=held, digest="d"),
        AttemptBegan(at=START, key=held.key, attempt=1, digest="d"),
        AttemptUnknown(at=START, key=held.key, fault=damaged),
        AttemptHeld(at=START, key=held.key, fault=damaged),
    ]
    events = [*(event for each in mine for event in each), *doubt]

    text = re.sub(r"\s+", " ", page(summary(fold(events), plan=plan_for(), now=START + 99)).text)

    assert "Waits for: li.wei 2 failed, chen 1 held for a person" in text


# --- One file, that asks nobody -------------------------------------------------------------------------


def test_the_same_summary_gives_the_same_bytes():
    first, second = (of(random_ledger(random.Random(7), 80)) for _ in range(2))

    assert html(first) == html(second)


def test_nothing_in_the_page_points_outside_it():
    shown = page(of(random_ledger(random.Random(7), 80)))

    for tag, attributes in shown.elements:
        assert tag not in {"iframe", "object", "embed", "base", "img", "audio", "video", "form[action]"}
        assert "src" not in attributes
        assert "action" not in attributes
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith(("#", "data:image/svg+xml,"))


def test_the_policy_names_each_script_and_style_by_its_hash_and_allows_nothing_else():
    shown = page(of(random_ledger(random.Random(7), 20)))
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in shown.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def listed(text: str | bytes, rule: str) -> bool:
        content = text.encode() if isinstance(text, str) else text
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        return f"'sha256-{digest}'" in rules[rule].split()

    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy
    kinds = [(tag, attributes.get("type")) for tag, attributes, _ in shown.raw]
    assert kinds.count(("script", None)) == 3
    for tag, attributes, text in shown.raw:
        if tag == "style" or attributes.get("type") is None:
            assert listed(text, f"{tag}-src")
    # The fourth script is the packed one, which the third unpacks.
    assert len(rules["script-src"].split()) == 4


def test_a_page_of_ten_thousand_images_is_small():
    ledger, plan, now = migration(10_000)
    facts = summary(ledger, plan=plan, now=now)

    assert len(html(facts)) < 8_000_000


def test_a_page_of_more_images_than_a_browser_bears_keeps_those_that_need_attention(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(as_html, "ROWS", 10)
    ledger, plan, now = migration(200)
    facts = summary(ledger, plan=plan, now=now)

    shown = page(facts)

    assert len(shown.rows) == 10
    assert shown.data["total"] == 200
    assert {shown.data["statuses"][row["status"]][0] for row in shown.rows[: facts.totals.failed]} == {
        "failed"
    }
    assert "This page holds the 10 images that need attention first, of 200 in all" in shown.text


def test_nothing_heavy_is_loaded_until_a_page_is_made():
    check = (
        "import sys, migrator.cli.app, migrator.reports.formats\n"
        "assert not {'jinja2', 'plotly'} & set(sys.modules)\n"
        "from tests.reports.test_as_html import html, of, Ledger\n"
        "html(of(Ledger()))\n"
        "assert 'plotly.graph_objects' not in sys.modules and 'jinja2' in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_page_about_nothing_is_a_page():
    shown = page(of(Ledger()))

    assert shown.rows == []
    assert "No images yet." in shown.text
    assert "No run has begun yet." in shown.text


# --- Without scripts ------------------------------------------------------------------------------------


def test_without_scripts_the_first_images_show_and_where_the_others_are():
    ledger, plan, now = migration(200)
    facts = summary(ledger, plan=plan, now=now)
    shown = page(facts)

    head, *lines = shown.tables["rows"]
    assert len(head) == 8
    assert len(lines) == FIRST
    assert all(line[0].strip() == "Failed" for line in lines[: facts.totals.failed])
    assert "The first 50 of 200 images" in shown.text
    assert "report.csv" in shown.text


def test_what_the_charts_show_stands_in_tables_too():
    ledger, plan, now = migration(200)
    facts = summary(ledger, plan=plan, now=now)
    shown = page(facts)

    assert sum(number(line[1]) for line in shown.tables["slices"][1:]) == facts.totals.done
    assert sum(number(line[2]) for line in shown.tables["slices"][1:]) == facts.totals.failed
    assert [line[0] for line in shown.tables["durations"][1:]] == [
        "First request until accepted",
        "Accepted until verified",
    ]


# --- Untrusted text -------------------------------------------------------------------------------------


def test_text_that_would_like_to_act_stays_text():
    plain, evil = page(of(random_ledger(random.Random(7), 20))), page(hostile())

    assert len(evil.raw) == len(plain.raw)
    assert {tag for tag, _ in evil.elements} <= {tag for tag, _ in plain.elements} | {"div"}
    for _, attributes in evil.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith(("#", "data:image/svg+xml,"))
    assert {row["name"] for row in evil.rows} == {
        one_line(name).encode("utf-8", "replace").decode() for name in HOSTILE
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_read_as_it_is_written(name: str):
    facts = summary(fold(failing(image(name), Fault(message="x"))), plan=plan_for(), now=START + 99)

    shown = page(facts)

    assert one_line(name).encode("utf-8", "replace").decode() in shown.tables["rows"][1][1]


def test_data_in_the_page_cannot_end_the_script_that_holds_it():
    text = html(hostile()).decode()
    start = text.index('<script type="application/json" id="data">') + len(
        '<script type="application/json" id="data">'
    )

    data = text[start : text.index("</script>", start)]

    assert not set("<>&\u2028\u2029") & set(data)
    assert len(json.loads(data)["rows"]) == len(HOSTILE)


# --- Bars -----------------------------------------------------------------------------------------------


def tally(**counts: int) -> Tally:
    return Tally(counts=tuple(counts.get(phase.value, 0) for phase in Phase))


def test_a_bar_fills_its_width_and_shows_even_one_failure_among_thousands():
    segments = as_html._segments(tally(succeeded=9999, failed=1), 2)

    assert [name for name, _, _ in segments] == ["done", "failed"]
    assert segments[-1][2] >= 3
    assert sum(width + 2 for _, _, width in segments) == pytest.approx(1000, abs=1)


def test_a_bar_is_told_in_words_too():
    assert as_html._counted(tally(succeeded=4120, skipped=1, failed=3)) == "4,121 done, 3 failed"
    assert as_html._counted(tally()) == "no images"


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        pytest.param({"succeeded": 999, "failed": 1}, "99", id="nearly all is not all"),
        pytest.param({"succeeded": 2}, "100", id="all"),
        pytest.param({}, "0", id="nothing to do"),
    ],
)
def test_a_hundred_percent_means_all_of_them(counts: dict[str, int], share: str):
    assert as_html._share(tally(**counts)) == share
