"""The gate between waves: which are open, kept up to date as images finish and as the clock goes on."""

from collections.abc import Iterable, Mapping
from math import inf

import anyio
from structlog.typing import FilteringBoundLogger

from migrator.domain.image import Image
from migrator.domain.ports import Clock
from migrator.engine.target_worker import TargetWorker
from migrator.pacing.token_bucket import TICK
from migrator.workflow.states import Phase
from migrator.workflow.target_counts import WaveCount
from migrator.workflow.waves import Gate, Waves


class WaveGate:
    """Opens and closes waves for all targets alike. What is open is decided by `Waves`."""

    def __init__(self, waves: Waves, clock: Clock, log: FilteringBoundLogger, *, patient: bool) -> None:
        """`patient`: whether a run that has nothing under way waits for a window to open."""
        self._patient = patient
        self.gate = Gate(open=frozenset({0}), possible=frozenset({0}))
        """Which waves are open, and why the others are not."""
        self.workers: Iterable[TargetWorker] = ()
        """Whose schedulers follow the gate."""
        self._waves = waves
        self._clock = clock
        self._log = log
        self._changed = anyio.Event()

    def indices(self, images: Mapping[str, Image]) -> dict[str, int]:
        """The wave of each image, by key; empty where the plan has none."""
        return {key: self._waves.index(image) for key, image in images.items()} if self._waves.any else {}

    def finished(self, image: Image, phase: Phase) -> None:
        """An image came to its end, which may open the next wave."""
        self._waves.finished(image, phase)
        self.update()

    def elsewhere(self, counts: Mapping[str, WaveCount]) -> None:
        """Waves came further on targets that others work on."""
        self._waves.elsewhere(counts)
        self.update()

    def counts(self) -> dict[str, WaveCount]:
        """How far the waves have come here, by name; empty where the plan has none."""
        return self._waves.counts() if self._waves.any else {}

    def update(self) -> None:
        """Open and close waves; called whenever an image has finished, and when the clock says so."""
        if not self._waves.any:
            return
        gate = self._waves.gate(self._clock.now())
        if gate == self.gate:
            return
        if gate.reason != self.gate.reason:
            self._log.info("wave.waiting", reason=gate.reason or "nothing")
        self.gate = gate
        self._changed.set()
        for worker in self.workers:
            worker.scheduler.open_waves, worker.scheduler.possible_waves = gate.open, gate.possible
            worker.wake_all()

    def nothing_under_way(self) -> None:
        """End the run when waves wait for images that nobody works on any more: overdue or held ones."""
        waits = self._patient and self.gate.until is not None
        if not waits and all(worker.scheduler.idle for worker in self.workers):
            for worker in self.workers:
                worker.scheduler.possible_waves = self.gate.open
                worker.wake_all()

    async def keep(self) -> None:
        """Update the gate whenever a window opens or closes."""
        while True:
            self._changed = anyio.Event()
            until = self.gate.until
            wait = inf if until is None else max(until - self._clock.now(), TICK)
            await self._clock.wait(self._changed, wait)
            self.update()
