"""What is remembered of one image only while a run looks after it."""

from structlog.typing import FilteringBoundLogger

from migrator.domain.cloud import JobStatus
from migrator.pacing.poll_schedule import Bounds, Forecast
from migrator.workflow.states import State


class JobWatch:
    """What is remembered of one image only while this run looks after it."""

    __slots__ = (
        "ends",
        "forecast",
        "logged_state",
        "missed_since",
        "misses",
        "since",
        "troubles",
        "unverified_since",
    )

    def __init__(self, since: float, accepted: float) -> None:
        """Ticks of the run's monotonic clock."""
        self.since = since
        """When this run began to watch its job: deadlines count from here."""
        self.forecast = Forecast(accepted)
        self.ends: Bounds | None = None
        """When its job ends by the latest answer; None while nobody can tell."""
        self.logged_state = ""
        self.troubles = 0
        """Questions in a row that got no answer."""
        self.misses = 0
        """Answers in a row that did not know its job or image."""
        self.missed_since: float | None = None
        """When the first of them came."""
        self.unverified_since: float | None = None
        """When its success was first found to lack its image."""

    def log_state(self, log: FilteringBoundLogger, state: State, job: JobStatus) -> None:
        """Say once that a job is in a state which no manual lists."""
        if self.logged_state != job.status:
            self.logged_state = job.status
            log.warning("job.state_unlisted", key=state.key, job=state.job_id, state=job.status)

    def on_answer(self) -> None:
        """The service answered, and knows it."""
        self.troubles = self.misses = 0
        self.missed_since = None

    def on_missing(self, tick: float) -> float:
        """The service answered, and does not know it; returns the seconds for which that has been so."""
        self.misses += 1
        if self.missed_since is None:
            self.missed_since = tick
        return tick - self.missed_since
