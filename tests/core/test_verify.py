"""Whether an image is what the plan asked for."""

import pytest

from migrator.core.reconcile import marker
from migrator.core.verify import differences
from migrator.model import CloudImage, Image

WEB = Image(
    name="web-01",
    target="north",
    image_url="b:web-01.zvhd2",
    min_disk=40,
    os_version="CentOS 7.6 64bit",
    architecture="x86",
    image_tags={"app": "shop"},
)
MARKER = marker("dc-east", WEB.key)
SAME = {
    "id": "i-1",
    "name": "web-01",
    "status": "active",
    "tags": {"app": "shop", **MARKER.tags},
    "min_disk": 40,
    "os_version": "CentOS 7.6 64bit",
    "architecture": "x86",
    "virtual_env_type": "FusionCompute",
    "size": 5,
}


def wrong(**changes: object) -> list[str]:
    return differences(WEB, MARKER, CloudImage(**{**SAME, **changes}))  # type: ignore[arg-type]


def test_an_image_as_asked_has_no_differences():
    assert wrong() == []


def test_what_the_service_does_not_say_is_not_held_against_the_image():
    silent = dict.fromkeys(("min_disk", "os_version", "architecture", "virtual_env_type", "size"))

    assert wrong(**silent, tags={}) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"status": "saving"}, "status is 'saving', not 'active'", id="unfinished"),
        pytest.param({"min_disk": 20}, "min_disk is 20, not 40", id="disk"),
        pytest.param({"os_version": "Debian"}, "os_version is 'Debian'", id="os"),
        pytest.param({"architecture": "arm"}, "architecture is 'arm'", id="architecture"),
        pytest.param({"virtual_env_type": "DataImage"}, "type is 'DataImage'", id="kind"),
        pytest.param({"size": 0}, "its size is 0 bytes", id="empty"),
        pytest.param({"tags": MARKER.tags}, "tags are missing: app=shop", id="tag"),
        pytest.param({"tags": {"app": "shop"}}, "tags are missing: migrator_item=", id="marker"),
    ],
)
def test_each_difference_is_named_with_both_values(changes, text):
    (said,) = wrong(**changes)

    assert text in said
