"""Reads the built site as a browser would: every link leads somewhere, and nothing comes from elsewhere.

    python -m tests.built_site build/docs

What the generator checks are the links of the pages; this sees those of the theme as well. The environment of
the generator runs it, so it needs nothing but Python.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""By tag: the attribute whose address a browser fetches by itself."""


class Page(HTMLParser):
    """What a page names, and what it can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values[name] or "" for name in ("id", "name") if name in values}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        if tag in FETCHED and values.get(FETCHED[tag]):
            self.fetched.append(values[FETCHED[tag]] or "")


def problems(site: Path) -> list[str]:
    """Each with the page it is on."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        found += [f"{where}: fetches {link}" for link in page.fetched if _elsewhere(link)]
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if _elsewhere(link) or parts.scheme == "mailto":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                found.append(f"{where}: leads nowhere: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{where}: no such place: {link}")
    for path in site.rglob("*.css"):
        addresses = re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")\s]+)", path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: fetches {link}" for link in addresses if _elsewhere(link)]
    if not pages:
        found.append(f"{site}: there is no page")
    return sorted(set(found))


def _elsewhere(link: str) -> bool:
    return link.startswith("//") or urlsplit(link).scheme in ("http", "https", "ftp", "ws", "wss")


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.exit(1 if wrong else 0)
