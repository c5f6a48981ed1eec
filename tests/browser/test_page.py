"""The HTML report as a reader meets it, in Chromium."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from migrator.reports.formats import as_html
from migrator.reports.glossary import STATUSES
from migrator.reports.summary import Summary, summary
from migrator.reports.untrusted import one_line
from migrator.workflow.ledger import Ledger
from tests.browser.conftest import AXE, IN_CI, Visit
from tests.browser.realistic import migration
from tests.ledgers import START, plan_for
from tests.reports.test_as_html import HOSTILE, hostile

Visiting = Callable[..., Visit]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def written(facts: Summary, folder: Path) -> Path:
    path = folder / "report.html"
    with path.open("wb") as stream:
        as_html.write(facts, stream)
    return path


@pytest.fixture(scope="module")
def facts() -> Summary:
    ledger, plan, now = migration(500)
    return summary(ledger, plan=plan, now=now)


@pytest.fixture(scope="module")
def path(facts: Summary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(facts, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(hostile(), tmp_path_factory.mktemp("evil"))


def names(page: Page) -> list[str]:
    return page.locator("#rows tbody .open").all_inner_texts()


def painted(page: Page) -> int:
    """How many pixels of the timeline are not empty."""
    count = page.evaluate(
        """() => { const canvas = document.getElementById("bars");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0; for (let i = 3; i < pixels.length; i += 4) count += pixels[i] > 0; return count; }"""
    )
    return int(count)


# --- Nothing leaves, nothing breaks ---------------------------------------------------------------------


@pytest.fixture(scope="module", params=[{}, {"color_scheme": "dark"}, PHONE], ids=["desk", "dark", "phone"])
def opened(browser: Browser, path: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """The page in each of three lights, opened once for all who only look."""
    here = Visit(browser, path, **request.param)
    here.open()
    yield here
    here.context.close()


def test_it_opens_without_a_complaint_and_asks_for_nothing_but_itself(opened: Visit):
    opened.page.mouse.wheel(0, 20_000)
    opened.page.wait_for_timeout(100)

    assert opened.requests == [opened.url]
    assert opened.complaints == []
    expect(opened.page.locator("h1")).to_contain_text(" of 500 images imported, ")


def test_it_scrolls_in_one_direction_only(opened: Visit):
    size = opened.page.viewport_size

    assert size is not None
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_axe_finds_nothing_serious(opened: Visit):
    if not AXE.exists() and not IN_CI:
        pytest.skip("axe-core is not there; `make browser` fetches it")
    opened.page.locator("#rows .open").first.click()

    opened.page.evaluate(AXE.read_text(encoding="utf-8"))
    result = opened.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")

    worst = [
        (found["id"], found["impact"], [node["html"][:120] for node in found["nodes"][:5]])
        for found in result["violations"]
        if found["impact"] in {"serious", "critical"}
    ]
    assert worst == []
    assert len(result["passes"]) > 20


def test_a_page_about_nothing_opens_too(visit: Visiting, tmp_path: Path):
    here = visit(written(summary(Ledger(), plan=plan_for(), now=START), tmp_path))

    page = here.open()

    expect(page.locator("#found")).to_have_text("The plan has no images yet.")
    assert here.complaints == []


def test_ten_thousand_images_can_be_searched_and_sorted(visit: Visiting, tmp_path: Path):
    ledger, plan, now = migration(10_000)
    here = visit(written(summary(ledger, plan=plan, now=now), tmp_path))

    page = here.open(charts=False)
    expect(page.locator("#found")).to_contain_text("Rows 1 to 50 of 10,000")
    page.wait_for_selector("html[data-charts=ready]", state="attached")

    page.fill("#query", "web li.wei")
    page.click("#rows thead button >> nth=1")

    expect(page.locator("#found")).to_contain_text("that match, of 10,000 in all")
    assert painted(page) > 10_000


# --- The table ------------------------------------------------------------------------------------------


def test_what_needs_attention_comes_first(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)

    first = page.locator("#rows tbody tr td:first-child").all_inner_texts()

    assert len(first) == 50
    assert [text.strip() for text in first[: facts.totals.failed]] == ["Failed"] * facts.totals.failed
    assert "Failed" not in "".join(first[facts.totals.failed :])


def test_search_looks_into_names_owners_ids_and_messages(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)
    rank = list(STATUSES)
    rows = sorted(facts.images, key=lambda row: rank.index(row.status))
    job = next(row for row in rows if row.job_id)

    for query, wanted in (
        (job.job_id or "", [job]),
        (job.name.upper(), [job]),
        ("MIG.verify", [row for row in rows if row.error and row.error.code == "MIG.verify"]),
        ("财务 张伟", [row for row in rows if "财务" in row.name and row.labels["owner"] == "张伟"]),
        ("no such image", []),
    ):
        page.fill("#query", query)
        expect(page.locator("#rows tbody .open")).to_have_text([row.name for row in wanted])


def test_a_filter_keeps_the_images_of_one_status_target_or_wave(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)

    page.select_option("#by-status", "running")
    page.select_option("#by-target", "=south")

    running = [row.name for row in facts.images if row.status == "running" and row.target == "south"]
    assert names(page) == running
    expect(page.locator("#found")).to_contain_text(f"of {len(running)} that match, of 500 in all.")
    page.click("button[type=reset]")
    expect(page.locator("#found")).to_contain_text("of 500.")


def test_sorting_goes_up_then_down_then_back(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)
    head = page.locator("#rows th[data-sort=minutes]")
    before = names(page)
    longest = sorted((row for row in facts.images if row.seconds), key=lambda row: row.seconds or 0)

    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == longest[0].name
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page)[0] == longest[-1].name
    head.get_by_role("button").click()

    assert head.get_attribute("aria-sort") is None
    assert names(page) == before


def test_the_pages_hold_every_image_once(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)
    page.select_option("#size", "100")

    seen = names(page)
    while page.locator("[data-page=next]").is_enabled():
        page.click("[data-page=next]")
        seen += names(page)

    assert sorted(seen) == sorted(row.name for row in facts.images)
    expect(page.locator("#page")).to_have_text("Page 5 of 5")
    page.click("[data-page=first]")
    expect(page.locator("[data-page=previous]")).to_be_disabled()


def test_an_owner_s_failures_lead_to_their_rows_and_the_address_keeps_them(
    visit: Visiting, path: Path, facts: Summary
):
    page = visit(path).open()
    owner, tally = max(facts.by_label["owner"].items(), key=lambda found: found[1].failed)

    page.locator(f"#owners tr:has(th bdi:text-is('{owner}')) td.bad a").click()

    expect(page.locator("#found")).to_contain_text(f"of {tally.failed} that match")
    assert "status=failed" in page.url
    again = visit(path).context.new_page()
    again.goto(page.url)
    expect(again.locator("#found")).to_contain_text(f"of {tally.failed} that match")
    again.get_by_role("button", name="Clear").click()
    assert "status" not in again.url


def test_a_cause_shows_its_images_in_the_table(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)

    page.click("[data-cause='0']")

    cause = facts.failures[0]
    assert sorted(names(page)) == sorted(key.split("/", 1)[1] for key in cause.keys)
    expect(page.locator("#by-cause")).to_contain_text(cause.message)
    page.click("#by-cause button")
    expect(page.locator("#found")).to_contain_text("of 500.")
    expect(page.locator("#by-cause")).to_be_hidden()


def test_an_image_opens_to_all_that_is_known_of_it(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open(charts=False)
    row = next(row for row in facts.images if row.error and row.job_id and len(row.attempts) == 1)
    page.fill("#query", row.name)
    expect(page.locator("#rows tbody .open")).to_have_count(1)

    page.locator("#rows .open").press("Enter")

    text = page.locator("#rows .detail").inner_text()
    assert row.error is not None
    for part in (
        row.image_url,
        row.job_id or "",
        row.error.remedy,
        row.labels["rack"],
        "1. 2026-05-2",
        "accepted",
    ):
        assert part in text
    expect(page.locator("#rows .open")).to_have_attribute("aria-expanded", "true")
    page.locator("#rows .open").press("Enter")
    expect(page.locator("#rows .detail")).to_have_count(0)


# --- Time -----------------------------------------------------------------------------------------------


def test_times_can_be_read_in_the_reader_s_own_zone(visit: Visiting, path: Path, facts: Summary):
    page = visit(path, timezone_id="Asia/Shanghai").open()
    ends = page.locator(".tiles .moment time")
    assert facts.eta.range is not None
    utc = datetime.fromtimestamp(facts.eta.range.latest, UTC)
    expect(ends).to_have_text(f"{utc:%Y-%m-%d %H:%M}")

    page.get_by_role("button", name="Show times in Asia/Shanghai").click()

    local = datetime.fromtimestamp(facts.eta.range.latest + 8 * 3600, UTC)
    expect(ends).to_have_text(f"{local:%Y-%m-%d %H:%M}")
    expect(page.locator(".tiles .zone")).to_have_text("Asia/Shanghai")
    expect(page.locator("#timeline")).to_contain_text("Time, Asia/Shanghai")
    page.get_by_role("button", name="Show times in UTC").click()
    expect(ends).to_have_text(f"{utc:%Y-%m-%d %H:%M}")


SHOWN = """
() => Object.fromEntries(["pace", "timeline"].map((id) => {
  const chart = document.getElementById(id), axis = chart._fullLayout.xaxis;
  const told = (value) => new Date(value).toISOString().slice(0, 16);
  return [id, {
    bars: chart.calcdata[0].filter((bar) => bar.p !== undefined && bar.p !== null).map((bar) => told(bar.p)),
    range: axis.range.map((end) => String(end).slice(0, 16).replace(" ", "T")),
    ticks: axis._vals.map((tick) => [told(tick.x), tick.text]),
    texts: [...chart.querySelectorAll(".xtick text")].map((node) => node.textContent),
  }];
}))
"""
"""What the charts show as their times: by Plotly's own reckoning, and as text."""


def told(moment: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Asia/Kolkata", "UTC"])
def test_charts_tell_the_time_of_the_tables_and_the_headline_in_every_zone(
    visit: Visiting, path: Path, facts: Summary, zone: str
):
    page = visit(path, timezone_id=zone).open()
    middles = [each.at + facts.throughput.slice_seconds / 2 for each in facts.throughput.slices]
    begun = min(image.state.attempts[0].began_at for image in facts.images if image.state.attempts)

    called = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")  # an older name, for some
    for shown_in in dict.fromkeys(("UTC", zone)):
        if shown_in != "UTC":
            page.get_by_role("button", name=f"Show times in {called}").click()
        for chart in ("#pace", "#timeline"):
            expect(page.locator(chart)).to_contain_text(f"Time, {called if shown_in == zone else 'UTC'}")
        charts = page.evaluate(SHOWN)

        assert charts["pace"]["bars"] == [told(middle, shown_in) for middle in middles]
        first, last = charts["timeline"]["range"]
        assert first <= told(begun, shown_in) <= last
        assert told(facts.generated_at, shown_in) <= last
        assert told(begun - 3600, shown_in) < first
        for chart in charts.values():
            assert chart["ticks"]
            for at, text in chart["ticks"]:
                clock = re.match(r"\d\d:\d\d", text)
                assert clock is None or clock[0] == at[11:16]
                assert text.split("<br>")[0] in " ".join(chart["texts"])


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (0, "Made just now; reload to refresh ("),
        (2400, "Made 40 min ago; reload to refresh, or see whether the run still goes on ("),
    ],
)
def test_it_says_how_old_it_is(visit: Visiting, path: Path, facts: Summary, later: float, words: str):
    here = visit(path)
    here.page.clock.set_fixed_time(facts.generated_at + later)

    page = here.open(charts=False)

    expect(page.locator("#age")).to_contain_text(words)


# --- Charts ---------------------------------------------------------------------------------------------


def test_the_timeline_zooms_to_single_images_and_back(visit: Visiting, path: Path):
    page = visit(path).open()
    labels = page.locator("#timeline .ytick text")
    assert painted(page) > 10_000
    expect(labels).to_have_count(0)

    for _ in range(5):
        page.click("[data-zoom=in]")
    expect(labels.first).to_be_attached()
    first = labels.first.text_content()
    page.click("[data-zoom=down]")
    expect(labels.first).not_to_have_text(first or "")
    page.click("[data-zoom=all]")

    expect(labels).to_have_count(0)


def test_dragging_over_the_timeline_enlarges_that_part_and_pointing_at_it_names_the_image(
    visit: Visiting, path: Path, facts: Summary
):
    page = visit(path).open()
    chart = page.locator("#timeline")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    before = painted(page)

    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, box["y"] + 125, steps=4)
    page.mouse.up()
    expect(page.locator("#timeline .ytick text").first).to_be_attached()
    page.mouse.move(box["x"] + 500, box["y"] + 250)

    assert painted(page) != before
    tip = page.locator("#tip").inner_text().splitlines()
    assert tip[0] in {row.name for row in facts.images}


def test_the_pace_is_drawn_against_what_the_limits_allow(visit: Visiting, path: Path, facts: Summary):
    page = visit(path).open()

    bars = page.locator("#pace .bars .point").count()

    assert bars >= sum(each.succeeded > 0 for each in facts.throughput.slices)
    expect(page.locator("#pace")).to_contain_text(
        f"limits allow {facts.throughput.possible_per_hour:.0f} an hour"
    )


# --- Other ways to look at it ---------------------------------------------------------------------------


def test_a_phone_gets_short_pages_and_whole_rows(visit: Visiting, path: Path):
    page = visit(path, **PHONE).open(charts=False)

    expect(page.locator("#rows tbody .open")).to_have_count(25)
    expect(page.locator("#rows tbody .under").first).to_be_visible()
    expect(page.locator("#rows tbody td.side").first).to_be_hidden()


def test_the_dark_is_dark_and_paper_is_white(visit: Visiting, path: Path):
    page = visit(path, color_scheme="dark").open(charts=False)

    def shade() -> int:
        return int(
            page.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g)[0]")
        )

    dark = shade()
    page.emulate_media(media="print")

    assert dark < 60
    assert shade() == 255


def test_paper_has_the_tables_and_no_controls(visit: Visiting, path: Path):
    page = visit(path).open()

    page.emulate_media(media="print")

    for control in ("#filters", "#pager", "#timeline-controls", "[data-cause]", "#zone", "#timeline-hint"):
        expect(page.locator(control).first).to_be_hidden()
    for table in ("#totals", "#waves", "#targets", "#owners", "#durations", "#rows", "#runs"):
        expect(page.locator(table)).to_be_visible()
    expect(page.locator("#rows thead button").first).to_be_visible()
    sheets = page.pdf(format="A4")
    assert sheets.startswith(b"%PDF")


def test_without_scripts_the_tables_tell_it_all(visit: Visiting, path: Path):
    here = visit(path, java_script_enabled=False)
    page = here.open(charts=False)

    expect(page.locator("#rows tbody tr")).to_have_count(50)
    expect(page.locator("#found")).to_contain_text("report.csv")
    expect(page.locator("#slices")).to_be_visible()
    for part in ("#filters", "#pager", "#pace", "#timeline", "#zone", "[data-cause]"):
        expect(page.locator(part).first).to_be_hidden()
    assert here.requests == [here.url]


# --- Untrusted text -------------------------------------------------------------------------------------


def test_whatever_an_image_is_called_it_is_shown_and_never_acts(visit: Visiting, evil: Path):
    here = visit(evil, timezone_id="Asia/Shanghai")
    page = here.open()
    expected = sorted(one_line(name).encode("utf-8", "replace").decode() for name in HOSTILE)

    found = page.locator("#rows tbody .open bdi").all_text_contents()
    page.evaluate("document.querySelectorAll('#rows .open').forEach((button) => button.click())")
    for _ in range(3):
        page.click("[data-zoom=in]")
    page.click("[data-cause='0']")
    page.get_by_role("button", name="Show times in").click()
    for row in range(20, 500, 20):
        page.locator("#timeline").dispatch_event("pointermove", {"clientX": 500, "clientY": row})

    assert sorted(found) == expected
    assert here.complaints == []
    assert here.requests == [here.url]
    assert (
        page.evaluate("document.querySelectorAll('main script, main img, [onerror], [onmouseover]').length")
        == 0
    )


def test_a_name_that_looks_like_markup_is_an_ordinary_label_of_the_timeline(visit: Visiting, evil: Path):
    page = visit(evil).open()

    labels = page.locator("#timeline .ytick text")

    assert {"<script>alert(1)<…", "<b>bold</b>", "&lt;i>"} <= set(labels.all_text_contents())
    expect(page.locator("#timeline a")).to_have_count(0)


# --- Everybody ------------------------------------------------------------------------------------------


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(visit: Visiting, path: Path):
    page = visit(path).open(charts=False)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Go to the images")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    expect(page.locator("#query")).to_be_focused()
