"""What a release rests on: one version, a changelog of one form, the page's script, a bill of materials."""

import base64
import hashlib
import re
import tomllib
import zlib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from migrator import __version__
from tests.changelog import problems, released
from tests.sbom import addresses, completed

ROOT = Path(__file__).parent.parent
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
HTML = ROOT / "migrator/reports/formats/html"

GOOD = """\
## [Unreleased]

## [1.1.0] - 2027-01-02

### Added

- a

## [1.0.0] - 2026-11-27

### Fixed

- b
"""


def test_the_changelog_is_as_keep_a_changelog_says_and_names_this_version():
    assert problems(CHANGELOG) == []
    assert released(CHANGELOG, __version__)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("## [Unreleased]\n\n", "", "not [Unreleased]"),
        (" - 2027-01-02", "", "has a day"),
        ("### Added", "### Mended", "Mended"),
        ("- a\n", "", "nothing changed"),
        ("2027-01-02", "2025-01-02", "newest first"),
        ("[1.1.0]", "[1.0.0]", "newest first"),
    ],
)
def test_what_is_wrong_with_a_changelog_is_found(old, new, says):
    assert problems(GOOD) == []

    assert [line for line in problems(GOOD.replace(old, new)) if says in line]


def test_a_heading_of_another_form_is_none_and_a_version_without_a_day_is_not_released():
    with pytest.raises(ValueError, match=r"1\.1\.0"):
        problems(GOOD.replace("[1.1.0]", "1.1.0"))

    assert not released(GOOD, "Unreleased")
    assert not released(GOOD, "1.2.0")


def test_the_version_is_written_in_one_place_and_all_others_follow_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert "version" not in project
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert f'"migrator {__version__}"' in (ROOT / "docs/migrator.1").read_text(encoding="utf-8")


def test_the_script_of_the_page_is_that_of_the_pinned_plotly_and_its_licence_is_there():
    plotly = distribution("plotly")
    (licence,) = (file for file in plotly.files or [] if file.name == "LICENSE.txt")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    script = Path(str(plotly.locate_file("plotly/package_data/plotly.min.js")))
    assert f'"plotly=={plotly.version}"' in pyproject
    assert (HTML / "plotly.min.js").read_bytes() == script.read_bytes()
    sha256, packed = (HTML / "plotly.packed").read_bytes().splitlines()
    assert base64.b64decode(sha256) == hashlib.sha256(script.read_bytes()).digest()
    assert zlib.decompress(base64.b64decode(packed)) == script.read_bytes()
    assert (HTML / "plotly.LICENSE.txt").read_text(encoding="utf-8") == licence.read_text()


BOM = {
    "metadata": {"component": {"bom-ref": "root-component", "name": "migrator"}},
    "components": [{"name": "typing_extensions", "bom-ref": "t"}],
    "dependencies": [{"ref": "root-component", "dependsOn": ["t"]}, {"ref": "t"}],
}


def test_a_bill_of_materials_has_the_hash_of_each_file_and_the_script_that_the_wheel_brings():
    bom = completed(
        BOM,
        version="1.0.0",
        wheel="aa",
        hashes={"typing-extensions": "bb"},
        script="/**\n* plotly.js v4.1.1\n",
        script_hash="cc",
    )

    found = {part["name"]: part["hashes"][0]["content"] for part in bom["components"]}
    assert found == {"typing_extensions": "bb", "plotly.js": "cc"}
    assert bom["metadata"]["component"]["version"] == "1.0.0"
    assert bom["components"][-1]["purl"] == "pkg:npm/plotly.js@4.1.1"
    assert bom["dependencies"][0]["dependsOn"] == ["plotly.js", "t"]


def test_a_package_whose_file_nobody_saw_and_a_script_without_its_version_are_refused():
    rest = {"version": "1", "wheel": "a", "script_hash": "c"}
    with pytest.raises(KeyError):
        completed(BOM, hashes={}, script="plotly.js v4.1.1", **rest)
    with pytest.raises(ValueError, match="version"):
        completed(BOM, hashes={"typing-extensions": "b"}, script="nothing", **rest)


def test_an_address_on_this_machine_is_found():
    assert addresses({"a": [{"url": "file:///home/x.whl"}]}) == ["file:///home/x.whl"]
