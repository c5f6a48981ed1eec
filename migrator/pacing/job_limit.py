"""How many jobs may be in the cloud at once, and how that number follows what the service says."""

from math import inf

PROBE_AFTER = 15.0
"""Seconds before a narrowed window is tried wider; doubled each time that it is refused again."""

LONGEST_PROBE = 900.0

SPARE = 3
"""Where the service queues, so many jobs more than run hide the time until an end is noticed."""


class JobLimit:
    """How many jobs may be in the cloud at once: what the plan allows, or less where the service says so.

    A service that refuses one job too many (IMG.0060) narrows the window to what fits; as long as more does
    fit, it widens again in growing steps. One that accepts it and lets it wait gains nothing from a wide
    window: a few waiting jobs keep every slot of it busy.
    """

    __slots__ = ("_level", "_pause", "_probe_at", "_refused_at", "_step", "most", "queueing", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        """What the plan allows."""
        self.size = most
        """What is used of it now."""
        self._pause = PROBE_AFTER
        self._refused_at = -inf
        self._level = -2
        self._probe_at = 0.0
        self._step = 1
        self.queueing = False
        """The service accepts more jobs than it runs, and lets the others wait."""

    def wait(self, in_cloud: int, now: float) -> float:
        """Seconds until one more job may be asked for; inf while that depends on others to end.

        A limit that was narrowed is tried one job wider after a pause, whether or not any of the others ends,
        and however many there are: a hung job, or attempts in doubt that never happened, would else hold the
        target for ever.
        """
        if in_cloud < self.size:
            return 0.0
        return inf if in_cloud >= self.most else max(0.0, self._probe_at - now)

    def on_submitting(self, in_cloud: int, now: float) -> None:
        """One more job is asked for while `in_cloud` are unfinished."""
        if self.queueing:
            # One job more than needed is tried only where nothing else has begun for long.
            self._probe_at = now + LONGEST_PROBE
        elif in_cloud >= self.size:
            self._probe_at = now + self._pause  # the answer tells; until then nobody else tries

    def on_refused(self, in_cloud: int, now: float) -> None:
        """The service refused one more job while `in_cloud` of ours were unfinished."""
        if in_cloud > self._level + 1:
            self._pause, self._refused_at = PROBE_AFTER, now
        elif now - self._refused_at >= self._pause:
            # Refusals of one moment, as in a burst of throttling, are one refusal.
            self._pause, self._refused_at = min(self._pause * 2, LONGEST_PROBE), now
        self._level = in_cloud
        self.size = max(1, min(self.size, in_cloud))
        self._probe_at, self._step = now + self._pause, 1
        self.queueing = False

    def on_accepted(self, in_cloud: int, now: float) -> None:
        """The service took a job, and `in_cloud` of ours are unfinished now."""
        if self.queueing:
            return  # it takes any number, which says nothing about how many it runs
        if in_cloud > self._level + 1:
            # More fits than when it refused: that was a passing refusal, as in a burst of throttling.
            self._pause, self._level = PROBE_AFTER, -2
        if in_cloud > self.size:  # tried beyond the limit, and it fits
            self.size, self._probe_at = min(self.most, in_cloud), now
            return
        if self.size >= self.most or in_cloud < self.size or now < self._probe_at:
            return
        self.size = min(self.most, self.size + self._step)
        self._step *= 2

    def on_waiting_jobs(self, *, running: int, waiting: int) -> None:
        """Of our jobs that were asked about, so many run, and so many still wait to begin."""
        if waiting:
            self.queueing = True
        if self.queueing:
            self.size = min(self.most, max(1, running) + SPARE)
