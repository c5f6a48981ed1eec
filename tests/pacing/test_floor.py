"""How long a run takes at best."""

from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Limits, Plan, Target
from migrator.domain.units import Rate
from migrator.pacing.estimate import makespan, sample
from migrator.pacing.floor import TYPICAL, floors
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.states import Attempt, Phase, State


def a_plan(**limits: object) -> Plan:
    target = Target(
        name="north",
        region="cn-north-4",
        ims_endpoint="https://ims.example",
        iam_endpoint="https://iam.example",
        obs_endpoint="https://obs.example",
        limits=Limits(**limits),  # type: ignore[arg-type]
    )
    return Plan(name="dc", targets={"north": target}, images=())


def a_ledger(*states: State) -> Ledger:
    planned = {
        state.key: Planned(
            image=Image(name=state.key, target="north", source=ObjectRef.parse("b:a.raw"), min_disk=1),
            digest="",
        )
        for state in states
    }
    return Ledger(planned=planned, states={state.key: state for state in states})


def pending(count: int) -> list[State]:
    return [State(key=f"new-{n}") for n in range(count)]


def done(name: str, seconds: float) -> State:
    return State(key=name, phase=Phase.SUCCEEDED, submitted_at=100.0, job_ended_at=100.0 + seconds)


def test_without_experience_a_usual_time_is_assumed():
    ledger = a_ledger(*pending(81))

    (floor,) = floors(a_plan(submit_rate=Rate(count=1000, unit="s")), ledger, ledger.states, 0.0)

    assert (floor.images, floor.running, floor.typical, floor.learned) == (81, 0, TYPICAL, False)
    assert 3 * TYPICAL <= floor.seconds < 3 * TYPICAL + 1  # forty at once, in three rounds


def test_the_rate_counts_too():
    ledger = a_ledger(*pending(10))

    (floor,) = floors(a_plan(submit_rate=Rate(count=1, unit="m")), ledger, ledger.states, 0.0)

    assert floor.seconds == 9 * 60.0 + TYPICAL


def test_what_earlier_jobs_took_is_what_the_next_ones_take():
    ledger = a_ledger(done("a", 50.0), done("b", 50.0), *pending(1))

    (floor,) = floors(a_plan(), ledger, ["new-0"], 1000.0)

    assert (floor.seconds, floor.typical, floor.learned) == (50.0, 50.0, True)


def test_jobs_under_way_hold_their_slots():
    attempt = Attempt(number=1, began_at=900.0)
    running = State(key="run", phase=Phase.RUNNING, attempts=(attempt,), submitted_at=900.0)
    ledger = a_ledger(done("a", 300.0), running, *pending(1))

    (floor,) = floors(a_plan(max_jobs=1), ledger, ["run", "new-0"], 1000.0)

    assert floor.running == 1
    assert floor.seconds == 200.0 + 300.0


def test_nothing_to_do_has_no_floor():
    assert floors(a_plan(), a_ledger(done("a", 1.0)), [], 0.0) == []


def test_a_window_that_was_narrowed_first_lets_jobs_end_before_others_begin():
    together = makespan(pending=1, elapsed=[0.0, 50.0, 80.0], window=1, interval=0.0, times=[100.0])

    assert together == 200.0


@given(
    pending=st.integers(0, 40),
    running=st.integers(0, 10),
    window=st.integers(1, 12),
    interval=st.floats(0.0, 30.0),
    times=st.lists(st.floats(1.0, 5000.0), min_size=1, max_size=20).map(sorted),
)
def test_the_floor_is_never_below_what_window_and_rate_make_possible(
    pending: int, running: int, window: int, interval: float, times: list[float]
):
    rest = makespan(pending=pending, elapsed=[0.0] * running, window=window, interval=interval, times=times)

    assert rest >= max(0.0, (pending - 1) * interval + times[0] if pending else 0.0) * 0.999
    assert rest >= (pending * times[0]) / window * 0.999
    assert rest <= (pending + running) * (times[-1] + interval) + 1e-6


def test_a_sample_of_many_durations_keeps_the_shortest_and_the_longest():
    chosen = sample([float(n) for n in range(10_000)])

    assert (chosen[0], chosen[50], chosen[-1], len(chosen)) == (0.0, 4999.0, 9999.0, 101)
