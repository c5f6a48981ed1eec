"""Chromium, if there is one: the page as a reader meets it.

Without Chromium (Debian: `apt-get install chromium`), or with MIGRATOR_NO_BROWSER=1, these tests are left out
and the last line of pytest says so. In CI (CI=true) they run or fail.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IN_CI = os.environ.get("CI") == "true"
LEFT_OUT = not IN_CI and (CHROMIUM is None or os.environ.get("MIGRATOR_NO_BROWSER") == "1")
AXE = HERE.parent.parent / ".venv" / "node" / "node_modules" / "axe-core" / "axe.min.js"
"""Put there by `make browser`."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
    if LEFT_OUT and ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("there is no Chromium: apt-get install chromium, or set MIGRATOR_NO_BROWSER=1 outside CI")
    # Module scope, because a loop that is left open is in the way of every async test that follows.
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


class Visit:
    """One page in one browser context, and everything that it complained about or asked for."""

    def __init__(self, browser: Browser, path: Path, **context: Any) -> None:
        given: dict[str, Any] = {"viewport": {"width": 1240, "height": 1000}, "locale": "en-GB"}
        self.context = browser.new_context(**given | context)
        self.page: Page = self.context.new_page()
        self.url = path.as_uri()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("popup", lambda popup: self.complaints.append(f"popup: {popup.url}"))

    def open(self, *, charts: bool = True) -> Page:
        self.page.goto(self.url)
        if charts:
            self.page.wait_for_selector("html[data-charts=ready]", state="attached")
        return self.page


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def visiting(path: Path, **context: Any) -> Visit:
        visits.append(Visit(browser, path, **context))
        return visits[-1]

    yield visiting
    for one in visits:
        one.context.close()
