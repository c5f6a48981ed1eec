"""One sentence that somebody reads instead of the report."""

import pytest
from hypothesis import given
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.units import span
from migrator.domain.zone import UTC_ZONE, zone
from migrator.reports.estimate import Estimate, Range
from migrator.reports.headline import between, headline, next_step
from migrator.reports.summary import Summary, summary
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptUnknown,
    Event,
    ImagePlanned,
    ImageRemoved,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobSucceeded,
    RunBegan,
    RunEnded,
    TargetHalted,
)
from migrator.workflow.ledger import Ledger, fold
from tests.ledgers import START, image, latest, ledgers, plan_for

HOUR = 3600.0
DAMAGED = Fault(code="IMG.0057", message="The file is damaged.", remedy="Upload it again.")
BEGAN = RunBegan(at=START, run="run-0", version="1.0", host="jump", pid=1)
ENDED = RunEnded(at=START + 4000, run="run-0", reason="stopped", exit_code=7)


def listed(count: int) -> list[Event]:
    return [
        ImagePlanned(at=START, key=f"north/web-{n}", image=image(f"web-{n}"), digest="planned")
        for n in range(count)
    ]


def accepted(n: int, at: float = 0.0) -> list[Event]:
    return [
        AttemptBegan(at=START + at, key=f"north/web-{n}", attempt=1, digest="planned"),
        JobAccepted(at=START + at, key=f"north/web-{n}", job_id=f"job-{n}"),
    ]


def imported(n: int, at: float = 0.0) -> list[Event]:
    return [
        *accepted(n, at),
        JobSucceeded(at=START + at + 600, key=f"north/web-{n}", image_id=f"image-{n}"),
        ImageVerified(at=START + at + 600, key=f"north/web-{n}", image_id=f"image-{n}"),
    ]


def failed(n: int) -> list[Event]:
    return [*accepted(n), JobFailed(at=START + 60, key=f"north/web-{n}", fault=DAMAGED)]


def held(n: int) -> list[Event]:
    return [
        AttemptBegan(at=START, key=f"north/web-{n}", attempt=1, digest="planned"),
        AttemptUnknown(at=START, key=f"north/web-{n}", fault=DAMAGED),
        AttemptHeld(at=START, key=f"north/web-{n}", fault=DAMAGED),
    ]


def summed(*events: Event, now: float = START + 4000, running: bool | None = None) -> Summary:
    return summary(fold(events), plan=plan_for(max_jobs=1), now=now, running=running)


@pytest.mark.parametrize(
    ("events", "running", "sentence"),
    [
        pytest.param([], None, "no images yet", id="an empty plan"),
        pytest.param(listed(3), None, "0 of 3 images imported, not started", id="before the first run"),
        pytest.param(
            [BEGAN, *listed(2)],
            True,
            "0 of 2 images imported, running, no estimate: no image is done yet",
            id="just begun",
        ),
        pytest.param(
            [BEGAN, *listed(2), *imported(0), *held(1)],
            True,
            "1 of 2 images imported, 1 held for a person",
            id="all that is left needs a person",
        ),
        pytest.param(
            [BEGAN, *listed(4), *imported(0), ENDED],
            None,
            "1 of 4 images imported, stopped with 3 to go, about 38 min of running",
            id="stopped in good order",
        ),
        pytest.param([BEGAN, *listed(2)], False, "0 of 2 images imported, killed with 2 to go", id="killed"),
        pytest.param(
            [BEGAN, *listed(1), *imported(0), ENDED], None, "the image is imported", id="one of one"
        ),
        pytest.param(
            [BEGAN, *listed(2), *imported(0), *imported(1), ENDED], None, "all 2 images imported", id="all"
        ),
        pytest.param(
            [BEGAN, *listed(2), *imported(0), *failed(1), ENDED],
            None,
            "1 of 2 images imported, 1 failed",
            id="over, with a failure",
        ),
        pytest.param(
            [BEGAN, *listed(2), *imported(0), ImageSkipped(at=START, key="north/web-1", image_id="i")],
            None,
            "1 of 2 images imported, 1 there before",
            id="what was there before is not counted as imported",
        ),
        pytest.param(
            [*listed(1), ImageRemoved(at=START, key="north/web-0")],
            None,
            "1 image cancelled, nothing to import",
            id="everything left the plan",
        ),
        pytest.param(listed(1200), None, "0 of 1,200 images imported, not started", id="large numbers"),
    ],
)
def test_the_headline_says_how_far_what_failed_and_when(
    events: list[Event], running: bool | None, sentence: str
):
    assert headline(summed(*events, running=running)) == sentence


@pytest.mark.parametrize(
    ("events", "running", "sentence"),
    [
        pytest.param([], None, "Start with `migrator run PLAN`.", id="an empty plan"),
        pytest.param(listed(1), None, "Start with `migrator run PLAN`.", id="before the first run"),
        pytest.param([BEGAN, *listed(1)], True, "", id="nothing but waiting"),
        pytest.param([BEGAN, *listed(1), ENDED], None, "Continue with `migrator run PLAN`.", id="stopped"),
        pytest.param(
            [BEGAN, *listed(1), *failed(0), ENDED],
            None,
            "Fix the causes of the failures, then `migrator run PLAN --retry-failed`.",
            id="failures",
        ),
        pytest.param(
            [BEGAN, *listed(1), TargetHalted(at=START, target="north", fault=DAMAGED), ENDED],
            None,
            "Target north stopped submitting: Upload it again. Continue with `migrator run PLAN`.",
            id="a target that stopped",
        ),
        pytest.param(
            [BEGAN, *listed(1), *held(0), ENDED],
            None,
            "Look in the console for the 1 held: if an image is there, `migrator run PLAN` adopts it; "
            "if it is not, add `--again TARGET/NAME`.",
            id="a person decides",
        ),
        pytest.param([BEGAN, *listed(1), *imported(0), ENDED], None, "Nothing is left to do.", id="done"),
        pytest.param(
            [
                BEGAN,
                *listed(1),
                *imported(0),
                ImagePlanned(at=START, key="north/web-0", image=image("web-0", min_disk=99), digest="edited"),
                ENDED,
            ],
            None,
            "1 image edited after import: to have one again, add `--again TARGET/NAME`.",
            id="drift",
        ),
    ],
)
def test_the_next_step_is_something_that_a_person_can_do(
    events: list[Event], running: bool | None, sentence: str
):
    assert next_step(summed(*events, running=running)) == sentence


@given(ledgers(max_images=8, max_steps=80))
def test_whatever_happened_there_is_one_line_to_say_about_it(ledger: Ledger):
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))

    assert headline(facts).isprintable()
    assert next_step(facts).isprintable()
    assert ("failed" in headline(facts)) == bool(facts.totals.failed)


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        pytest.param(0.0, "today 20:26", id="now"),
        pytest.param(12_799.0, "today 23:59", id="the last minute of the day"),
        pytest.param(12_800.0, "tomorrow 00:00", id="midnight"),
        pytest.param(99_200.0, "on 2026-05-30 00:00", id="after tomorrow"),
        pytest.param(-86_400.0, "yesterday 20:26", id="a day ago"),
    ],
)
def test_a_moment_is_told_from_the_day_of_the_report(ahead: float, text: str):
    assert UTC_ZONE.day_and_time(START + ahead, START) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("UTC", "today between 20:36 and 21:26 UTC", id="UTC"),
        pytest.param("Asia/Shanghai", "today between 04:36 and 05:26 Asia/Shanghai", id="no summer time"),
        pytest.param("America/New_York", "today between 16:36 and 17:26 America/New_York", id="summer time"),
        pytest.param("Asia/Kolkata", "today between 02:06 and 02:56 Asia/Kolkata", id="half an hour"),
        pytest.param(
            "Atlantic/Azores", "today between 20:36 and 21:26 Atlantic/Azores", id="UTC only in summer"
        ),
        pytest.param(
            "Europe/Moscow", "between today 23:36 and tomorrow 00:26 Europe/Moscow", id="over midnight there"
        ),
    ],
)
def test_a_range_is_told_in_the_words_of_its_zone(name: str, text: str):
    moments = Range(earliest=START + 600, at=START + 1200, latest=START + 3600)

    assert between(moments, START, zone(name)) == text


def test_today_and_tomorrow_are_those_of_the_zone():
    """At 20:26 UTC it is the next day in Shanghai, and four hours later it still is."""
    moments = Range(earliest=START + 4 * HOUR, at=START + 4 * HOUR, latest=START + 4 * HOUR)

    assert between(moments, START, UTC_ZONE) == "tomorrow 00:26 UTC"
    assert between(moments, START, zone("Asia/Shanghai")) == "today 08:26 Asia/Shanghai"


def test_a_range_of_several_days_names_the_days():
    moments = Range(earliest=START + 30 * HOUR, at=START + 60 * HOUR, latest=START + 90 * HOUR)

    assert between(moments, START, UTC_ZONE) == "between 2026-05-30 02:26 and 2026-06-01 14:26 UTC"


def test_the_headline_tells_the_range_of_the_estimate_and_what_it_leaves_out():
    moments = Range(earliest=START + 5000, at=START + 5600, latest=START + 6000)
    facts = replace(
        summed(BEGAN, *listed(4), *imported(0), *failed(1), running=True),
        eta=Estimate(range=moments, seconds=1600.0, images=1, left_out=1),
    )

    assert headline(facts) == (
        "1 of 4 images imported, 1 failed, done today between 21:50 and 22:06 UTC, all but 1"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3569.0, "59 min"),
        (3571.0, "1 h"),
        (12_000.0, "3 h 20 min"),
        (86_370.0, "1 d"),
        (86_400.0 * 2 + 3600 * 4, "2 d 4 h"),
        (172_799.0, "2 d"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str):
    assert span(seconds) == text
