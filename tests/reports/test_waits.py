"""What the rest waits for, in one sentence for each reason, the same in every report."""

import io
import json

import pytest

from migrator.domain.cloud import Fault
from migrator.domain.plan import Policy, Wave
from migrator.domain.zone import zone
from migrator.reports.formats import FORMATS
from migrator.reports.headline import headline, next_step
from migrator.reports.summary import Summary, summary
from migrator.reports.terminal import live_status
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptThrottled,
    AttemptUnknown,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobSucceeded,
    RunBegan,
    StepBegan,
    StepUnknown,
    TargetHalted,
)
from migrator.workflow.ledger import fold
from tests.ledgers import START, image, plan_for

BEGAN = RunBegan(at=START, run="run-0", version="1.0", host="jump", pid=1)
QUOTA = Fault(code="IMG.0155", message="the quota is used up", remedy="Ask for more.")


def listed(count: int, wave: str | None = None, first: int = 0) -> list[Event]:
    return [
        ImagePlanned(at=START, key=f"north/web-{n}", image=image(f"web-{n}", wave=wave), digest="planned")
        for n in range(first, first + count)
    ]


def accepted(n: int, at: float = 0.0) -> list[Event]:
    return [
        AttemptBegan(at=START + at, key=f"north/web-{n}", attempt=1, digest="planned"),
        JobAccepted(at=START + at, key=f"north/web-{n}", job_id=f"job-{n}"),
    ]


def imported(n: int, at: float = 0.0) -> list[Event]:
    ended = START + at + 3.0
    return [
        *accepted(n, at),
        JobSucceeded(at=ended, key=f"north/web-{n}", image_id=f"image-{n}"),
        ImageVerified(at=ended, key=f"north/web-{n}", image_id=f"image-{n}"),
    ]


def summed(*events: Event, after: float = 305.0, waves: tuple[Wave, ...] = (), **more: object) -> Summary:
    plan = plan_for().model_copy(update={"waves": waves})
    return summary(fold(events), plan=plan, now=START + after, **more)  # type: ignore[arg-type]


WINDOW = (Wave(name="a", not_before=START + 86_400.0), Wave(name="b"))

CASES = [
    pytest.param(
        summed(BEGAN, *listed(173), *(event for n in range(3) for event in imported(n)), *accepted(3, 5.0)),
        "169 wait for 1 job: web-3, running 5 min, usually 3 s",
        id="a hung job, by its name",
    ),
    pytest.param(
        summed(BEGAN, *listed(2), *imported(0), *accepted(1, 5.0)),
        "1 job takes much longer than usual: web-1, running 5 min, usually 3 s",
        id="a hung job that nobody waits for",
    ),
    pytest.param(
        summed(BEGAN, *listed(2, "a"), waves=WINDOW, zone=zone("Asia/Shanghai")),
        "wave a begins at 2026-05-30 04:26 Asia/Shanghai",
        id="a window, in the zone of the plan",
    ),
    pytest.param(
        summed(BEGAN, *listed(1, "a"), *listed(1, "b", 1), waves=(Wave(name="a"), Wave(name="b"))),
        "wave b waits for wave a",
        id="a wave",
    ),
    pytest.param(
        summed(BEGAN, *listed(1), TargetHalted(at=START, target="north", fault=QUOTA)),
        "target north stopped: IMG.0155: the quota is used up: Ask for more.",
        id="the quota",
    ),
    pytest.param(
        summed(
            BEGAN,
            *listed(1),
            AttemptBegan(at=START, key="north/web-0", attempt=1, digest="planned"),
            AttemptThrottled(at=START, key="north/web-0", fault=Fault(code="APIGW.0308", message="slower")),
        ),
        "1 submitted again after a pause: APIGW.0308: slower",
        id="a service that throttles",
    ),
    pytest.param(
        summed(
            BEGAN,
            *listed(1),
            AttemptBegan(at=START, key="north/web-0", attempt=1, digest="planned"),
            AttemptThrottled(
                at=START, key="north/web-0", fault=Fault(code="APIGW.0308", message="slower"), pause=120.0
            ),
            after=1.0,
        ),
        "nothing is submitted to north for 2 min: APIGW.0308: slower",
        id="a service that asked us to wait",
    ),
    pytest.param(
        summed(BEGAN, *listed(900), *(event for n in range(110) for event in imported(n, 245.5 + n / 2))),
        "790 wait for the submit rate of north: 2/s (submit_rate)",
        id="the rate",
    ),
    pytest.param(
        summed(
            BEGAN,
            *listed(1),
            AttemptBegan(at=START, key="north/web-0", attempt=1, digest="planned"),
            AttemptUnknown(at=START, key="north/web-0", fault=QUOTA),
            AttemptHeld(at=START, key="north/web-0", fault=QUOTA),
        ),
        "1 held for a person: see in the console whether the image is there, then run again",
        id="a person",
    ),
]


@pytest.mark.parametrize(("facts", "sentence"), CASES)
def test_every_report_and_the_terminal_say_the_same_sentence(facts: Summary, sentence: str):
    assert sentence in facts.waits
    assert sentence in live_status(facts, run="").waits
    made = {}
    for form in ("json", "html", "md"):
        stream = io.BytesIO()
        FORMATS[form](facts, stream)
        made[form] = stream.getvalue().decode()
    assert sentence in json.loads(made["json"])["waits"]
    assert f"<li><bdi>{sentence}</bdi></li>" in made["html"]
    assert f"- {sentence}" in made["md"].replace("\\", "")


def test_nothing_that_is_done_waits():
    assert summed(BEGAN, *listed(1), *imported(0)).waits == ()


def test_a_closed_window_is_to_be_moved_and_not_run_again_into():
    waves = (Wave(name="a", not_after=START + 60.0),)

    facts = summed(BEGAN, *listed(2, "a"), waves=waves, running=False)

    assert "the window of wave a closed at 2026-05-28 20:27 UTC" in facts.waits
    assert next_step(facts).startswith("Move not_after of wave a in the plan: its window has closed.")
    assert "done" not in headline(facts)


def test_images_that_will_miss_their_window_are_counted_apart_from_others_that_are_left_out():
    images = [*listed(3, "a"), *listed(3, "b", 3)]
    done = [event for n in range(3) for event in imported(n)]

    def too_late(closes: float) -> int:
        waves = (Wave(name="a"), Wave(name="b", not_before=START + 7_200.0, not_after=START + closes))
        facts = summed(BEGAN, *images, *done, waves=waves)
        assert facts.eta.left_out == facts.eta.too_late
        return facts.eta.too_late

    assert too_late(86_400.0) == 0
    assert too_late(7_200.5) > 0


def test_an_end_is_never_promised_before_its_window_opens():
    images = [*listed(3, "a"), *listed(3, "b", 3)]
    done = [event for n in range(3) for event in imported(n)]
    waves = (Wave(name="a"), Wave(name="b", not_before=START + 3 * 86_400.0))

    facts = summed(BEGAN, *images, *done, waves=waves)

    assert facts.eta.range is not None
    assert facts.eta.range.earliest >= START + 3 * 86_400.0
    assert "done on 2026-05-31 between 20:26" in headline(facts) or "done on 2026-05-31 20:26" in headline(
        facts
    )
    (line,) = [line for line in facts.waves if line.name == "b"]
    assert line.begins is not None
    assert line.begins.earliest >= START + 3 * 86_400.0


def test_whoever_has_jobs_enough_does_not_wait_for_the_rate():
    busy = [event for n in range(110) for event in accepted(n, 245.5 + n / 2)]

    facts = summed(BEGAN, *listed(900), *busy)

    assert not any("submit rate" in sentence for sentence in facts.waits)


def test_a_pause_that_is_over_is_no_reason():
    slower = Fault(code="APIGW.0308", message="slower")
    began = AttemptBegan(at=START, key="north/web-0", attempt=1, digest="planned")
    throttled = AttemptThrottled(at=START, key="north/web-0", fault=slower, pause=120.0)

    facts = summed(BEGAN, *listed(1), began, throttled, after=121.0)

    assert not any("nothing is submitted" in sentence for sentence in facts.waits)


def test_shares_and_copies_are_waited_for_after_the_last_image():
    shown = image("web-0", copy_to=("south",), share_with=("a123456789abcdef0123456789abcdef",))
    key, fault = shown.key, Fault(message="no answer")
    done = [
        ImagePlanned(at=START, key=key, image=shown, digest="planned"),
        *imported(0),
        StepBegan(at=START + 4, key=key, step="copy:south"),
        StepUnknown(at=START + 5, key=key, step="copy:south", fault=fault),
    ]

    assert summed(BEGAN, *done).waits == (
        "1 share or copy in doubt: looked up before anything is sent again",
        "1 share or copy to go, at most five of a target at once",
    )


@pytest.mark.parametrize(
    ("final", "seconds"), [(True, "2 min"), (False, "17 min")], ids=["answered", "without a final answer"]
)
def test_an_attempt_in_doubt_waits_while_it_may_be_accepted_and_then_for_lists(final: bool, seconds: str):
    plan = plan_for().model_copy(update={"policy": Policy(settle=120.0)})
    began = AttemptBegan(at=START, key="north/web-0", attempt=1, digest="planned")
    unknown = AttemptUnknown(at=START, key="north/web-0", fault=Fault(message="no answer"), final=final)

    facts = summary(fold([BEGAN, *listed(1), began, unknown]), plan=plan, now=START + 1.0)

    assert f"1 in doubt: looked up for up to {seconds} before they are sent again" in facts.waits
