"""Which way an image goes in whose plan leaves that open, and what is said of it."""

import pytest

from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.ims.methods import FileFacts, companion_of, method_for, wish_of

GB = 10**9
KEY = "9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"
DATA = {"type": ImageType.DATA, "os_version": None, "os_type": "Linux"}


def an_image(file: str, **more: object) -> Image:
    wanted = {"min_disk": 40, "os_version": "CentOS 7.6 64bit", "method": "auto", **more}
    return Image(name="web", target="north", source=ObjectRef("bucket", file), **wanted)  # type: ignore[arg-type]


DECIDED = [
    pytest.param(an_image("a.zvhd2"), None, "quick", "a .zvhd2 file", id="ZVHD2"),
    pytest.param(an_image("a.vmdk"), None, "normal", "a .vmdk file", id="another format"),
    pytest.param(
        an_image("a.raw"), FileFacts(5 * GB, True), "quick", "a .raw file with its .mf", id="RAW with .mf"
    ),
    pytest.param(
        an_image("a.raw"),
        FileFacts(5 * GB, False),
        "normal",
        "no .mf file lies beside it, which quick import needs",
        id="RAW without",
    ),
    pytest.param(
        an_image("a.zvhd2", cmk_id=KEY), None, "normal", "cmk_id does not go with quick import", id="a key"
    ),
    pytest.param(
        an_image("a.zvhd2", is_config=True),
        None,
        "normal",
        "is_config does not go with quick import",
        id="to be configured",
    ),
    pytest.param(an_image("a.zvhd2", is_config=False), None, "quick", "a .zvhd2 file", id="not configured"),
    pytest.param(
        an_image("a.zvhd2", os_version=None),
        None,
        "normal",
        "os_version is missing, which quick import needs of a system disk",
        id="a system to be recognised",
    ),
    pytest.param(an_image("a.zvhd2", license_type="byol"), None, "quick", "a .zvhd2 file", id="a licence"),
    pytest.param(
        an_image("a.zvhd2", min_disk=2000, **DATA),
        None,
        "normal",
        "min_disk must be at most 1024 for a data disk by quick import",
        id="a large data disk",
    ),
    pytest.param(an_image("a.zvhd2", min_disk=20, **DATA), None, "quick", "a .zvhd2 file", id="a small one"),
    pytest.param(
        an_image("a.zvhd2"), FileFacts(900 * GB), "quick", "a .zvhd2 file", id="a large ZVHD2 by quick import"
    ),
    pytest.param(an_image("a.vmdk", method="quick"), None, "quick", "the plan says so", id="as it was told"),
]


@pytest.mark.parametrize(("image", "file", "method", "why"), DECIDED)
def test_what_decides_is_what_the_methods_take(image: Image, file: FileFacts | None, method: str, why: str):
    choice = method_for(wish_of(image), file)

    assert choice.method is not None
    assert (choice.method.key, choice.why) == (method, why)


def test_what_nobody_has_seen_is_left_open():
    choice = method_for(wish_of(an_image("a.raw")))

    assert (choice.method, choice.objection) == (None, None)
    assert choice.why == "quick import if a .mf file lies beside it, else normal import"


def test_where_only_one_method_is_left_nothing_is_open():
    choice = method_for(wish_of(an_image("a.raw", license_type="byol")))

    assert choice.method is not None
    assert choice.method.key == "quick"


IMPOSSIBLE = [
    pytest.param(an_image("a.vmdk"), FileFacts(2**37 + 1), "128 GB", id="a large VMDK"),
    pytest.param(an_image("a.raw"), FileFacts(2**37 + 1, False), "128 GB", id="a large RAW without .mf"),
    pytest.param(an_image("a.vmdk", license_type="byol"), None, "license_type", id="a licence for a VMDK"),
    pytest.param(
        an_image("a.vmdk", min_disk=20, **DATA), None, "at least 40", id="a small data disk as VMDK"
    ),
    pytest.param(
        an_image("a.zvhd2", cmk_id=KEY, license_type="byol"), None, "license_type", id="a key and a licence"
    ),
]


@pytest.mark.parametrize(("image", "file", "word"), IMPOSSIBLE)
def test_what_no_method_takes_is_told_with_the_reasons_of_each(
    image: Image, file: FileFacts | None, word: str
):
    choice = method_for(wish_of(image), file)

    assert choice.method is None
    assert choice.objection is not None
    assert word in choice.why
    assert "quick import" in choice.why


def test_the_file_beside_is_asked_about_where_it_decides():
    assert str(companion_of(an_image("a.raw"))) == "bucket:a.mf"
    assert str(companion_of(an_image("a.raw", method="quick"))) == "bucket:a.mf"
    assert companion_of(an_image("a.raw", method="normal")) is None
    assert companion_of(an_image("a.raw", cmk_id=KEY)) is None
    assert companion_of(an_image("a.vmdk")) is None
