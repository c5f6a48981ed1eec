"""What a build makes of the template of the page, and that a run uses it only where it made the same."""

import os
import subprocess
import sys
from importlib.resources import files
from io import BytesIO
from types import ModuleType
from typing import Any

import jinja2
import pytest

from migrator.reports.formats import as_html, page_template
from migrator.reports.formats.page_template import FILTERS, MODULE, compiled, environment, template
from migrator.reports.summary import summary
from tests.browser.realistic import migration

SOURCE = files("migrator.reports.formats").joinpath("html", "report.html.j2").read_text("utf-8")


def put(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """What a build of the template `source` leaves, where it is imported from."""
    module = ModuleType(MODULE)
    module.__file__ = "compiled.py"
    exec(compiled(source), vars(module))
    monkeypatch.setitem(sys.modules, MODULE, module)


def made(source: str = SOURCE) -> jinja2.Template:
    return template(environment(dict.fromkeys(FILTERS, str)), source)


def is_built(shown: jinja2.Template) -> bool:
    return shown.root_render_func.__module__ == MODULE


def page() -> bytes:
    ledger, plan, now = migration(200)
    stream = BytesIO()
    as_html._assets.cache_clear()
    as_html.write(summary(ledger, plan=plan, now=now), stream)
    built = is_built(as_html._assets().template)
    as_html._assets.cache_clear()
    return (b"built " if built else b"made ") + stream.getvalue()


def test_a_page_is_the_same_to_the_byte_whoever_compiled_its_template(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, SOURCE)
    built = page()
    monkeypatch.setitem(sys.modules, MODULE, None)

    made_here = page()

    assert built.startswith(b"built ")
    assert made_here.startswith(b"made ")
    assert built.split(b" ", 1)[1] == made_here.split(b" ", 1)[1]


def test_what_a_build_made_of_the_same_is_used(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, SOURCE)

    assert is_built(made())


def test_of_another_template_it_is_not_used(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, SOURCE + " ")

    assert not is_built(made())


def test_of_another_jinja2_it_is_not_used(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, SOURCE)
    monkeypatch.setattr(page_template, "version", lambda _: "3.1.999")

    assert not is_built(made())


@pytest.mark.parametrize(
    "change",
    [{"autoescape": False}, {"trim_blocks": False}, {"undefined": jinja2.Undefined}, {"finalize": str}],
    ids=lambda change: next(iter(change)),
)
def test_for_other_settings_it_is_not_used(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]):
    put(monkeypatch, SOURCE)
    inside = environment(dict.fromkeys(FILTERS, str)).overlay(**change)

    assert not is_built(template(inside, SOURCE))


def test_what_does_not_say_of_what_it_was_made_is_not_used(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, SOURCE)
    del sys.modules[MODULE].MADE_OF

    assert not is_built(made())


@pytest.mark.parametrize("is_there", [True, False])
def test_the_template_escapes_and_knows_no_undefined_names_whoever_compiled_it(
    monkeypatch: pytest.MonkeyPatch, is_there: bool
):
    source = "{{ name }}{{ nobody }}"
    put(monkeypatch, source)
    if not is_there:
        monkeypatch.setitem(sys.modules, MODULE, None)
    shown = made(source)

    with pytest.raises(jinja2.UndefinedError, match="nobody"):
        shown.render(name="<b>")
    assert shown.render(name="<b>", nobody="") == "&lt;b&gt;"
    assert shown.environment.autoescape is True
    assert is_built(shown) is is_there


def test_a_constant_is_left_to_the_filter_of_the_run(monkeypatch: pytest.MonkeyPatch):
    put(monkeypatch, "{{ 'a' | label }}")
    inside = environment({**dict.fromkeys(FILTERS, str), "label": str.upper})

    assert template(inside, "{{ 'a' | label }}").render() == "A"


def test_two_builds_make_the_same():
    made_by = [
        subprocess.run(
            [sys.executable, "-c", "from tests.reports.test_page_template import *; print(compiled(SOURCE))"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert made_by[0] == made_by[1]
