"""What every format owes to every reader: the same numbers, valid files, and no text that acts."""

import csv
import io
import json
import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast

import jsonschema
import pytest
from hypothesis import given, settings

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.reports.causes import CauseKind
from migrator.reports.formats import FORMATS
from migrator.reports.formats.as_csv import cell
from migrator.reports.formats.as_json import report_schema
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary, summary
from migrator.reports.times import iso
from migrator.workflow.events import (
    AttemptBegan,
    AttemptThrottled,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    RunBegan,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.states import Outcome, Phase
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays
from tests.ledgers import NAMES, START, history, image, latest, ledgers, plan_for, random_ledger

EXPECTED = Path(__file__).parent / "expected"
SCHEMA = jsonschema.Draft202012Validator(report_schema())


def report(facts: Summary, form: str) -> bytes:
    stream = io.BytesIO()
    FORMATS[form](facts, stream)
    return stream.getvalue()


def as_json(facts: Summary) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(report(facts, "json")))


def as_rows(facts: Summary) -> list[dict[str, str]]:
    """The CSV as a spreadsheet reads it."""
    text = report(facts, "csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def of(ledger: Ledger) -> Summary:
    return summary(ledger, plan=plan_for(), now=latest(ledger))


def one(shown: Image, *events: Event) -> Summary:
    """The summary of a plan of one image, after these further facts."""
    listed = ImagePlanned(at=START, key=shown.key, image=shown, digest="planned")
    return summary(fold([listed, *events]), plan=plan_for(), now=START + 60)


def failing(shown: Image, fault: Fault) -> Summary:
    return one(
        shown,
        AttemptBegan(at=START, key=shown.key, attempt=1, digest="planned"),
        JobAccepted(at=START, key=shown.key, job_id="job-1"),
        JobFailed(at=START + 90, key=shown.key, fault=fault),
    )


def small_ledger() -> Ledger:
    """A little of everything, written out."""
    web = image("web-01", wave="pilot", labels={"owner": "li.wei", "rack": "A12"})
    data = image("网络 01", type=ImageType.DATA, os_version=None, os_type="Linux", min_disk=500)
    evil = image("=cmd|' /C calc'!A0", "south", wave="main", labels={"owner": "张伟"})
    busy = Fault(code="IMG.0060", message="too many\nrequests", remedy="Nothing to do.", request_id="r-1")
    bad = Fault(code="IMG.0057", message="<b>damaged</b>", remedy="Upload it again.", request_id="r-2")

    def began(one: Image, at: float, attempt: int) -> AttemptBegan:
        return AttemptBegan(at=START + at, key=one.key, attempt=attempt, digest="planned")

    return fold(
        [
            RunBegan(at=START, run="20260528T202640-4242", version="1.0", host="jump", pid=4242),
            *(ImagePlanned(at=START, key=one.key, image=one, digest="planned") for one in (web, data, evil)),
            began(web, 1, 1),
            AttemptThrottled(at=START + 1.25, key=web.key, fault=busy),
            began(web, 5, 2),
            JobAccepted(at=START + 5.5, key=web.key, job_id="job-web"),
            began(data, 6, 1),
            JobAccepted(at=START + 6.5, key=data.key, job_id="job-data"),
            JobProgressed(at=START + 200, key=data.key, progress=0.25),
            began(evil, 7, 1),
            JobAccepted(at=START + 7.5, key=evil.key, job_id="job-evil"),
            JobFailed(at=START + 67.5, key=evil.key, fault=bad),
            JobSucceeded(at=START + 605.5, key=web.key, image_id="image-web"),
            ImageVerified(at=START + 606, key=web.key, image_id="image-web"),
        ]
    )


# --- Laws -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_small_report_is_exactly_the_expected_file(form: str):
    facts = summary(small_ledger(), plan=plan_for(), now=START + 700)

    assert report(facts, form) == (EXPECTED / f"report.{form}").read_bytes()


@given(ledgers(max_steps=80))
@settings(max_examples=60)
def test_any_report_is_valid_by_the_published_schema(ledger: Ledger):
    problems = [error.message for error in SCHEMA.iter_errors(as_json(of(ledger)))]

    assert problems == []


@given(ledgers(max_images=10, max_steps=80))
@settings(max_examples=60)
def test_json_and_csv_agree_with_each_other_and_with_a_recount(ledger: Ledger):
    facts = of(ledger)
    document, rows = as_json(facts), as_rows(facts)

    statuses = Counter(row["status"] for row in rows)
    assert document["totals"]["images"] == len(rows) == len(document["images"])
    assert document["totals"]["by_status"] == {phase.value: statuses[phase.value] for phase in Phase}
    assert sum(cause["count"] for cause in document["failures"]) == statuses["failed"]
    for name in ("wave", "target"):
        recount = Counter((one[name], one["status"]) for one in document["images"])
        for value, tally in document["totals"][f"by_{name}"].items():
            assert tally == {"images": sum(recount[value, phase.value] for phase in Phase)} | {
                phase.value: recount[value, phase.value] for phase in Phase
            }
    for label, values in document["totals"]["by_label"].items():
        recount = Counter((one["labels"].get(label, ""), one["status"]) for one in document["images"])
        assert {
            (value, status): count
            for value, tally in values.items()
            for status, count in tally.items()
            if status != "images" and count
        } == recount
    for flag in ("removed", "drifted", "held"):
        assert document["totals"][flag] == sum(row[flag] == "yes" for row in rows)
    for shown, row in zip(document["images"], rows, strict=True):
        assert row["status"] == shown["status"]
        assert row["submitted_at"] == (shown["submitted_at"] or "")
        assert row["finished_at"] == (shown["finished_at"] or "")
        assert row["attempts"] == str(len(shown["attempts"]))
        assert (float(row["seconds"]) if row["seconds"] else None) == shown["seconds"]
        assert row["minutes"] == ("" if shown["seconds"] is None else str(round(shown["seconds"] / 60, 2)))
        assert row["error_code"] == (shown["error"] or {"code": ""})["code"]


@pytest.mark.parametrize("form", ["json", "csv", "xlsx", "md"])
def test_the_same_ledger_at_the_same_moment_gives_the_same_bytes(form: str):
    first, second = (of(random_ledger(random.Random(7), 50)) for _ in range(2))

    assert report(first, form) == report(second, form)


@pytest.mark.parametrize("form", ["json", "csv", "xlsx", "md"])
def test_a_report_of_nothing_is_a_report(form: str):
    facts = summary(Ledger(), plan=plan_for(), now=START)

    assert report(facts, form)
    assert (as_json(facts)["images"], as_rows(facts)) == ([], [])


@pytest.mark.parametrize("form", ["json", "csv", "xlsx", "md"])
def test_a_report_is_written_row_by_row_and_leaves_the_stream_open(form: str):
    class Counted(io.RawIOBase):
        """Forgets what is written, like a file does."""

        largest = 0

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.largest = max(self.largest, len(data))
            return len(data)

    ledger = Ledger()
    for event in history(random.Random(3), 4000, steps=0):
        ledger.apply(event)
    facts = of(ledger)
    stream = Counted()
    report(facts, form)  # what is loaded or looked up once does not count

    tracemalloc.start()
    FORMATS[form](facts, cast("BinaryIO", stream))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert not stream.closed
    assert stream.largest < 600_000
    assert peak < 4_000_000


def test_every_format_is_listed_by_the_suffix_of_its_file():
    assert set(FORMATS) >= {"json", "csv", "xlsx", "md"}


# --- JSON -----------------------------------------------------------------------------------------------


def test_the_schema_is_itself_valid_and_knows_every_word_that_a_report_may_use():
    schema = report_schema()
    defs = schema["$defs"]

    jsonschema.Draft202012Validator.check_schema(schema)
    assert defs["status"]["enum"] == [phase.value for phase in Phase]
    assert list(defs["tally"]["properties"]) == ["images", *(phase.value for phase in Phase)]
    assert defs["attempt"]["properties"]["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert defs["cause"]["properties"]["why"]["enum"] == [why.value for why in CauseKind]
    assert defs["run"]["properties"]["state"]["enum"] == [state.value for state in RunState]
    assert defs["image"]["properties"]["type"]["enum"] == [kind.value for kind in ImageType]


def test_the_schema_describes_every_member_and_allows_no_others():
    def check(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                assert node["additionalProperties"] is False
                assert list(node["required"]) == list(node["properties"])
            for child in node.values():
                check(child)

    schema = report_schema()
    check(schema)
    described = {**schema["properties"], **schema["$defs"]["image"]["properties"]}
    assert [name for name, node in described.items() if len(node) < 2 and "$ref" not in node] == []


def test_the_schema_notices_a_report_that_is_not_one():
    document = as_json(summary(small_ledger(), plan=plan_for(), now=START + 700))
    document["images"][0]["status"] = "done"
    document["images"][1]["surprise"] = 1
    document["generated_at"] = "yesterday"

    assert len(list(SCHEMA.iter_errors(document))) == 3


def test_each_image_has_a_line_of_its_own_with_all_its_attempts():
    text = report(summary(small_ledger(), plan=plan_for(), now=START + 700), "json").decode()

    (line,) = [line for line in text.splitlines() if line.startswith('{"key":"north/web-01"')]
    shown = json.loads(line.rstrip(","))
    assert [(attempt["number"], attempt["outcome"]) for attempt in shown["attempts"]] == [
        (1, "throttled"),
        (2, "accepted"),
    ]
    assert shown["attempts"][0]["error"]["message"] == "too many requests"
    assert shown["attempts"][1]["job_id"] == "job-web"


def test_what_was_learned_about_lists_is_shown_by_target_and_way():
    ledger = small_ledger()
    ledger.learned["north", ListedBy.TAG] = VisibilityDelays(
        seen=40, unseen=1, longest_delay=50.00049, ended=7
    )

    document = as_json(summary(ledger, plan=plan_for(), now=START + 700))

    north = document["listings"]["north"]
    assert north["settle_seconds"] == 150.001
    assert north["by"]["tag"] == {
        "listed": True,
        "seen": 40,
        "unseen": 1,
        "longest_delay": 50.0,
        "ended": 7,
        "longest_job": 0.0,
    }
    assert north["by"]["name"]["listed"] is None
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


# --- CSV ------------------------------------------------------------------------------------------------

DOCUMENTED = (
    "key",
    "name",
    "target",
    "wave",
    "status",
    "type",
    "os",
    "method",
    "method_reason",
    "min_disk_gb",
    "image_url",
    "image_id",
    "other_images",
    "not_compared",
    "job_id",
    "progress_percent",
    "submitted_at",
    "finished_at",
    "minutes",
    "seconds",
    "attempts",
    "error_code",
    "error_message",
    "remedy",
    "request_id",
    "after_import",
    "removed",
    "drifted",
    "held",
)
"""Scripts read them by position: a new one comes behind these, and none is ever moved."""


def test_a_csv_begins_with_a_byte_order_mark_and_ends_its_lines_as_excel_does():
    raw = report(one(image("网络-01", labels={"owner": "张伟"})), "csv")

    assert raw.startswith(b"\xef\xbb\xbfkey,name,target,wave,status,")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 2
    assert "网络-01" in raw.decode("utf-8-sig")


def test_the_columns_are_the_documented_ones_and_then_the_labels_sorted():
    first = image("a", labels={"rack": "A12", "owner": "li.wei"})

    (row,) = as_rows(one(first))

    assert tuple(row)[: len(DOCUMENTED)] == DOCUMENTED
    assert list(row)[-2:] == ["label.owner", "label.rack"]
    assert (row["label.owner"], row["label.rack"]) == ("li.wei", "A12")


def test_times_carry_a_zone_and_minutes_are_numbers():
    (row,) = as_rows(failing(image(), Fault(code="IMG.0057", message="bad")))

    assert (row["submitted_at"], row["finished_at"]) == (
        "2026-05-28T20:26:40.000Z",
        "2026-05-28T20:28:10.000Z",
    )
    assert (row["minutes"], row["seconds"], row["min_disk_gb"]) == ("1.5", "90.0", "40")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+49 30", "'+49 30", id="plus"),
        pytest.param("-5", "'-5", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("  =1+1", "'  =1+1", id="after blanks"),
        pytest.param("\u00a0=1+1", "'=1+1", id="after a hard blank"),
        pytest.param("\t=1+1", "'=1+1", id="after a tab"),
        pytest.param("\r\n=1+1", "'=1+1", id="after a line break"),
        pytest.param("\x00=1+1", "'=1+1", id="after a control character"),
        pytest.param("＝1+1", "'＝1+1", id="full width"),
        pytest.param("\u202e=1+1", "'=1+1", id="after a turn of direction"),
        pytest.param("a=b", "a=b", id="equals inside"),
        pytest.param("web-01", "web-01", id="minus inside"),
        pytest.param("two\nlines", "two lines", id="line break inside"),
        pytest.param("\tindented\r", "indented", id="tabs around"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="unknown"),
        pytest.param("'quoted'", "'quoted'", id="an apostrophe of its own"),
        pytest.param("🚀 名字", "🚀 名字", id="emoji and Chinese"),
    ],
)
def test_a_cell_shows_its_text_and_never_calculates_it(text: str | None, shown: str):
    assert cell(text) == shown


@pytest.mark.parametrize("name", ["a,b", 'say "hi"', '"', ",", ",,,,,", '"a","b"'])
def test_commas_and_quotes_stay_inside_their_cell(name: str):
    (row,) = as_rows(one(image(name, labels={name: name})))

    assert (row["name"], row[f"label.{name}"], row["status"]) == (name, name, "pending")


def test_numbers_are_not_defused():
    (row,) = as_rows(one(image(min_disk=-40)))

    assert row["min_disk_gb"] == "-40"


# --- Untrusted text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "half\ud800pair"])
def test_whatever_an_image_is_called_both_formats_can_be_read_back(name: str):
    facts = failing(
        image(name, labels={name: name}), Fault(code=name, message=name, remedy=name, request_id=name)
    )

    (shown,) = as_json(facts)["images"]
    (row,) = as_rows(facts)

    assert shown["name"] == name.replace("\ud800", "?")
    assert row["name"] == cell(name)
    for text in row.values():
        assert text.isprintable()
        assert text.strip()[:1] not in {"=", "+", "@", "＝"}
    assert all(text.isprintable() for text in shown["error"].values())


def test_a_vendor_message_stays_text_on_one_line():
    message = 'line one\r\nline two\x00\x1b[31m <script>alert("1")</script>'
    facts = failing(image(), Fault(code="IMG.0057", message=message))

    plain = 'line one line two[31m <script>alert("1")</script>'
    assert as_json(facts)["images"][0]["error"]["message"] == plain
    assert as_json(facts)["failures"][0]["message"] == plain
    assert as_rows(facts)[0]["error_message"] == plain


# --- Words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (START, "2026-05-28T20:26:40.000Z"),
        (START + 0.0004, "2026-05-28T20:26:40.000Z"),
        (START + 19.9996, "2026-05-28T20:27:00.000Z"),
        (START - 0.001, "2026-05-28T20:26:39.999Z"),
        (1_798_761_599.9999, "2027-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_is_spelled_in_utc_with_milliseconds(moment: float, text: str):
    assert iso(moment) == text
