"""The pages that are written from tables say what the tables say."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.built_site import problems
from tests.manual import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_manual_is_the_one_that_its_table_gives(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), (
        "write it again: python -m tests.manual"
    )


MAN = DOCS / "migrator.1"
LINTERS = {"groff": ["-ww", "-man", "-Tutf8"], "mandoc": ["-Tlint", "-Wwarning"]}


@pytest.mark.parametrize("linter", LINTERS)
def test_the_man_page_is_one_that_a_formatter_takes_without_a_word(linter):
    if shutil.which(linter) is None:
        pytest.skip(f"{linter} is not installed")

    done = subprocess.run([linter, *LINTERS[linter], str(MAN)], capture_output=True, text=True, check=False)

    said = done.stderr + (done.stdout if linter == "mandoc" else "")
    # The page bears a version instead of a date, which would change with every day that it is made on.
    assert [line for line in said.splitlines() if "missing date" not in line] == []


def test_the_man_page_names_every_command_and_exit_code():
    text = MAN.read_text(encoding="utf-8")

    commands = set(re.findall(r"(?m)^\\fBmigrator ([a-z]+)\\fR", text))
    codes = re.findall(r"(?m)^\.TP\n(\d+)$", text)

    assert {"init", "run", "status", "reconcile", "simulate"} <= commands
    assert codes[:3] == ["0", "1", "2"]
    assert codes[-1] == "143"


def test_the_wheel_brings_the_man_page(tmp_path):
    (path,) = WheelBuilder(str(DOCS.parent)).build(directory=str(tmp_path), versions=["standard"])

    with zipfile.ZipFile(path) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/share/man/man1/migrator.1"))
        assert wheel.read(name) == MAN.read_bytes()


def site(folder: Path, body: str, *, style: str = "") -> list[str]:
    (folder / "page.html").write_text('<h1 id="here">A</h1>')
    (folder / "style.css").write_text(style)
    (folder / "index.html").write_text(f'<link rel="stylesheet" href="style.css">{body}')
    return problems(folder)


@pytest.mark.parametrize(
    ("body", "style", "found"),
    [
        ('<a href="page.html#here">a</a><a href="https://example.com/">b</a>', "", []),
        ('<a href="gone.html">a</a>', "", ["index.html: leads nowhere: gone.html"]),
        ('<a href="page.html#gone">a</a>', "", ["index.html: no such place: page.html#gone"]),
        ('<img src="gone.png">', "", ["index.html: leads nowhere: gone.png"]),
        ('<script src="//cdn.example/x.js"></script>', "", ["index.html: fetches //cdn.example/x.js"]),
        ("", "a{src:url('https://f.example/f')}", ["style.css: fetches https://f.example/f"]),
        ("", '@import "https://f.example/f";', ["style.css: fetches https://f.example/f"]),
    ],
)
def test_a_built_site_with_a_dead_link_or_something_from_elsewhere_is_refused(tmp_path, body, style, found):
    assert site(tmp_path, body, style=style) == found


def test_a_site_without_pages_is_refused(tmp_path):
    assert problems(tmp_path) == [f"{tmp_path}: there is no page"]
