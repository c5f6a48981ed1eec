"""`migrator serve` as a viewer meets it, in Chromium."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import AXE, IN_CI
from tests.serving.live import served
from tests.serving.test_site import RUN, an_image, life, written

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
EVIL = "<img src=x onerror=alert(1)>"


def apart(call: Callable[[], Any]) -> None:
    """Playwright holds a loop in this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(call())).result()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    apart(lambda: written(made, "wave-1", RUN, *life(an_image("web-01")), *life(an_image(EVIL), well=False)))
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
    assert complaints == []


def test_a_plan_follows_its_journal(page, url, folder):
    page.goto(url)
    page.get_by_role("link", name="wave-1").first.click()
    expect(page.locator("main")).to_contain_text("1 of 2 images imported")
    apart(lambda: written(folder, "wave-1", *life(an_image("web-02"))))
    expect(page.locator("main")).to_contain_text("2 of 3 images imported", timeout=15_000)


@pytest.mark.parametrize("page", [PHONE, {"java_script_enabled": False}], indirect=True)
def test_a_phone_and_a_browser_without_scripts_show_it_too(page, url):
    page.goto(f"{url}/plans/wave-1")
    expect(page.locator("main")).to_contain_text("images imported")
    expect(page.locator("main")).to_contain_text(EVIL)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
@pytest.mark.parametrize("path", ["/", "/plans/wave-1", "/plans/wave-1/images/north/web-01"])
def test_nothing_is_wider_than_a_phone(page, url, path):
    page.goto(url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", ["/", "/plans/wave-1", "/plans/wave-1/images/north/web-01"])
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
