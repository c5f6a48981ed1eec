"""The ways to import a file, and that nobody else knows what they are called or what they take."""

import re
from pathlib import Path

import pytest

from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef, key_fault
from migrator.ims.methods import ALL, METHOD, method_of
from migrator.ims.methods.quick_import import QUICK_IMPORT

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "migrator"

WORDS = re.compile(r"quick.?import|zvhd2|\.mf\b|bitmap|\.raw\b", re.IGNORECASE)
"""What only `migrator/ims/methods/` may say."""

ELSEWHERE = ("ims/methods/", "simulator/", "data/", "domain/disk_", "preflight/headers.py")
"""The simulator has rules of its own; package data are a plan, and tables that cite where they come from; and
what a file is inside does not depend on who takes it."""

VERBATIM = (
    # The service's own message for IMG.0158, as its reference prints it.
    "Only raw or ZVHD2 image files support Fast Create, and a raw file needs its bitmap in the bucket.",
    # Resources of the Terraform provider huaweicloud, whose names are its own.
    "huaweicloud_ims_quickimport_data_image",
    "huaweicloud_ims_quickimport_system_image",
)


def sources() -> dict[str, str]:
    """Every text file of the package that is bound by the rule, by its path."""
    kinds = {".py", ".html", ".css", ".js", ".json", ".toml"}
    built = {"plotly.min.js", "compiled.py"}  # not written by us, and not in git
    paths = (path for path in PACKAGE.rglob("*") if path.suffix in kinds and path.name not in built)
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {name: text for name, text in texts.items() if not name.startswith(ELSEWHERE)}


def test_only_the_folder_of_methods_knows_what_a_method_is_called_and_takes():
    said = []
    for name, text in sources().items():
        for verbatim in VERBATIM:
            text = text.replace(verbatim, "")
        said += [
            f"{name}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if WORDS.search(line)
        ]

    assert said == []
    assert len(sources()) > 80


def test_the_folder_of_methods_itself_is_full_of_what_is_looked_for():
    assert len(WORDS.findall((PACKAGE / "ims/methods/quick_import.py").read_text(encoding="utf-8"))) > 15


@pytest.fixture(params=ALL, ids=lambda method: f"{method.key} {min(method.kinds)}")
def method(request):
    return request.param


def test_what_plans_are_checked_by_is_a_method_of_the_register():
    assert METHOD in ALL


def test_each_extension_is_taken_by_the_question_and_by_the_pattern_alike(method):
    for extension in method.extensions:
        for written in (extension, extension.upper(), extension.title()):
            assert method.takes(f"a/web{written}")
            assert re.search(f"{method.ending}$", f"a/web{written}")
            assert method.surely_takes(f"web{written}") is (written == extension)
            assert bool(re.search(f"{method.safe_ending}$", f"web{written}")) is (written == extension)
    assert method.usual_extension in method.extensions


@pytest.mark.parametrize("key", ["web", "web.", "raw", "web.raw.txt", "web.qcow3"])
def test_what_has_another_extension_is_not_taken(method, key):
    assert not method.takes(key)
    assert not re.search(f"{method.ending}$", key)
    assert method.format_fault(key) is not None


def test_examples_are_files_that_a_method_takes(method):
    key = method.example("folder/disk")

    assert (method.format_fault(key), key_fault(key, example="")) == (None, None)


def test_limits_are_in_their_order(method):
    assert 0 <= method.optional_below <= method.sure_bytes <= method.most_bytes
    for family, smallest in method.smallest_disk.items():
        assert 0 < smallest <= method.advised_disk[family] <= method.largest_disk


@pytest.mark.parametrize(
    ("key", "companion"),
    [
        pytest.param("a/web.raw", "a/web.mf", id="a RAW file has a bitmap beside it"),
        pytest.param("a/web.RAW", "a/web.mf", id="in capitals too"),
        pytest.param("a/web.zvhd2", None, id="a ZVHD2 file stands alone"),
        pytest.param("a/raw", None, id="a name that only looks like it"),
    ],
)
def test_quick_import_reads_a_bitmap_beside_a_raw_file(key, companion):
    found = QUICK_IMPORT.companion(ObjectRef("bucket", key))

    assert found == (None if companion is None else ObjectRef("bucket", companion))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("web.qcow2", "is a qcow2 file; quick import takes only .zvhd2 and .raw"),
        ("web.VHD", "is a vhd file; quick import takes only .zvhd2 and .raw"),
        ("web", "does not end in .zvhd2 or .raw, which are all that quick import takes"),
    ],
)
def test_quick_import_says_what_it_takes_instead(key, reason):
    fault = QUICK_IMPORT.format_fault(key)

    assert fault is not None
    assert fault[0] == reason
    assert "qemu-img-hw" in fault[1]


def test_every_image_goes_in_by_a_method_of_the_register():
    image = Image(name="web", target="north", source=ObjectRef("b", "k.raw"), min_disk=1)

    assert method_of(image) in ALL
