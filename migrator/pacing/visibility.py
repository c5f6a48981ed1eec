"""What one target's lists show, and how soon: the verdicts and the patience that rest on it.

Lists are read by marker and by name, and either may lag. Whoever asks gets the answer of the surest way that
the plan allows. Time comes in as an argument.
"""

from collections.abc import Callable, Mapping

from migrator.domain.cloud import CloudImage
from migrator.domain.image import MARKER_ITEM
from migrator.domain.units import Moment
from migrator.pacing.calibration import ROUND_TRIP, Calibration
from migrator.workflow.states import Phase, State
from migrator.workflow.visibility_delay import MARGIN, ListedBy, VisibilityDelays

PATIENCE = 120.0
"""Seconds for which an image may be missing where it should be, even if lists were never seen to lag."""

FIRST_PATIENCE = 900.0
"""The same as long as lists have shown no finished image at all, and for an image whose tags are missing."""


class Visibility:
    """Both ways of listing one target, calibrated by the jobs of this run."""

    def __init__(self, learned: Mapping[ListedBy, VisibilityDelays], *, marked: bool) -> None:
        """`learned` is what earlier runs learned; `marked` tells whether imports bear a marker."""
        self._by = {by: Calibration(learned.get(by)) for by in ListedBy}
        self._marked = marked
        self._published: dict[ListedBy, VisibilityDelays] = dict(learned)
        self._ended: dict[str, float] = {}
        """When each job ended whose image is being verified, by key."""
        self._slowest_show: float | None = None
        """Seconds from a job's end until its image was listed, the longest of this run; None: not one yet."""

    @property
    def swept_by(self) -> ListedBy:
        """How everything is listed: by marker, unless there is none or it does not show while jobs run."""
        return (
            ListedBy.TAG
            if self._marked and self._by[ListedBy.TAG].learned.listed is not False
            else ListedBy.NAME
        )

    @property
    def curious(self) -> bool:
        """Whether one more list would teach something."""
        return self._by[self.swept_by].curious

    def news(self) -> list[tuple[ListedBy, VisibilityDelays]]:
        """What was learned since the last call, as far as it changes a verdict or doubles the evidence."""
        now = {by: calibration.learned for by, calibration in self._by.items()}
        news = [
            (by, learned) for by, learned in now.items() if learned.worth_recording(self._published.get(by))
        ]
        self._published.update(news)
        return news

    # --- Verdicts ---------------------------------------------------------------------------------------

    def fresh(self, now: float) -> bool:
        """Whether lists were read lately, so that what was learned of them may be relied upon."""
        return any(one.fresh(now) for one in self._by.values())

    def visibility_timeout(self, fixed: float | None, now: float, doubted: float) -> float:
        """Seconds for which empty look-ups prove nothing about an attempt that may have been accepted until
        `doubted`; inf while nothing tells how many that are."""
        ways = ListedBy if self._marked else (ListedBy.NAME,)
        return min(self._by[by].visibility_timeout(fixed, now, doubted) for by in ways)

    def likely_lost(self, age: float) -> bool:
        """Whether an attempt that look-ups do not show after `age` seconds most likely never happened.

        It is not sure enough to submit again, but a slot of the window need not stand idle for it.
        """
        usual = self._by[ListedBy.TAG if self._marked else ListedBy.NAME].usual_delay
        return usual is not None and age > 2 * usual + ROUND_TRIP

    @property
    def patience(self) -> float:
        """Seconds for which something that should be there may be denied."""
        lags = [max(one.learned.longest_delay, one.missing) for one in self._by.values()]
        return max(PATIENCE, MARGIN * max(self._slowest_show or 0.0, *lags))

    def patience_for_images(self, *, marked: bool) -> float:
        """Seconds for which the image of a successful job may be missing from lists, or not be complete.

        One that does not bear its tags yet (`marked`) is waited for longest: tags come last.
        """
        if marked and self._slowest_show is not None:
            return self.patience
        return max(self.patience, FIRST_PATIENCE)

    # --- Evidence ---------------------------------------------------------------------------------------

    def accepted(self, key: str, at: float) -> None:
        """A job was accepted. Here and below, moments are ticks of the run's monotonic clock."""
        for calibration in self._by.values():
            calibration.accepted(key, at)

    def resumed(self, state: State, tick_of: Callable[[Moment], float]) -> None:
        """An earlier run left this image on its way: lists that do not show it prove something, too."""
        ended = state.phase is Phase.VERIFYING
        if ended and state.job_ended_at is not None:
            self._ended[state.key] = tick_of(state.job_ended_at)
        if state.submitted_at is not None and (ended or (state.job_id and state.phase is Phase.RUNNING)):
            for calibration in self._by.values():
                calibration.resumed(state.key, tick_of(state.submitted_at), ended=ended)

    def listed(self, by: ListedBy, best: Mapping[str, str], at: float) -> None:
        """A list of everything, answered at `at`, showed these keys, each with the status of its image."""
        unfinished = {key for key, status in best.items() if status in ("queued", "saving")}
        self._by[by].listed(unfinished, best.keys() - unfinished, at)

    def ended(self, key: str, at: float, *, well: bool) -> None:
        """A job ended."""
        if well:
            self._ended[key] = at
        for calibration in self._by.values():
            calibration.ended(key, well=well)

    def unlisted(self, key: str, at: float) -> None:
        """The finished image of a job was looked for, and was not listed."""
        for calibration in self._by.values():
            calibration.unlisted(key, at)

    def shown(self, key: str, image: CloudImage, at: float) -> None:
        """The finished image of a job was listed."""
        self._by[ListedBy.NAME].shown(key, at)
        if MARKER_ITEM in image.tags:
            self._by[ListedBy.TAG].shown(key, at)
        if (ended := self._ended.pop(key, None)) is not None:
            self._slowest_show = max(self._slowest_show or 0.0, at - ended)

    def forget(self, key: str) -> None:
        """Nobody looks after this image any more."""
        self._ended.pop(key, None)
        for calibration in self._by.values():
            calibration.forget(key)
