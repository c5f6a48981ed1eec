"""The Markdown report, as another program renders it: short, complete, and nothing in it acts."""

import io
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.reports.formats import as_md
from migrator.reports.formats.as_md import code, prose
from migrator.reports.summary import Summary, summary
from migrator.reports.untrusted import one_line
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImagePlanned,
    JobAccepted,
    JobFailed,
    RunBegan,
    RunEnded,
    TargetHalted,
)
from migrator.workflow.ledger import Ledger, fold
from tests.ledgers import NAMES, START, history, image, latest, ledgers, plan_for
from tests.reports.test_reports import small_ledger

EVIL = (
    *NAMES,
    "`code` and ``more``",
    "`",
    "[link](http://evil.example)",
    "![image](http://evil.example/x.png)",
    "<http://evil.example>",
    "http://evil.example and www.evil.example",
    "@everyone fixes #1 and GH-1, a@evil.example",
    "**bold** _em_ ~~gone~~",
    "a|b",
    "a\\|b",
    "a\\\\|b\\",
    "| a | b |",
    "# title",
    "- item",
    "&lt;b&gt; &#64;everyone",
    "$x^2$",
    " ",
)


def report(facts: Summary) -> str:
    stream = io.BytesIO()
    as_md.write(facts, stream)
    return stream.getvalue().decode()


def rendered(text: str) -> list[Token]:
    """What a renderer makes of it, with everything switched on that could make text act."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [token for block in markdown.parse(text) for token in (block, *(block.children or ()))]


def table(text: str) -> list[list[str]]:
    """The cells of the table as shown."""
    rows: list[list[str]] = []
    tokens = rendered(text)
    for position, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append("".join(part.content for part in tokens[position + 1].children or ()))
    return rows


def failing(shown: Image, fault: Fault, *more: Event) -> Summary:
    events: list[Event] = [
        RunBegan(at=START, run="run-0", version="1.0", host="jump", pid=1),
        ImagePlanned(at=START, key=shown.key, image=shown, digest="planned"),
        AttemptBegan(at=START, key=shown.key, attempt=1, digest="planned"),
        JobAccepted(at=START, key=shown.key, job_id="job-1"),
        JobFailed(at=START + 90, key=shown.key, fault=fault),
        *more,
    ]
    return summary(fold(events), plan=plan_for(), now=START + 100)


# --- What it says ---------------------------------------------------------------------------------------


def test_a_small_report_says_where_it_stands_what_failed_and_what_to_do():
    text = report(summary(small_ledger(), plan=plan_for(), now=START + 700))

    assert (
        text
        == """\
# Migration dc-east

**1 of 3 images imported, 1 failed, done today between 20:38 and 21:19 UTC**

As of 2026-05-28 20:38 UTC; about `Rack rows A-F`; ask `infra-team@example.com`.

| | images | done | failed | to go | |
|:--|--:|--:|--:|--:|--:|
| **all** | 3 | 1 | 1 | 1 | 33 % |
| wave `pilot` | 1 | 1 | 0 | 0 | 100 % |
| no wave | 1 | 0 | 0 | 1 | 0 % |
| wave `main` | 1 | 0 | 1 | 0 | 0 % |
| target `north` | 2 | 1 | 0 | 1 | 50 % |
| target `south` | 1 | 0 | 1 | 0 | 0 % |

## Failures

- **1 image**: `IMG.0057` `<b>damaged</b>`
  - Remedy: Upload it again.
  - Owner: `张伟` (1)

## Next

When this run has ended, fix the causes of the failures, then `migrator run PLAN --retry-failed`.
"""
    )


def test_what_keeps_images_back_is_told_with_its_reason():
    halted = TargetHalted(
        at=START, target="north", fault=Fault(code="IMG.0005", message="quota", remedy="Raise the quota.")
    )
    ended = RunEnded(at=START + 95, run="run-0", reason="quota", exit_code=7)
    other = image("web-02")
    waiting = ImagePlanned(at=START, key=other.key, image=other, digest="planned")

    text = report(failing(image(), Fault(message=""), waiting, halted, ended))

    assert "- **1 image**: no reason was given\n" in text
    assert "## Waiting\n\n- target north stopped: IMG.0005: quota: Raise the quota.\n" in text
    assert text.endswith(
        "Target north stopped submitting: Raise the quota. Continue with `migrator run PLAN`. "
        "Fix the causes of the failures, then `migrator run PLAN --retry-failed`.\n"
    )


def test_nothing_to_say_is_said_in_a_few_lines():
    text = report(summary(Ledger(), plan=plan_for(), now=START))

    assert "**no images yet**" in text
    assert "Failures" not in text


def test_a_share_is_rounded_down_so_that_all_means_all():
    ledger = Ledger()
    for event in history(random.Random(1), 300, steps=3150, mishap=0.0):
        ledger.apply(event)
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))
    assert 0.995 < facts.totals.done / facts.totals.wanted < 1

    assert "| **all** | 300 | 299 | 0 | 1 | 99 % |" in report(facts)


# --- Length ---------------------------------------------------------------------------------------------


def test_it_is_a_screenful_however_much_went_wrong_and_tells_what_it_left_out():
    ledger = Ledger()
    for event in history(random.Random(2), 400, steps=4000, mishap=0.5):
        ledger.apply(event)
    for number in range(40):
        one = image(f"extra-{number}", f"target-{number:02d}", wave=f"wave-{number:02d}")
        ledger.apply(ImagePlanned(at=START, key=one.key, image=one, digest="planned"))
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))
    assert len(facts.failures) > 5

    text = report(facts)

    assert len(text.splitlines()) <= 59
    assert "more waves |" in text
    assert "more targets |" in text
    assert f": {len(facts.failures) - 5} more causes\n" in text
    assert max(map(len, text.splitlines())) < 800


def test_a_long_message_is_cut():
    text = report(failing(image(), Fault(message="x" * 500)))

    assert f"`{'x' * 159}…`" in text


@given(ledgers(max_images=12, max_steps=100))
@settings(max_examples=40)
def test_the_rows_of_the_table_add_up_and_so_do_the_failures(ledger: Ledger):
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))
    text = report(facts)

    _, everything, *rows = table(text)
    for what in ("wave", "target"):
        some = [row for row in rows if what in row[0].split(" `")[0].split()[:2] or row[0] == f"no {what}"]
        if facts.totals.images:
            assert [sum(int(row[n]) for row in some) for n in range(1, 5)] == [*map(int, everything[1:5])]
    section = text.partition("## Failures\n")[2].partition("\n## ")[0]
    counts = [int(line.split("**")[1].split()[0]) for line in section.splitlines() if line.startswith("- ")]
    assert sum(counts) == facts.totals.failed


# --- Untrusted text -------------------------------------------------------------------------------------

QUIET = {
    *(
        f"{name}_{end}"
        for name in ("heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td")
        for end in ("open", "close")
    ),
    *(f"{name}_{end}" for name in ("bullet_list", "list_item", "strong") for end in ("open", "close")),
    "inline",
    "text",
    "code_inline",
}
"""What a report is made of; no link, picture, HTML, emphasis or block of code is among it."""


def shape(text: str) -> list[str]:
    return [token.type for token in rendered(text) if token.type not in ("text", "code_inline")]


@pytest.mark.parametrize("evil", EVIL)
def test_whatever_others_wrote_the_report_has_the_same_shape(evil: str):
    def of(words: str) -> str:
        one = image("web", wave=words, labels={"owner": words})
        halt = TargetHalted(at=START, target="north", fault=Fault(message=words, remedy=words))
        return report(failing(one, Fault(code=words, message=words, remedy=words), halt))

    text = of(evil)

    assert set(shape(text)) <= QUIET
    if evil.strip():
        assert shape(text) == shape(of("plain"))
        spans = [token.content for token in rendered(text) if token.type == "code_inline"]
        assert spans.count(one_line(evil)) >= 3  # code, message and owner, to the letter


@pytest.mark.parametrize(
    ("wave", "shown"), [("a|b", "a|b"), ("|", "|"), ("a\\|b", "a\\\\|b"), ("a||b", "a||b"), ("x\\", "x\\")]
)
def test_a_bar_in_a_name_does_not_end_its_cell(wave: str, shown: str):
    text = report(failing(image(wave=wave), Fault(message="")))

    assert table(text)[2] == [f"wave {shown}", "1", "0", "1", "0", "0 %"]


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_code_span_shows_any_text_to_the_letter(text: str):
    tokens = [token for token in rendered(f"- {code(text)}") if token.type in ("text", "code_inline")]

    if one_line(text).strip():
        assert [(token.type, token.content) for token in tokens] == [("code_inline", one_line(text))]
    else:
        assert [token.content for token in tokens] == ["(blank)"]


@pytest.mark.parametrize("evil", EVIL)
def test_prose_shows_its_words_and_makes_nothing_of_them(evil: str):
    tokens = rendered("Remedy: " + prose(evil))

    assert {token.type for token in tokens} <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
    }
    shown = "".join(token.content for token in tokens if token.type != "inline")
    assert shown.replace("\u200b", "") == f"Remedy: {one_line(evil)}".strip()


@pytest.mark.parametrize(
    ("text", "live"),
    [
        pytest.param("ask @everyone", "@everyone", id="a mention"),
        pytest.param("see #12", "#12", id="a reference"),
        pytest.param("at http://evil.example", "://", id="an address"),
        pytest.param("at www.evil.example", "www.", id="an address without scheme"),
        pytest.param("to a@evil.example", "@evil", id="an address of mail"),
    ],
)
def test_prose_breaks_what_sites_make_links_of_after_rendering(text: str, live: str):
    shown: list[Any] = [token.content for token in rendered(prose(text)) if token.type == "text"]

    assert live not in "".join(shown)
    assert "".join(shown).replace("\u200b", "") == text
