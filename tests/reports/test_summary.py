"""The ledger told to people: whatever happened, the numbers add up."""

import random
from collections import Counter
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.domain.plan import MarkerKind, Policy
from migrator.pacing.estimate import Spread, spread
from migrator.reports.causes import OVERDUE, CauseKind, normalised
from migrator.reports.runs import RunState
from migrator.reports.summary import ListingFacts, Summary, summary
from migrator.reports.tally import Tally
from migrator.reports.untrusted import one_line, plain
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRejected,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    DeadlinePassed,
    Event,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    RunBegan,
    RunEnded,
    TargetHalted,
    VisibilityLearned,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.states import Phase
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays
from tests.ledgers import START, histories, image, latest, ledgers, plan_for, random_ledger

DAMAGED = Fault(code="IMG.0057", message="The file is damaged.", remedy="Upload it again.")
HOUR = 3600.0


def run_began(at: float = START, run: str = "run-0") -> RunBegan:
    return RunBegan(at=at, run=run, version="1.0", host="jump", pid=4242)


def listed(one: Image, at: float = START) -> ImagePlanned:
    return ImagePlanned(at=at, key=one.key, image=one, digest="planned")


def submitted(one: Image, at: float) -> list[Event]:
    return [
        AttemptBegan(at=at, key=one.key, attempt=1, digest="planned"),
        JobAccepted(at=at, key=one.key, job_id=f"job-{one.name}"),
    ]


def imported(one: Image, at: float, took: float = 600.0) -> list[Event]:
    return [
        *submitted(one, at),
        JobSucceeded(at=at + took, key=one.key, image_id=f"image-{one.name}"),
        ImageVerified(at=at + took, key=one.key, image_id=f"image-{one.name}"),
    ]


def failed(one: Image, at: float, fault: Fault = DAMAGED, took: float = 60.0) -> list[Event]:
    return [*submitted(one, at), JobFailed(at=at + took, key=one.key, fault=fault)]


def summed(events: list[Event], now: float, **settings: Any) -> Summary:
    """The summary of a history under a plan whose targets have these limits."""
    running = settings.pop("running", None)
    return summary(fold(events), plan=plan_for(**settings), now=now, running=running)


def images(count: int, **fields: Any) -> list[Image]:
    return [image(f"web-{number:02d}", **fields) for number in range(count)]


# --- Laws -----------------------------------------------------------------------------------------------


@given(histories())
@settings(max_examples=60)
def test_after_every_single_event_each_grouping_adds_up_to_all_images(history: list[Event]):
    ledger = Ledger()
    for event in history:
        ledger.apply(event)
        facts = summary(ledger, plan=plan_for(), now=event.at)

        groupings = [facts.by_wave, facts.by_target, *facts.by_label.values()]
        assert facts.totals.images == len(ledger.planned) == len(facts.images)
        for grouping in groupings:
            columns = zip(*(tally.counts for tally in grouping.values()), strict=True)
            assert tuple(map(sum, columns)) == (facts.totals.counts if ledger.planned else ())


@given(ledgers(max_steps=120))
def test_every_number_agrees_with_a_recount_of_the_rows(ledger: Ledger):
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))
    rows = list(facts.images)

    statuses = Counter(row.status for row in rows)
    assert facts.totals.by_status == {phase: statuses[phase] for phase in Phase}
    assert facts.removed == sum(row.removed for row in rows)
    assert facts.drifted == sum(row.drifted for row in rows)
    assert facts.held == sum(row.held for row in rows)
    assert sum(cause.count for cause in facts.failures) == statuses[Phase.FAILED]
    assert facts.eta.images + facts.eta.left_out == facts.totals.unfinished
    finished = [row for row in rows if row.finished_at is not None]
    assert sum(each.succeeded + each.failed for each in facts.throughput.slices) == len(finished)
    for cause in (*facts.failures, *facts.waiting):
        assert cause.count == len(cause.keys) == sum(cause.owners.values())
    waiting = [key for cause in facts.waiting for key in cause.keys]
    assert len(waiting) == len(set(waiting))
    assert {cause.kind for cause in facts.failures} <= {CauseKind.FAILED}


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_the_same_ledger_at_the_same_moment_gives_the_same_summary(seed: int):
    first, second = (random_ledger(random.Random(seed), 20) for _ in range(2))

    one = summary(first, plan=plan_for(), now=latest(first))
    two = summary(second, plan=plan_for(), now=latest(second))

    assert list(one.images) == list(two.images)
    assert (one.totals, one.by_label, one.failures, one.eta) == (
        two.totals,
        two.by_label,
        two.failures,
        two.eta,
    )


def test_a_ledger_with_nothing_in_it_has_a_summary():
    facts = summary(Ledger(), plan=plan_for(), now=START)

    assert facts.totals == Tally(counts=(0,) * 10)
    assert (facts.eta.at, facts.eta.seconds, facts.eta.images) == (None, 0.0, 0)
    assert facts.throughput.per_hour is None
    assert facts.throughput.slices == ()
    assert list(facts.images) == []


def test_a_summary_does_not_change_when_the_ledger_goes_on():
    web = image()
    ledger = fold([run_began(), listed(web)])
    facts = summary(ledger, plan=plan_for(), now=START)

    for event in [listed(image("web-02")), *imported(web, START)]:
        ledger.apply(event)

    assert [row.status for row in facts.images] == [Phase.PENDING]


# --- Listings -------------------------------------------------------------------------------------------


def learned_by(by: ListedBy, **known: Any) -> VisibilityLearned:
    return VisibilityLearned(at=START, target="north", by=by, learned=VisibilityDelays(**known))


def test_what_was_learned_about_lists_is_told_with_the_time_that_follows_from_it():
    facts = summed(
        [learned_by(ListedBy.TAG, seen=40, longest_delay=50.0), learned_by(ListedBy.NAME, seen=1)], now=START
    )

    assert list(facts.listings) == ["north", "south"]
    north = facts.listings["north"]
    assert (north.by[ListedBy.TAG].listed, north.by[ListedBy.NAME].listed) == (True, None)
    assert north.settle == 150.0, "three times the longest delay of the surest way"
    assert facts.listings["south"] == ListingFacts(
        settle=inf, by={ListedBy.TAG: VisibilityDelays(), ListedBy.NAME: VisibilityDelays()}
    )


def test_a_settle_time_in_the_plan_is_in_force_whatever_was_learned():
    plan = plan_for("north").model_copy(update={"policy": Policy(settle="10m")})  # type: ignore[arg-type]

    facts = summary(fold([learned_by(ListedBy.TAG, seen=40)]), plan=plan, now=START)

    assert facts.listings["north"].settle == 600.0


def test_without_markers_only_lists_by_name_count():
    plan = plan_for("north").model_copy(update={"policy": Policy(marker=MarkerKind.NONE)})

    facts = summary(fold([learned_by(ListedBy.TAG, seen=40, longest_delay=50.0)]), plan=plan, now=START)

    assert facts.listings["north"] == ListingFacts(settle=inf, by={ListedBy.NAME: VisibilityDelays()})


# --- Rows -------------------------------------------------------------------------------------------------


def test_a_row_says_what_the_plan_and_the_journal_know():
    web = image(wave="pilot", labels={"owner": "li.wei"})

    row = summed([run_began(), listed(web), *imported(web, START, took=90.0)], now=START + 100).images[0]

    assert (row.key, row.name, row.target, row.wave) == ("north/web-01", "web-01", "north", "pilot")
    assert (row.status, row.image_id, row.job_id) == (Phase.SUCCEEDED, "image-web-01", "job-web-01")
    assert (row.submitted_at, row.finished_at, row.seconds, row.minutes) == (START, START + 90, 90.0, 1.5)
    assert (row.type, row.os, row.min_disk) == (ImageType.ECS, "CentOS 7.6 64bit", 40)
    assert (row.progress, row.error, len(row.attempts), row.labels) == (1.0, None, 1, {"owner": "li.wei"})


def test_a_data_disk_shows_its_os_type_and_an_image_without_a_wave_an_empty_one():
    disk = image(type=ImageType.DATA, os_version=None, os_type="Linux")

    row = summed([listed(disk)], now=START).images[0]

    assert (row.os, row.wave) == ("Linux", "")


def test_rows_are_made_when_they_are_asked_for_and_can_be_sliced():
    facts = summed([listed(one) for one in images(5)], now=START)

    assert [row.name for row in facts.images[3:]] == ["web-03", "web-04"]
    assert facts.images[-1].name == "web-04"
    assert facts.images[0] is not facts.images[0]


def test_a_clock_that_was_set_back_makes_no_negative_duration():
    web = image()

    facts = summed([run_began(), listed(web), *imported(web, START, took=-500.0)], now=START)

    assert facts.images[0].seconds == 0.0
    assert facts.durations.cloud == Spread(count=1, p50=0.0, p95=0.0, max=0.0)


@pytest.mark.parametrize(
    ("said", "shown"),
    [(0.25, 0.25), (1.7, 1.0), (-3.0, 0.0), (float("nan"), None), (float("inf"), 1.0)],
)
def test_progress_is_a_fraction_whatever_the_service_said(said: float, shown: float | None):
    web = image()
    events = [listed(web), *submitted(web, START), JobProgressed(at=START, key=web.key, progress=said)]

    assert summed(events, now=START).images[0].progress == shown


def test_an_image_that_left_the_plan_stays_and_is_marked():
    kept, gone = images(2)
    events = [listed(kept), listed(gone), *imported(gone, START), ImageRemoved(at=START + 700, key=gone.key)]

    facts = summed(events, now=START + 700)

    assert [(row.name, row.status, row.removed) for row in facts.images] == [
        ("web-00", Phase.PENDING, False),
        ("web-01", Phase.SUCCEEDED, True),
    ]
    assert (facts.removed, facts.totals.images) == (1, 2)


def test_an_image_edited_after_it_succeeded_is_marked_as_drift():
    web = image()
    edited = ImagePlanned(at=START + 700, key=web.key, image=web, digest="edited")

    facts = summed([listed(web), *imported(web, START), edited], now=START + 700)

    assert (facts.drifted, facts.images[0].drifted) == (1, True)


# --- Groups ---------------------------------------------------------------------------------------------


def test_images_without_a_wave_or_a_label_are_counted_under_the_empty_name():
    first, second, third = (
        image("a", wave="pilot", labels={"owner": "li.wei"}),
        image("b", labels={"owner": ""}),
        image("c", "south", labels={"rack": "A12"}),
    )

    facts = summed([listed(first), listed(second), listed(third)], now=START)

    assert {name: tally.images for name, tally in facts.by_wave.items()} == {"pilot": 1, "": 2}
    assert {name: tally.images for name, tally in facts.by_target.items()} == {"north": 2, "south": 1}
    assert facts.label_keys == ("owner", "rack")
    assert {value: tally.images for value, tally in facts.by_label["owner"].items()} == {"": 2, "li.wei": 1}
    assert {value: tally.images for value, tally in facts.by_label["rack"].items()} == {"": 2, "A12": 1}


def test_done_means_imported_or_there_before_and_cancelled_images_are_not_wanted():
    counts = Tally(counts=tuple(range(1, 11)))

    assert counts[Phase.PENDING] == 1
    assert counts.images == 55
    assert counts.wanted == 55 - counts[Phase.CANCELLED]
    assert counts.done == counts[Phase.SUCCEEDED] + counts[Phase.SKIPPED]
    assert counts.failed == counts[Phase.FAILED]
    assert counts.unfinished == sum(
        counts[phase]
        for phase in (
            Phase.PENDING,
            Phase.SUBMITTING,
            Phase.IN_DOUBT,
            Phase.RUNNING,
            Phase.VERIFYING,
            Phase.OVERDUE,
        )
    )


# --- One image's time line ------------------------------------------------------------------------------


def test_a_row_tells_waiting_from_cloud_time_and_cloud_time_from_verifying():
    web = image()
    busy = Fault(code="IMG.0060", message="busy")
    events = [
        run_began(),
        listed(web),
        AttemptBegan(at=START + 1, key=web.key, attempt=1, digest="planned"),
        AttemptThrottled(at=START + 2, key=web.key, fault=busy),
        AttemptBegan(at=START + 30, key=web.key, attempt=2, digest="planned"),
        JobAccepted(at=START + 31, key=web.key, job_id="job"),
        JobSucceeded(at=START + 600, key=web.key, image_id="image"),
        ImageVerified(at=START + 605, key=web.key, image_id="image"),
    ]

    row = summed(events, now=START + 700).images[0]

    assert (row.began_at, row.submitted_at, row.job_ended_at, row.finished_at) == (
        START + 1,
        START + 31,
        START + 600,
        START + 605,
    )


def test_requests_of_an_earlier_life_are_not_shown_as_the_beginning_of_this_one():
    web = image()
    over = [run_began(), listed(web), *imported(web, START), ImageReopened(at=START + 900, key=web.key)]
    found = [*over, ImageFound(at=START + 950, key=web.key, image_id="image", active=False)]
    refused = [
        run_began(),
        listed(web),
        AttemptBegan(at=START, key=web.key, attempt=1, digest="planned"),
        AttemptRejected(at=START + 1, key=web.key, fault=DAMAGED),
    ]
    again = [*refused, ImageReopened(at=START + 900, key=web.key)]

    beginnings = [
        summed(events, now=START + 999).images[0].began_at for events in (over, found, refused, again)
    ]

    assert beginnings == [None, None, START, None]


# --- Runs and throughput --------------------------------------------------------------------------------


def test_a_run_that_never_said_goodbye_was_killed_when_it_last_showed_life():
    web = image()
    events = [
        run_began(),
        listed(web),
        AttemptBegan(at=START + 40, key=web.key, attempt=1, digest="planned"),
        run_began(START + 9000, "run-1"),
        RunEnded(at=START + 9100, run="run-1", reason="deadline", exit_code=7),
        run_began(START + 9200, "run-2"),
    ]

    runs = summed(events, now=START + 9260).runs

    assert [(run.state, run.seconds, run.ended_at) for run in runs] == [
        (RunState.KILLED, 40.0, None),
        (RunState.ENDED, 100.0, START + 9100),
        (RunState.RUNNING, 60.0, None),
    ]
    assert (runs[1].reason, runs[1].exit_code) == ("deadline", 7)


def test_whoever_knows_that_nobody_holds_the_journal_learns_that_the_last_run_was_killed():
    facts = summed([run_began(), listed(image())], now=START + 9000, running=False)

    assert (facts.runs[-1].state, facts.runs[-1].seconds) == (RunState.KILLED, 0.0)


def test_throughput_counts_only_the_time_in_which_something_ran():
    first, second, third = images(3)
    night = 12 * HOUR
    events = [
        run_began(),
        *map(listed, (first, second, third)),
        *imported(first, START),
        RunEnded(at=START + HOUR, run="run-0", reason="signal", exit_code=130),
        run_began(START + night, "run-1"),
        *failed(second, START + night),
        *imported(third, START + night),
    ]

    throughput = summed(events, now=START + night + HOUR / 2).throughput

    assert throughput.running_seconds == 1.5 * HOUR
    assert throughput.per_hour == 2.0
    assert throughput.last_hour == 2
    finished = [(each.succeeded, each.failed) for each in throughput.slices]
    assert (sum(good for good, _ in finished), sum(bad for _, bad in finished)) == (2, 1)
    assert throughput.slice_seconds == 900.0


def test_what_is_possible_follows_the_narrower_of_window_and_submit_rate_of_every_target():
    north, south = image("a"), image("b", "south")
    events = [run_began(), listed(north), listed(south), *imported(north, START, took=600.0)]
    events += imported(south, START, took=1200.0)

    by_window = summed(events, now=START + 1300, max_jobs=10)
    by_rate = summed(events, now=START + 1300, max_jobs=10, submit_rate="30/h")
    nothing_yet = summed(events[:3], now=START + 1)

    assert by_window.throughput.possible_per_hour == 10 * 6 + 10 * 3
    assert by_rate.throughput.possible_per_hour == 30 + 30
    assert nothing_yet.throughput.possible_per_hour is None


def test_buckets_have_no_gaps_and_stay_few_however_long_the_migration_takes():
    web = image()
    events = [run_began(), listed(web), *imported(web, START)]

    throughput = summed(events, now=START + 400 * 24 * HOUR).throughput

    steps = {
        after.at - before.at for before, after in zip(throughput.slices, throughput.slices[1:], strict=False)
    }
    assert steps == {throughput.slice_seconds}
    assert len(throughput.slices) <= 98
    assert throughput.slices[0].at <= START
    assert throughput.slices[-1].at <= START + 400 * 24 * HOUR


# --- Durations ------------------------------------------------------------------------------------------


def test_percentiles_are_values_that_were_measured():
    assert spread([]) is None
    assert spread([5.0]) == Spread(count=1, p50=5.0, p95=5.0, max=5.0)
    assert spread(float(n) for n in range(1, 101)) == Spread(count=100, p50=50.0, p95=95.0, max=100.0)
    assert spread([3.0, 1.0]) == Spread(count=2, p50=1.0, p95=3.0, max=3.0)


def test_cloud_time_is_measured_on_successes_that_no_pause_between_runs_overlapped():
    quick, broken, interrupted = images(3)
    events = [
        run_began(),
        *map(listed, (quick, broken, interrupted)),
        *imported(quick, START, took=600.0),
        *failed(broken, START, took=1.0),
        *submitted(interrupted, START + 100),
        run_began(START + 9000, "run-1"),
        JobSucceeded(at=START + 9001, key=interrupted.key, image_id="image-2"),
        ImageVerified(at=START + 9001, key=interrupted.key, image_id="image-2"),
    ]

    facts = summed(events, now=START + 9010)

    assert facts.durations.cloud == Spread(count=1, p50=600.0, p95=600.0, max=600.0)
    assert facts.images[2].seconds == 8901.0


def test_submit_wait_runs_from_the_first_request_of_the_current_life_to_acceptance():
    web = image()
    events: list[Event] = [
        run_began(),
        listed(web),
        *failed(web, START),
        ImageReopened(at=START + 1000, key=web.key),
        AttemptBegan(at=START + 1000, key=web.key, attempt=2, digest="planned"),
        AttemptThrottled(at=START + 1001, key=web.key, fault=DAMAGED),
        AttemptBegan(at=START + 1010, key=web.key, attempt=3, digest="planned"),
        AttemptUnknown(at=START + 1020, key=web.key, fault=DAMAGED),
        AttemptNotFound(at=START + 1040, key=web.key, looked_for=20.0),
        AttemptBegan(at=START + 1050, key=web.key, attempt=4, digest="planned"),
        JobAccepted(at=START + 1060, key=web.key, job_id="job-4"),
    ]

    assert summed(events, now=START + 1060).durations.submit == Spread(count=1, p50=60.0, p95=60.0, max=60.0)


# --- Causes ---------------------------------------------------------------------------------------------


def test_failures_that_differ_only_in_ids_numbers_and_names_are_one_cause():
    first, second, third = (
        image("web-prod", labels={"owner": "li.wei"}),
        image("db-prod", labels={"owner": "li.wei"}),
        image("cache-prod"),
    )
    words = "image {} ({}) has 3f2504e0-4f89-11d3-9a0c-{:012d}, {} bytes"
    events = [run_began(), *map(listed, (first, second, third))]
    for number, one in enumerate((first, second, third)):
        text = words.format(one.name, one.image_url, number, number * 1000)
        fault = Fault(code="IMG.0057", message=text, remedy="Upload it again.", request_id=f"r{number}")
        events += failed(one, START + number, fault)

    (cause,) = summed(events, now=START + 100).failures

    assert cause.message == "image … (…) has …, … bytes"
    assert (cause.code, cause.remedy, cause.count, cause.request_id) == (
        "IMG.0057",
        "Upload it again.",
        3,
        "r0",
    )
    assert cause.keys == ("north/web-prod", "north/db-prod", "north/cache-prod")
    assert (cause.first_at, cause.last_at) == (START + 60, START + 62)
    assert list(cause.owners.items()) == [("li.wei", 2), ("", 1)]


def test_a_message_that_all_share_is_shown_as_it_is():
    one, other = images(2)
    fault = Fault(code="IMG.0057", message="job 12 of queue 7 failed")

    (cause,) = summed(
        [run_began(), listed(one), listed(other), *failed(one, START, fault), *failed(other, START, fault)],
        now=START + 100,
    ).failures

    assert cause.message == "job 12 of queue 7 failed"


def test_the_most_frequent_cause_comes_first():
    one, two, three = images(3)
    rare = Fault(code="A.1", message="rare")
    events = [run_began(), *map(listed, (one, two, three)), *failed(one, START, rare)]
    events += [*failed(two, START), *failed(three, START)]

    assert [(cause.code, cause.count) for cause in summed(events, now=START + 100).failures] == [
        ("IMG.0057", 2),
        ("A.1", 1),
    ]


def test_a_rejected_request_is_a_failure_with_its_own_words():
    web = image()
    events: list[Event] = [
        run_began(),
        listed(web),
        AttemptBegan(at=START, key=web.key, attempt=1, digest="planned"),
        AttemptRejected(at=START + 1, key=web.key, fault=DAMAGED),
    ]

    facts = summed(events, now=START + 2)

    assert (facts.failures[0].message, facts.images[0].error, facts.images[0].seconds) == (
        DAMAGED.message,
        DAMAGED,
        None,
    )


@pytest.mark.parametrize(
    ("message", "same"),
    [
        pytest.param("retry in 30 s", "retry in … s", id="a number"),
        pytest.param("took 1,024.5 s", "took … s", id="a number with marks"),
        pytest.param("IMG.0057 twice", "IMG.0057 twice", id="a code stays"),
        pytest.param("job ff80808294a1b2c3d4e5", "job …", id="a long hex word"),
        pytest.param("the facade failed", "the facade failed", id="an ordinary word of hex letters"),
        pytest.param("镜像文件损坏", "镜像文件损坏", id="Chinese"),
    ],
)
def test_normalising_takes_out_what_differs_and_leaves_the_words(message: str, same: str):
    assert normalised(message) == same


def test_each_unfinished_image_that_stands_still_says_why():
    held, doubt, overdue, refused, halted, fine = (
        image("held"),
        image("doubt"),
        image("overdue"),
        image("refused"),
        image("halted", "south"),
        image("fine"),
    )
    quota = Fault(code="IMG.0155", message="no quota left")
    events: list[Event] = [run_began(), *map(listed, (held, doubt, overdue, refused, halted, fine))]
    events += [
        *(AttemptBegan(at=START, key=one.key, attempt=1, digest="planned") for one in (held, doubt, refused)),
        AttemptUnknown(at=START + 1, key=held.key, fault=DAMAGED),
        AttemptHeld(at=START + 2, key=held.key, fault=Fault(code="MIG.hold", message="decide")),
        AttemptUnknown(at=START + 1, key=doubt.key, fault=Fault(message="timed out")),
        AttemptRetryable(at=START + 1, key=refused.key, fault=Fault(code="IMG.0060", message="busy")),
        *submitted(overdue, START),
        DeadlinePassed(at=START + 3, key=overdue.key),
        *submitted(fine, START),
        TargetHalted(at=START + 4, target="south", fault=quota),
    ]

    facts = summed(events, now=START + 10)

    assert {(cause.kind, cause.code, cause.keys) for cause in facts.waiting} == {
        (CauseKind.HELD, "MIG.hold", ("north/held",)),
        (CauseKind.IN_DOUBT, "", ("north/doubt",)),
        (CauseKind.OVERDUE, OVERDUE.code, ("north/overdue",)),
        (CauseKind.RETRYING, "IMG.0060", ("north/refused",)),
        (CauseKind.HALTED, "IMG.0155", ("south/halted",)),
    }
    assert facts.halted == {"south": quota}


def test_a_target_that_stopped_in_an_earlier_run_is_not_stopped_now():
    web = image()
    events: list[Event] = [
        run_began(),
        listed(web),
        TargetHalted(at=START, target="north", fault=DAMAGED),
        RunEnded(at=START, run="run-0", reason="quota", exit_code=7),
        run_began(START + 100, "run-1"),
    ]

    facts = summed(events, now=START + 100)

    assert (facts.halted, facts.waiting) == ({}, ())
    assert facts.runs[0].halted == {"north": DAMAGED}


def test_an_import_found_without_an_attempt_has_no_times_and_still_counts():
    web = image()
    found = ImageFound(at=START, key=web.key, image_id="image-1", active=False)

    facts = summed([run_began(), listed(web), found], now=START + 10)

    assert (facts.images[0].submitted_at, facts.eta.images, facts.durations.submit) == (None, 1, None)


# --- Untrusted text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("plain", "plain", id="ordinary"),
        pytest.param("one\r\ntwo\tthree", "one two three", id="line breaks and tabs become spaces"),
        pytest.param("a\x00b\x1b[31mc\x7f", "ab[31mc", id="control characters go"),
        pytest.param("abc\u202etxt.exe", "abctxt.exe", id="marks that turn the direction go"),
        pytest.param("half\ud83d", "half", id="half a surrogate pair goes"),
        pytest.param("👩‍💻 名字\u00a0é", "👩‍💻 名字\u00a0é", id="joined emoji, Chinese and hard spaces stay"),
        pytest.param(" \n ", "", id="nothing but blanks"),
        pytest.param("a \x1b b", "a b", id="blanks around what goes are one"),
    ],
)
def test_untrusted_text_becomes_one_harmless_line(text: str, line: str):
    assert one_line(text) == line


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_no_text_keeps_anything_that_could_break_a_line_or_an_encoding(text: str):
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    line.encode("utf-8")
    assert not any(ord(letter) < 32 for letter in line)
    assert one_line(line) == line


def test_a_fault_without_anything_odd_is_left_as_it_is():
    assert plain(DAMAGED) is DAMAGED
    odd = Fault(code="A\n1", message="m\x00", remedy="r\t!", request_id="\x1bid", status=400)
    assert plain(odd) == Fault(code="A 1", message="m", remedy="r !", request_id="id", status=400)
