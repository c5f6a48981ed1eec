"""The pictures in docs/, of the HTML report and of the terminal, made from a migration that looks like one.

python -m tests.browser.screenshots
"""

import asyncio
import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.text import Text

from migrator.reports.formats import as_html
from migrator.reports.styled import painted
from migrator.reports.summary import Summary, summary
from migrator.reports.terminal import live_status, view
from tests.browser.conftest import CHROMIUM
from tests.browser.realistic import migration, recorded
from tests.serving.live import served_at
from tests.serving.test_site import written

DOCS = Path(__file__).parent.parent.parent / "docs"


def main() -> None:
    if CHROMIUM is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    ledger, plan, now = migration(500)
    facts = summary(ledger, plan=plan, now=now)
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        with path.open("wb") as stream:
            as_html.write(facts, stream)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = opened(browser, path, now, width=1180, height=900)
        shoot(page, "report-light.png", "header", "#h-waiting")
        page = opened(browser, path, now, width=1180, height=900, color_scheme="dark")
        shoot(page, "report-dark.png", "#h-pace", "#h-images")
        page = opened(browser, path, now, width=390, height=844, device_scale_factor=2)
        page.screenshot(path=DOCS / "report-phone.png", clip={"x": 0, "y": 0, "width": 390, "height": 844})
        page = browser.new_page(viewport={"width": 900, "height": 700}, device_scale_factor=2)
        page.set_content(terminal(facts))
        page.locator("svg").screenshot(path=DOCS / "terminal.png")
        live(browser, Path(folder) / "reports")
        browser.close()
    for name in ("report-light", "report-dark", "report-phone", "terminal", "serve", "serve-phone"):
        size = (DOCS / f"{name}.png").stat().st_size
        print(f"docs/{name}.png  {size // 1024} KB")


def live(browser: Browser, folder: Path) -> None:
    """The live page of the same migration."""
    events, plan, now = recorded(500)
    with ThreadPoolExecutor(1) as pool:  # Playwright holds a loop in this thread
        pool.submit(lambda: asyncio.run(written(folder, plan.name, *events))).result()
    with served_at(folder, now) as url:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(f"{url}/plans/{plan.name}")
        page.screenshot(path=DOCS / "serve.png")
        page = browser.new_page(
            viewport={"width": 390, "height": 844}, device_scale_factor=2, color_scheme="dark"
        )
        page.goto(f"{url}/plans/{plan.name}")
        page.screenshot(path=DOCS / "serve-phone.png")
        page.close()


def terminal(facts: Summary) -> str:
    """The live view of a run as a page, 80 columns wide."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
    for line in painted(view(live_status(facts, run="")), colored=True):
        console.print(Text.from_ansi(line))
    return console.export_svg(title="migrator run plans/east.toml")


def opened(browser: Browser, path: Path, now: float, *, width: int, height: int, **more: object) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, **more)  # type: ignore[arg-type]
    page.clock.set_fixed_time(now + 12)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-charts=ready]", state="attached")
    return page


def shoot(page: Page, name: str, start: str, end: str) -> None:
    """The page from the part in which `start` is to the one in which `end` is."""
    top, bottom = (
        page.evaluate(
            f"document.querySelector('{part}').closest('section, header').getBoundingClientRect().top"
        )
        for part in (start, end)
    )
    top = max(top - 20, 0)
    page.screenshot(
        path=DOCS / name, full_page=True, clip={"x": 0, "y": top, "width": 1180, "height": bottom - top}
    )


if __name__ == "__main__":
    main()
