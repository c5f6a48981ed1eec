"""What one target's lists show, and how soon: the verdicts and the patience that rest on it.

Lists are read by marker and by name, and either may lag. Whoever asks gets the answer of the surest way that
the plan allows. Time comes in as an argument.
"""

from collections.abc import Mapping

from migrator.domain.cloud import CloudImage
from migrator.domain.image import MARKER_ITEM
from migrator.domain.units import Moment
from migrator.pacing.calibration import ROUND_TRIP, Calibration
from migrator.workflow.states import Phase, State
from migrator.workflow.visibility_delay import MARGIN, ListedBy, VisibilityDelays

PATIENCE = 120.0
"""Seconds for which an image may be missing where it should be, even if lists were never seen to lag."""

FIRST_PATIENCE = 900.0
"""The same as long as lists have shown no finished image at all."""


class Visibility:
    """Both ways of listing one target, calibrated by the jobs of this run."""

    def __init__(self, learned: Mapping[ListedBy, VisibilityDelays], *, marked: bool) -> None:
        """`learned` is what earlier runs learned; `marked` tells whether imports bear a marker."""
        self._by = {by: Calibration(learned.get(by)) for by in ListedBy}
        self._marked = marked
        self._published: dict[ListedBy, VisibilityDelays] = dict(learned)
        self._sighted: set[str] = set()
        """Keys of images that are being verified and were listed before."""
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

    def visibility_timeout(self, fixed: float | None, now: Moment) -> float:
        """Seconds for which empty look-ups prove nothing."""
        ways = ListedBy if self._marked else (ListedBy.NAME,)
        return min(self._by[by].visibility_timeout(fixed, now) for by in ways)

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

    @property
    def patience_for_images(self) -> float:
        """Seconds for which the image of a successful job may be missing from lists, or not be complete."""
        return self.patience if self._slowest_show is not None else max(self.patience, FIRST_PATIENCE)

    # --- Evidence ---------------------------------------------------------------------------------------

    def accepted(self, key: str, at: Moment) -> None:
        """A job was accepted."""
        for calibration in self._by.values():
            calibration.accepted(key, at)

    def resumed(self, state: State) -> None:
        """An earlier run left this image on its way: lists that do not show it prove something, too."""
        ended = state.phase is Phase.VERIFYING
        if state.submitted_at is not None and (ended or (state.job_id and state.phase is Phase.RUNNING)):
            for calibration in self._by.values():
                calibration.resumed(state.key, state.submitted_at, ended=ended)

    def listed(self, by: ListedBy, best: Mapping[str, str], at: Moment) -> None:
        """A list of everything, answered at `at`, showed these keys, each with the status of its image."""
        unfinished = {key for key, status in best.items() if status in ("queued", "saving")}
        self._by[by].listed(unfinished, best.keys() - unfinished, at)

    def ended(self, key: str, *, well: bool) -> None:
        """A job ended."""
        for calibration in self._by.values():
            calibration.ended(key, well=well)

    def unlisted(self, key: str, at: Moment) -> None:
        """The finished image of a job was looked for, and was not listed."""
        for calibration in self._by.values():
            calibration.unlisted(key, at)

    def shown(self, state: State, image: CloudImage, at: Moment) -> None:
        """The finished image of a job was listed."""
        self._by[ListedBy.NAME].shown(state.key, at)
        if MARKER_ITEM in image.tags:
            self._by[ListedBy.TAG].shown(state.key, at)
        if state.job_ended_at is not None and state.key not in self._sighted:
            self._sighted.add(state.key)
            self._slowest_show = max(self._slowest_show or 0.0, at - state.job_ended_at)

    def forget(self, key: str) -> None:
        """Nobody looks after this image any more."""
        self._sighted.discard(key)
        for calibration in self._by.values():
            calibration.forget(key)
