"""The view of a terminal: lines that fit, say what is known, and do nothing else."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.cells import cell_len
from migrator.domain.cloud import Fault
from migrator.reports.estimate import Estimate, Range
from migrator.reports.styled import painted
from migrator.reports.summary import Summary, summary
from migrator.reports.tally import Tally, cells
from migrator.reports.terminal import (
    Failure,
    LiveStatus,
    Pressure,
    Speed,
    live_status,
    standing,
    view,
)
from migrator.reports.throughput import Throughput
from migrator.reports.untrusted import spelled_out
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase
from tests.ledgers import START, latest, ledgers, plan_for

NOW = START + 7200.0
FULL = Speed(now=2.0, most=2.0)


def tally(**counts: int) -> Tally:
    return Tally(counts=tuple(counts.get(phase.value, 0) for phase in Phase))


def pressure(target: str = "north", **changes: Any) -> Pressure:
    given: dict[str, Any] = {
        "submits": FULL,
        "queries": Speed(now=10.0, most=10.0),
        "jobs": 38,
        "job_limit": 40,
        "most": 40,
    }
    return Pressure(target=target, **{**given, **changes})


def around(moment: float) -> Range:
    return Range(earliest=moment - 600, at=moment, latest=moment + 900)


def some_facts(**changes: Any) -> LiveStatus:
    given: dict[str, Any] = {
        "name": "dc-east",
        "now": NOW,
        "totals": tally(succeeded=410, skipped=2, running=38, pending=45, in_doubt=2, failed=3),
        "throughput": Throughput(
            per_hour=300.0,
            possible_per_hour=None,
            last_hour=1240,
            running_seconds=7200.0,
            slice_seconds=60.0,
            slices=(),
        ),
        "eta": Estimate(range=around(NOW + 4800), seconds=4800.0, images=85, left_out=0),
    }
    return LiveStatus(**{**given, **changes})


def text(facts: LiveStatus, **size: Any) -> list[str]:
    return painted(view(facts, **size), colored=False)


CROWDED = some_facts(
    held=1,
    run="running since today 12:03 UTC: process 4242 on jump since 2026-05-28T12:03:00+00:00",
    waves=(("pilot", tally(succeeded=20)), ("生产数据库", tally(running=38, pending=45, failed=3))),
    targets=(("north", tally(succeeded=300)), ("south", tally(succeeded=110, pending=45))),
    pressures=(
        pressure(submits=Speed(now=0.7, most=2.0, learned=1.3), job_limit=20, jobs=20),
        pressure("south"),
    ),
    waits=("wave 生产数据库 waits for wave pilot",),
    failures=(
        Failure(
            key="north/数据库服务器-主节点-北京第一机房-一号机柜-磁盘镜像-二〇二六年",
            fault=Fault(code="IMG.0057", message="the file is damaged " * 9, remedy="Upload it again. " * 9),
        ),
    ),
)


@pytest.mark.parametrize("width", [80, 200])
def test_everything_an_engineer_asks_for_is_there_and_fits(width):
    lines = text(CROWDED, width=width)
    said = " ".join(" ".join(lines).split())

    assert max(map(cell_len, lines)) <= width
    for part in (
        "dc-east",
        "412/500 done (82%)",
        "38 in the cloud, 45 to do, 3 failed, 1 in doubt, 1 held for a person",
        "running since today 12:03 UTC: process 4242 on jump",
        "1,240 images an hour, done",
        "(in about 1 h 20 min)",
        "wave pilot",
        "0/86, 38 in the cloud, 45 to do, 3 failed",
        "target south",
        "0.7/s of 2/s submits (the service bears 1.3/s), 10/s queries, 20 of 20 jobs",
        "(the plan allows 40, the service takes no more)",
        "south: 2/s submits, 10/s queries, 38 of 40 jobs",
        "waits: wave 生产数据库 waits for wave pilot",
        "failed north/数据库",
        "Upload it again. Upload",
    ):
        assert part in said


def test_columns_stay_in_line_under_wide_names():
    bars = [line for line in text(CROWDED, width=80) if line.startswith("  wave ")]

    starts = {cell_len(line[: re.search("[█▓▒▚░]", line).start()]) for line in bars}  # type: ignore[union-attr]
    assert len(bars) == 2
    assert len(starts) == 1


def test_a_plan_with_one_wave_and_one_target_needs_no_lines_for_them():
    lines = text(some_facts(waves=(("", tally(pending=1)),), targets=(("north", tally(pending=1)),)))

    assert not [line for line in lines if "wave" in line or "target" in line]


def test_many_waves_show_those_that_still_have_something_to_do():
    waves = tuple((f"w{number}", tally(succeeded=5, pending=number == 30)) for number in range(40))

    lines = [line for line in text(some_facts(waves=waves)) if "wave" in line]

    assert "w30" in lines[0]
    assert lines[-1] == "  and 34 more waves"


def test_a_finished_plan_is_told_in_one_line_without_what_is_not():
    lines = text(some_facts(totals=tally(succeeded=57, failed=3), throughput=None), width=70)

    assert lines == ["dc-east ████████████████▚ 57/60 done (95%), 3 failed"]
    lines = text(some_facts(totals=tally(succeeded=60), throughput=None), width=70)
    assert lines == ["dc-east █████████████████ 60/60 done (100%)"]


def test_the_parts_of_a_bar_are_in_proportion_and_none_is_lost():
    totals = tally(succeeded=9_990, running=4_000, in_doubt=1, failed=9, pending=6_000)
    bar = text(some_facts(name="", totals=totals), width=80)[0].split()[0]

    assert bar == "█████████▓▓▓▒▚░░░░░░"
    assert len(bar) == 20


@given(counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=6), room=st.integers(0, 60))
def test_the_cells_of_a_bar_add_up_and_are_as_near_to_their_share_as_one_cell_for_each_allows(counts, room):
    found, total = cells(counts, room), sum(counts)

    assert sum(found) == (room if total else 0)
    assert all(count or not cell for count, cell in zip(counts, found, strict=True))
    if room >= len(counts):
        assert all(cell for count, cell in zip(counts, found, strict=True) if count)
        off = [cell - room * count / total for count, cell in zip(counts, found, strict=True) if count]
        assert all(-len(counts) < one <= 1 for one in off)


@pytest.mark.parametrize("room", [1, 2, 3])
def test_where_there_is_not_a_cell_for_each_the_earlier_have_theirs(room):
    assert cells([1, 50, 50, 7], room) == [1, 1, 1, 0][:room] + [0] * (4 - room)


@pytest.mark.parametrize("height", range(1, 16))
def test_a_low_terminal_keeps_the_most_urgent_lines(height):
    lines = text(CROWDED, width=80, height=height)

    assert 1 <= len(lines) <= height
    assert "412/500" in lines[0]
    if height >= 8:
        assert any("waits:" in line for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_few_characters_gets_only_those_and_they_fit_all_the_same(encoding):
    lines = text(CROWDED, width=80, encoding=encoding)

    assert "\n".join(lines).encode(encoding)
    assert "###" in lines[0]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("evil", "harmless"),
    [
        pytest.param("\x1b[2Jgone", "\\x1b[2Jgone", id="an escape sequence"),
        pytest.param("a\nb\rc\td", "a\\nb\\rc\\td", id="line breaks"),
        pytest.param("a\u202eb", "a\\u202eb", id="a mark that turns the direction"),
        pytest.param("\x9b31m", "\\x9b31m", id="an escape of one character"),
        pytest.param("\ud800", "\\ud800", id="half a character"),
        pytest.param("[red]b[/red]", "[red]b[/red]", id="markup"),
        pytest.param("数\u3000据", "数 据", id="a wide space"),
    ],
)
def test_text_that_would_act_is_shown_as_what_it_is(evil, harmless):
    assert spelled_out(evil) == harmless
    failure = Failure(key=evil, fault=Fault(message=evil, remedy=evil))
    colored = painted(view(some_facts(name=evil, failures=(failure,)), width=120), colored=True)
    assert f"failed {harmless}: {harmless}" in "\n".join(colored)
    assert re.sub(r"\x1b\[[\d;]*m", "", "".join(colored)).isprintable()


def test_colours_change_nothing_but_colours():
    plain = text(CROWDED, width=80)
    colored = painted(view(CROWDED, width=80), colored=True)

    assert "\x1b[" in "".join(colored)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in colored] == plain
    assert "\x1b" not in "".join(plain)


NAMES = st.text(max_size=40)
TALLIES = st.lists(st.integers(0, 10**6), min_size=len(Phase), max_size=len(Phase)).map(
    lambda counts: Tally(counts=tuple(counts))
)
SPEEDS = st.builds(
    Speed, now=st.floats(0.02, 50), most=st.floats(0.02, 50), learned=st.none() | st.floats(0, 9)
)
FACTS = st.builds(
    LiveStatus,
    name=NAMES,
    now=st.just(NOW),
    totals=TALLIES,
    run=NAMES,
    held=st.integers(0, 3),
    waves=st.lists(st.tuples(NAMES, TALLIES), max_size=9).map(tuple),
    targets=st.lists(st.tuples(NAMES, TALLIES), max_size=3).map(tuple),
    eta=st.none() | st.just(Estimate(range=around(NOW + 9e5), seconds=9e5, images=3, left_out=1)),
    throughput=st.none(),
    pressures=st.lists(st.builds(pressure, NAMES, submits=SPEEDS), max_size=2).map(tuple),
    waits=st.lists(NAMES, max_size=2).map(tuple),
    failures=st.lists(
        st.builds(Failure, key=NAMES, fault=st.builds(Fault, message=NAMES, remedy=NAMES)), max_size=4
    ).map(tuple),
)


@given(FACTS, st.integers(1, 220), st.integers(1, 40), st.sampled_from(["utf-8", "ascii"]))
def test_no_line_is_ever_wider_than_the_terminal_nor_the_view_higher(facts, width, height, encoding):
    lines = text(facts, width=width, height=height, encoding=encoding)

    assert 1 <= len(lines) <= height
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
    "\n".join(lines).encode(encoding)  # raises for what it cannot say


# --- From a summary -------------------------------------------------------------------------------------


def of(ledger: Ledger, *, running: bool | None = None) -> Summary:
    return summary(ledger, plan=plan_for("north", "south"), now=latest(ledger) + 60.0, running=running)


@given(ledgers())
def test_the_facts_of_a_summary_are_its_numbers(ledger):
    facts = of(ledger)

    found = live_status(facts, run="")

    assert found.totals == facts.totals
    assert [name for name, _ in found.waves] == list(facts.by_wave)
    moments = [ledger.states[failure.key].finished_at for failure in found.failures]
    assert len(moments) == min(3, facts.totals.failed)
    assert moments == sorted(moments, reverse=True)
    assert found.waits == facts.waits


@given(ledgers())
def test_a_run_that_is_over_without_a_word_was_killed_unless_somebody_holds_the_journal(ledger):
    if not ledger.runs or ledger.runs[-1].ended_at is not None:
        return
    dead, alive = of(ledger, running=False), of(ledger, running=True)
    maybe = sum(
        dead.totals[phase] for phase in (Phase.SUBMITTING, Phase.IN_DOUBT, Phase.RUNNING, Phase.OVERDUE)
    )

    killed = standing(dead, None)

    assert "was killed" in killed
    assert killed.endswith("run again to continue")
    assert (f"{maybe} job" in killed) is (maybe > 0)
    assert standing(alive, "process 7 on jump").endswith("UTC: process 7 on jump")


@given(ledgers())
def test_a_run_that_said_its_end_is_told_with_its_reason(ledger):
    if not ledger.runs:
        return
    ledger.runs[-1] = replace(ledger.runs[-1], ended_at=latest(ledger), reason="all images succeeded")

    assert "the last ended" in standing(of(ledger), None)
    assert standing(of(ledger), None).endswith("all images succeeded")
    assert "has not begun to import yet" in standing(of(ledger), "process 7 on jump")
