"""`migrator serve` as a viewer meets it, in Chromium."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from migrator.domain.plan import Wave
from migrator.domain.units import Rate
from migrator.serving.views import LOOK_EVERY
from migrator.workflow.plan_facts import PlanFacts, TargetFacts
from tests.browser.conftest import AXE, IN_CI
from tests.serving.live import served
from tests.serving.test_site import RUN, an_image, life, written

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PATHS = [
    "/",
    "/plans/wave-1",
    "/plans/wave-1/images/north/web-01",
    "/plans/waves",
    "/plans/waves?machine=db",
    "/plans/broken",
]
EVIL = "<img src=x onerror=alert(1)>"


def apart(call: Callable[[], Any]) -> None:
    """Playwright holds a loop in this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(call())).result()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    apart(lambda: written(made, "wave-1", RUN, *life(an_image("web-01")), *life(an_image(EVIL), well=False)))
    facts = PlanFacts(
        targets={
            "north": TargetFacts(region="cn-north-4", max_jobs=4, submit_rate=Rate(count=1.0, unit="s"))
        },
        owner=EVIL,
        waves=(Wave(name="pilot", not_before=5.0, not_after=4e9), Wave(name="rest")),
    )
    waved = [
        replace(an_image(f"vm-{number}"), wave=wave, labels={"machine": "db"})
        for number, wave in enumerate(("pilot", "rest"))
    ]
    events = [event for image in waved for event in life(image)]
    apart(lambda: written(made, "waves", replace(RUN, plan=facts), *events))
    (made / "broken").mkdir()
    (made / "broken" / "journal.db").write_bytes(b"no journal" * 1000)
    return made


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with served(folder) as (url, _):
        yield url


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(**getattr(request, "param", {}))
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    context.close()
    # Chromium says so of the page of a damaged journal, whose answer is one.
    assert [said for said in complaints if "503 (Service Unavailable)" not in said] == []


def test_a_plan_follows_its_journal(page, url, folder):
    page.goto(url)
    page.get_by_role("link", name="wave-1").first.click()
    expect(page.locator("main")).to_contain_text("1 of 2 images imported")
    apart(lambda: written(folder, "wave-1", *life(an_image("web-02"))))
    expect(page.locator("main")).to_contain_text("2 of 3 images imported", timeout=15_000)


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_images_of_a_machine_are_two_links_away_without_scripts(page, url):
    page.goto(f"{url}/plans/waves")
    page.get_by_role("link", name="db", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Images: machine db")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="north/vm-0").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("north/vm-0")


def test_a_page_says_so_when_its_journal_becomes_unreadable(page, url, folder):
    apart(lambda: written(folder, "short", RUN, *life(an_image("web-01"))))
    page.goto(url)
    page.get_by_role("link", name="short").click(timeout=15_000)
    expect(page.locator("main")).to_contain_text("the image is imported")
    (folder / "short" / "journal.db").write_bytes(b"no journal" * 1000)
    expect(page.locator("main")).to_contain_text("This cannot be shown", timeout=15_000)
    expect(page.locator("main")).to_contain_text("What to do:")


def test_what_changes_before_a_page_listens_is_not_missed(page, url, folder):
    """The page is there, and its events are not yet: they come when the server has told all who listen."""

    def late(route):
        apart(lambda: written(folder, "late", RUN, *life(an_image("web-01"))))
        time.sleep(3 * LOOK_EVERY)
        route.continue_()

    page.route("**/events*", late, times=1)
    page.goto(url)
    expect(page.get_by_role("link", name="late")).to_be_visible(timeout=15_000)


def test_a_list_of_images_follows_its_journal_as_the_page_does(page, url, folder):
    page.goto(f"{url}/plans/waves?status=succeeded")
    expect(page.locator("tbody tr")).to_have_count(2)
    apart(lambda: written(folder, "waves", *life(an_image("vm-9"))))
    expect(page.locator("tbody tr")).to_have_count(3, timeout=15_000)


@pytest.mark.parametrize("page", [PHONE, {"java_script_enabled": False}], indirect=True)
def test_a_phone_and_a_browser_without_scripts_show_it_too(page, url):
    page.goto(f"{url}/plans/wave-1")
    expect(page.locator("main")).to_contain_text("images imported")
    expect(page.locator("main")).to_contain_text(EVIL)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_wider_than_a_phone(page, url, path):
    page.goto(url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(browser, url, path, scheme):
    if not AXE.exists():
        assert not IN_CI, "make browser"
        pytest.skip("make browser")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(url + path)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")
    context.close()
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]] == []
