"""What a plan says but for its images, and that a journal keeps images as they were read."""

from pathlib import Path

import pytest

from migrator.cli.wiring import load
from migrator.domain.errors import PlanError
from migrator.journal.codec import image_text, read_image
from migrator.plan import parse_settings, parse_whole
from tests.plan.test_inventory import opened
from tests.plan.test_plan import HEAD, WEB

PLANS = Path(__file__).parents[2] / "plans"
ROWS = [
    ("name", "image_url", "os_version", "min_disk"),
    ("db-01", "mig-bucket:db-01.zvhd2", "CentOS 7.6 64bit", "40"),
]
LIMITS = "[limits]\nmax_jobs = 50\n"  # more than is documented, and so worth a second look


def test_settings_are_the_plan_but_for_its_images_and_say_what_is_said_of_the_rest():
    text = f'{HEAD}{LIMITS}[[waves]]\nname = "all"\n{WEB}[[inventory]]\nfile = "b.csv"\n'

    whole = parse_whole(text.encode(), path="plan.toml", open_sheet=opened(ROWS))
    settings = parse_settings(text.encode(), path="plan.toml")

    assert settings.plan == whole.plan.model_copy(update={"images": ()})
    assert settings.problems == whole.problems != []
    assert (settings.lists, whole.settled, len(whole.plan.images)) == (["b.csv"], True, 2)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(WEB.replace('"web-01"', '"web-02"'), id="an image"),
        pytest.param('[[waves]]\nname = "first"\n[[waves]]\nname = "rest"\n', id="images beside waves"),
    ],
)
def test_what_is_worth_a_second_look_about_images_is_no_matter_of_settings(more):
    whole = parse_whole(f"{HEAD}{WEB}{more}".encode(), path="plan.toml")

    assert (len(whole.problems), whole.settled) == (1, False)
    assert parse_settings(f"{HEAD}{WEB}{more}".encode(), path="plan.toml").problems == []


def test_settings_that_are_wrong_are_an_error():
    with pytest.raises(PlanError, match="region"):
        parse_settings(f"{HEAD}{WEB}".replace("cn-north-4", "CN NORTH").encode(), path="plan.toml")


@pytest.mark.parametrize("name", ["full", "machines", "sixty", "thousand"])
def test_images_are_the_same_once_they_were_written_down(name):
    """Of every key there is: or a journal could not stand for the lists."""
    path = PLANS / f"{name}.toml"
    images = load(path)[0].images

    assert tuple(read_image(image_text(image)) for image in images) == images
