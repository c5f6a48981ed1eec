"""What a person sees while a run goes on: a live line on a terminal, a plain one now and then elsewhere."""

import json
import shutil
import sys
from collections import Counter

import anyio

from migrator.cli.common import Look
from migrator.cli.streams import STDERR
from migrator.core.ledger import Ledger
from migrator.core.lifecycle import Event, ImageEvent, Phase
from migrator.edges.journal.codec import event_text
from migrator.model import Plan

_ACTIVE = (Phase.SUBMITTING, Phase.RUNNING, Phase.VERIFYING)


class Progress:
    """Counts by status, kept up event by event, and shown at a calm pace."""

    def __init__(self, plan: Plan, ledger: Ledger, look: Look) -> None:
        self._ledger = ledger
        self._look = look
        self._phases = {key: state.phase for key, state in ledger.states.items()}
        self._counts = Counter(self._phases.values())

    def saw(self, event: Event) -> None:
        """One more fact became durable."""
        if isinstance(event, ImageEvent):
            phase = self._ledger.states[event.key].phase
            self._counts[self._phases[event.key]] -= 1
            self._counts[phase] += 1
            self._phases[event.key] = phase
        if self._look.json:
            kept, text = event_text(event)
            self._look.object({"event": type(kept).__name__, **json.loads(text)})

    def line(self) -> str:
        """Where the run stands, in one line."""
        counts = self._counts
        done = counts[Phase.SUCCEEDED] + counts[Phase.SKIPPED]
        total = sum(counts.values()) - counts[Phase.CANCELLED]
        active = sum(counts[phase] for phase in _ACTIVE)
        parts = [f"{done}/{total} done", f"{active} running", f"{counts[Phase.PENDING]} waiting"]
        parts += [f"{counts[p]} {p.value.replace('_', ' ')}" for p in _RARE if counts[p]]
        return ", ".join(parts)

    async def show(self) -> None:
        """Show the line until cancelled: five times a second on a terminal, else every 30 s."""
        if self._look.quiet:
            return
        if not self._look.person:
            while True:
                await anyio.sleep(30.0)
                self._look.say(self.line())
        while True:
            self._draw()
            await anyio.sleep(0.2)

    def close(self) -> None:
        """Leave the last line standing."""
        if self._look.person:
            self._draw()
            STDERR.settle()
        else:
            self._look.say(self.line())

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        counts = self._counts
        total = max(1, sum(counts.values()) - counts[Phase.CANCELLED])
        finished = counts[Phase.SUCCEEDED] + counts[Phase.SKIPPED] + counts[Phase.FAILED]
        room = 20
        filled = room * finished // total
        full, empty = "█░" if (sys.stderr.encoding or "").lower().startswith("utf") else "#."
        STDERR.live(f"{full * filled}{empty * (room - filled)} {self.line()}"[:width])


_RARE = (Phase.IN_DOUBT, Phase.OVERDUE, Phase.FAILED)
