"""A wall clock that jumps is noticed; one that a time server nudges is not."""

from migrator.pacing.clock_jump import ClockJump


def test_a_clock_that_goes_on_as_it_should_has_not_jumped():
    clock = ClockJump(1000.0, 0.0)

    assert [clock.seen(1000.0 + tick, tick) for tick in (1.0, 50.0, 7200.0)] == [0.0, 0.0, 0.0]


def test_a_nudge_is_no_jump_and_an_hour_is():
    clock = ClockJump(1000.0, 0.0)

    assert clock.seen(1012.0, 10.0) == 0.0
    assert clock.seen(4622.0, 20.0) == 3600.0
    assert clock.seen(4632.0, 30.0) == 0.0


def test_a_jump_back_is_a_jump_too_and_both_add_up():
    clock = ClockJump(1000.0, 0.0)
    clock.seen(1610.0, 10.0)

    assert clock.seen(1020.0, 20.0) == -600.0
    assert clock.total == 1200.0
