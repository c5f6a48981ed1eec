"""How the manual becomes a site: `make docs`.

The pages stay where they are and as they are, readable on a code host. Their paths are kept, so each link
between them, and each to a file of the repository, is checked as it stands. The order of the pages is the one
of `docs/README.md`, so that it is written once. Nothing is fetched while somebody reads.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent.parent
INDEX = "docs/README"
ABOUT = (
    "README",
    "CHANGELOG",
    "SECURITY",
    "CONTRIBUTING",
    "ARCHITECTURE",
    "tests/README",
    "tests/bench/README",
)
"""Pages that lie outside of `docs/`."""

project = "migrator"
version = release = re.search(r'__version__ = "(.+)"', (ROOT / "migrator/__init__.py").read_text("utf-8"))[1]  # type: ignore[index]
extensions = ["myst_parser"]
root_doc = INDEX
include_patterns = ["docs/*.md", "reports/README.md", *(f"{page}.md" for page in ABOUT)]
exclude_patterns = [".*", "docs/site"]
highlight_language = "none"
nitpicky = True
smartquotes = False  # "--retry-failed" is to be copied as it stands

myst_heading_anchors = 4
myst_all_links_external = False

html_theme = "furo"
html_title = f"migrator {version}"
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_additional_pages = {"index": "to-manual.html"}
templates_path = ["pages"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def contents(text: str) -> list[tuple[str, list[str]]]:
    """The parts of the manual and their pages, as the index has them."""
    parts = []
    for part in re.split(r"(?m)^## ", text)[1:]:
        pages = re.findall(r"\]\(([\w-]+)\.md\)", part)
        if pages:
            parts.append((part.split("\n", 1)[0], list(dict.fromkeys(pages))))
    return parts


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Tell Sphinx the order of the pages, below the index where nobody sees it."""
    if page != INDEX:
        return
    parts = [(title, [f"/docs/{name}" for name in names]) for title, names in contents(source[0])]
    parts.append(("The project", [f"/{name}" for name in (*ABOUT, "reports/README")]))
    for title, pages in parts:
        listed = "\n".join(pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{listed}\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
