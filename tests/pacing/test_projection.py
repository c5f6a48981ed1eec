"""How long jobs take, and when the rest of a plan is done: played through by hand."""

import math
import random
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Wave
from migrator.domain.units import Threshold
from migrator.pacing.projection import Played, Projection, Running, TargetWork, Waiting
from migrator.pacing.survival import Observation, Survival, size_exponent
from migrator.workflow.states import State
from migrator.workflow.waves import Waves

NOW = 1_780_000_000.0
HOUR = 3600.0
SAME = [Observation(100.0, ended=True)] * 200
"""Jobs that all take 100 s, so many of them that no other is to be expected."""


def work(*waiting: int, **changes: object) -> TargetWork:
    """So many images that wait, wave by wave."""
    given: dict[str, object] = {
        "waiting": [Waiting(wave, 40.0) for wave, count in enumerate(waiting) for _ in range(count)],
        "running": [],
        "slots": 10,
        "interval": 0.0,
        "seen": SAME,
        "well": 1.0,
        "lost": 0.0,
        "lost_in_doubt": 0.0,
        "doubts": [1000.0],
    }
    return TargetWork(**{**given, **changes})  # type: ignore[arg-type]


def played(*targets: TargetWork, waves: Waves | None = None, seed: int = 0) -> Played:
    return Projection(targets, waves or Waves((), ()), NOW).play(random.Random(seed))


def waves_of(*waves: Wave, images: int = 10) -> Waves:
    """Waves of so many images each, none of them begun."""
    source = ObjectRef.parse("b:a.raw")
    return Waves(
        waves,
        [
            (Image(name="a", target="t", source=source, min_disk=1, wave=wave.name), State(key="t/a"))
            for wave in waves
            for _ in range(images)
        ],
    )


# --- How long jobs take ---------------------------------------------------------------------------------


def test_jobs_that_still_run_make_the_others_less_telling():
    """A quarter of the jobs took a minute, the others run for an hour. The mean of the ended ones says 60."""
    short = [Observation(60.0, ended=True)] * 10
    running = [Observation(HOUR, ended=False)] * 30

    mean, _ = Survival([*short, *running]).moments()

    assert mean > HOUR / 2


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.booleans()), min_size=1, max_size=60), st.floats(0.0, 1e6))
def test_durations_grow_with_the_chance_and_never_end_before_they_began(seen, spent):
    survival = Survival([Observation(seconds, ended) for seconds, ended in seen])
    chances = [0.0, 0.1, 0.5, 0.9, 0.99, 1.0 - 1e-12]

    drawn = [survival.draw(chance) for chance in chances]
    rests = [survival.draw_rest(spent, chance) for chance in chances]

    assert drawn == sorted(drawn)
    assert all(rest >= 0 and math.isfinite(rest) for rest in (*drawn, *rests))
    assert survival.hazard(spent) >= 0


def test_the_longest_job_seen_is_not_the_longest_there_can_be():
    dice = random.Random(1)
    law = [math.exp(dice.gauss(5.0, 0.8)) for _ in range(4000)]

    few = Survival([Observation(seconds, ended=True) for seconds in law[:50]])
    drawn = [few.draw(dice.random()) for _ in range(4000)]

    assert max(drawn) > max(law[:50])
    assert fmean(drawn) == pytest.approx(fmean(law), rel=0.2)


def test_what_a_job_still_takes_is_told_by_those_that_took_longer_than_it_ran_so_far():
    seen = [Observation(seconds, ended=True) for seconds in [60.0] * 50 + [600.0] * 50]

    rests = [Survival(seen).draw_rest(100.0, (n + 0.5) / 50) for n in range(49)]

    assert median(rests) == 500.0


def test_durations_follow_the_size_only_where_that_is_no_accident():
    dice = random.Random(3)
    sizes = [dice.choice([10.0, 40.0, 160.0]) for _ in range(60)]
    bound = [Observation(size * dice.uniform(4, 6), ended=True, size=size) for size in sizes]
    free = [Observation(dice.uniform(100, 900), ended=True, size=size) for size in sizes]

    assert size_exponent(bound) == pytest.approx(1.0, abs=0.05)
    assert size_exponent(free) == 0.0
    assert size_exponent(bound[:5]) == 0.0


# --- What is left ---------------------------------------------------------------------------------------


def test_slots_are_filled_again_as_they_become_free():
    assert played(work(35)).end - NOW == pytest.approx(400.0)


def test_many_images_played_in_chunks_end_when_they_would_one_by_one():
    assert played(work(100_000)).end - NOW == pytest.approx(1_000_000.0, rel=0.01)


def test_the_submit_rate_is_the_limit_where_it_is_the_narrower_one():
    assert played(work(60, slots=1000, interval=60.0)).end - NOW == pytest.approx(59 * 60 + 100)
    assert played(work(5000, slots=1000, interval=60.0)).end - NOW == pytest.approx(5000 * 60, rel=0.02)


def test_running_images_hold_their_slots_until_they_are_done():
    running = [Running(0, 40.0, spent) for spent in (0.0, 50.0, 80.0)]

    assert played(work(1, running=running, slots=1)).end - NOW == pytest.approx(200.0)


def test_the_end_is_that_of_the_slowest_target():
    assert played(work(10), work(30, slots=1)).end - NOW == pytest.approx(3000.0)


def test_nothing_ends_before_its_window_opens():
    waves = waves_of(Wave(name="a"), Wave(name="b", not_before=NOW + 72 * HOUR))
    found = played(work(10, 10), waves=waves)

    assert found.ends[0] < NOW + HOUR
    assert found.begins[1] == NOW + 72 * HOUR
    assert found.end >= NOW + 72 * HOUR + 100.0


def test_a_wave_that_may_begin_early_does():
    half = Threshold(fraction=0.5)
    waves = waves_of(Wave(name="a", proceed=half), Wave(name="b"))
    found = played(work(10, 10, slots=5), waves=waves)

    assert found.begins[1] == pytest.approx(NOW + 200.0)


def test_what_a_window_closes_on_is_never_submitted():
    waves = waves_of(Wave(name="a", not_after=NOW + 150.0), Wave(name="b"))
    found = played(work(10, 10, slots=3), waves=waves)

    assert found.never == 14
    assert found.end == NOW + 200.0


def test_a_lost_submission_comes_back_after_its_doubt():
    found = [played(work(10, lost=0.5), seed=seed).end - NOW for seed in range(20)]

    assert max(found) >= 1100.0
    assert all(end % 1000 == pytest.approx(100.0) for end in found)


def test_an_image_in_doubt_is_imported_again_when_it_was_lost():
    running = [Running(0, 40.0, 400.0, doubt=1000.0)]

    assert played(work(running=running, lost_in_doubt=1.0)).end - NOW == pytest.approx(700.0)


def test_very_many_images_under_way_end_when_they_would_one_by_one():
    """Played in bundles. Nothing waits, so that the end is that of the longest of 8,000 jobs."""
    dice = random.Random(7)
    took = [Observation(dice.lognormvariate(5.0, 0.6), ended=True) for _ in range(400)]
    running = [Running(0, 40.0, dice.uniform(0.0, 60.0)) for _ in range(8_000)]
    survival = Survival(took)

    def one_by_one() -> float:
        return max(survival.draw_rest(job.spent, dice.random()) for job in running)

    ends = [played(work(running=running, slots=8_000, seen=took), seed=seed).end - NOW for seed in range(20)]

    # What was seen is drawn anew in each round, which scatters more than the dice of one law.
    assert median(ends) == pytest.approx(median(one_by_one() for _ in range(6)), rel=0.15)


def test_images_under_way_in_bundles_hold_a_slot_each_until_they_are_done():
    """A limit that was lowered to 1,000 is kept from 3,000 for another 50 s; what waits begins after that."""
    running = [Running(0, 40.0, 50.0)] * 3_000

    rest = played(work(3_000, running=running, slots=1_000))

    assert rest.begins[0] == pytest.approx(NOW + 50.0, abs=1.0)
    assert rest.never == 0
