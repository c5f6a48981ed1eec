"""How a run ended, in one sentence and one exit code (design: commands)."""

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.workflow.states import Phase, State


class StopReason(Enum):
    """Why a run ends before its work does."""

    INTERRUPT = "interrupted by Ctrl-C"
    TERMINATE = "terminated by SIGTERM"
    HANGUP = "the terminal was closed"
    TIME = "max-duration is over"


_SIGNALS = {StopReason.INTERRUPT: 130, StopReason.TERMINATE: 143, StopReason.HANGUP: 129}


class Ending(Struct, frozen=True, kw_only=True):
    """What the last line says, and what the shell gets."""

    reason: str
    exit_code: int


def ending(
    states: Iterable[State],
    *,
    halted: list[tuple[str, Fault, int]],
    stopped: StopReason | None,
    threshold_reached: bool,
    steps_left: int = 0,
    steps_failed: int = 0,
    waits: str = "",
    wave_failed: bool = False,
    window_closed: bool = False,
) -> Ending:
    """The ending of a run over `states`: the most urgent cause wins.

    `steps_left` and `steps_failed` are shares and copies of images that are still to be made, or failed.
    `waits` is why a wave kept images back, `wave_failed` that too few of one succeeded, `window_closed` that
    its time is over.

    0 all succeeded · 3 finished, some failed · 5 failure threshold · 6 credentials · 7 run again · 130/143
    signals.
    """
    counts = dict.fromkeys(Phase, 0)
    held = 0
    for state in states:
        counts[state.phase] += 1
        held += state.held
    if stopped in _SIGNALS:
        return Ending(reason=f"{stopped.value}; run again to continue", exit_code=_SIGNALS[stopped])
    if halted:
        target, fault, code = max(halted, key=lambda item: item[2] == 6)
        return Ending(reason=f"target {target} stopped: {fault}", exit_code=code)
    if threshold_reached:
        reason = f"{counts[Phase.FAILED]} images failed, more than the plan's max_failures allows"
        return Ending(reason=reason, exit_code=5)
    if wave_failed:
        return Ending(reason=f"{waits}; the next waves did not begin", exit_code=5)
    left = sum(count for phase, count in counts.items() if phase not in _OVER)
    if left:
        stuck = _stuck(held, counts[Phase.OVERDUE], left)
        why = (stopped.value if stopped else None) or waits or stuck or "stopped early"
        closed = window_closed and not stopped
        what = "move not_after in the plan, then run again" if closed else "run again to continue"
        return Ending(reason=f"{why}; {left} images are not finished, {what}", exit_code=7)
    if steps_left:
        why = (stopped.value if stopped else None) or "stopped early"
        what = "share or copy is" if steps_left == 1 else "shares and copies are"
        return Ending(reason=f"{why}; {steps_left} {what} not finished, run again to continue", exit_code=7)
    if counts[Phase.FAILED]:
        return Ending(reason=f"finished; {counts[Phase.FAILED]} images failed", exit_code=3)
    if steps_failed:
        what = "share or copy" if steps_failed == 1 else "shares and copies"
        return Ending(reason=f"all images succeeded, but {steps_failed} {what} failed", exit_code=3)
    return Ending(reason="all images succeeded", exit_code=0)


def _stuck(held: int, overdue: int, left: int) -> str:
    """What the rest waits for, where it is neither time nor a wave."""
    parts = (f"{held} held for a person" if held else "", f"{overdue} overdue" if overdue else "")
    stuck = " and ".join(part for part in parts if part)
    return f"{stuck}, which leave no room for the others" if stuck and held + overdue < left else stuck


_OVER = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})
