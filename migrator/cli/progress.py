"""What a person sees while a run goes on: a live line on a terminal, a plain one now and then elsewhere."""

import json
import sys
from collections import Counter

import anyio

from migrator.cli.common import Look
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
        self._last_failure = ""
        self._shown = False

    def saw(self, event: Event) -> None:
        """One more fact became durable."""
        if isinstance(event, ImageEvent):
            phase = self._ledger.states[event.key].phase
            self._counts[self._phases[event.key]] -= 1
            self._counts[phase] += 1
            self._phases[event.key] = phase
            if phase is Phase.FAILED:
                self._last_failure = f"{event.key}: {self._ledger.states[event.key].fault}"
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
            sys.stderr.write("\n")
        else:
            self._look.say(self.line())

    def _draw(self) -> None:
        import shutil

        width = shutil.get_terminal_size().columns - 1
        counts = self._counts
        total = max(1, sum(counts.values()) - counts[Phase.CANCELLED])
        finished = counts[Phase.SUCCEEDED] + counts[Phase.SKIPPED] + counts[Phase.FAILED]
        room = 20
        filled = room * finished // total
        bar = "█" * filled + "░" * (room - filled)
        text = f"{bar} {self.line()}"
        sys.stderr.write("\r\x1b[K" + text[:width])
        sys.stderr.flush()


_RARE = (Phase.IN_DOUBT, Phase.OVERDUE, Phase.FAILED)
