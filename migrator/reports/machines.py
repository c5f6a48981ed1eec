"""The machines of a plan: each is done when all its disks are.

A machine is whatever images share as their label `machine`. Images without one belong to no machine, and
cancelled images are not waited for.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from migrator.domain.image import MACHINE
from migrator.domain.units import Moment
from migrator.reports.rows import ImageRow
from migrator.reports.tally import Tally, tallies
from migrator.workflow.states import Phase

_INDEX = {phase: index for index, phase in enumerate(Phase)}


class MachineState(StrEnum):
    """Where a machine stands; what needs attention first."""

    FAILED = "failed"
    """A disk of it failed, whatever became of the others."""

    UNDER_WAY = "under_way"
    """A disk of it was submitted or is done, and others are not done."""

    TO_DO = "to_do"
    """None of its disks was submitted."""

    DONE = "done"
    CANCELLED = "cancelled"
    """All its disks left the plan before they were submitted."""


_RANK = {state: rank for rank, state in enumerate(MachineState)}


class Machine(Struct, frozen=True, kw_only=True):
    """One machine: its disks by status."""

    name: str
    state: MachineState
    disks: Tally
    waves: tuple[str, ...]
    """Of its disks, each once, in the plan's order; "" for disks without one."""

    done_at: Moment | None
    """When the last of its disks was done; None while one is not."""


class Machines(Struct, frozen=True, kw_only=True):
    """All of them, what needs attention first and otherwise in the plan's order."""

    all: tuple[Machine, ...] = ()

    def count(self, state: MachineState) -> int:
        """How many stand so."""
        return sum(machine.state is state for machine in self.all)

    @property
    def wanted(self) -> int:
        """All but the cancelled ones: what "done" is compared with."""
        return len(self.all) - self.count(MachineState.CANCELLED)

    @property
    def done(self) -> int:
        return self.count(MachineState.DONE)

    @property
    def failed(self) -> int:
        return self.count(MachineState.FAILED)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """The disks of each by status."""
        return {machine.name: machine.disks for machine in self.all}

    @property
    def sentence(self) -> str:
        """How far they are: "12 of 14 machines done, 1 with failed disks"; "" where there are none."""
        if not self.all:
            return ""
        failed = f", {self.failed:,} with failed disks" if self.failed else ""
        return (
            f"{self.done:,} of {self.wanted:,} {'machine' if self.wanted == 1 else 'machines'} done{failed}"
        )


def machines(rows: Iterable[ImageRow]) -> Machines:
    """The machines that the labels of these images name."""
    counts: dict[str, list[int]] = {}
    waves: dict[str, dict[str, None]] = {}
    ended: dict[str, Moment] = {}
    for row in rows:
        if not (name := row.labels.get(MACHINE)):
            continue
        counts.setdefault(name, [0] * len(Phase))[_INDEX[row.status]] += 1
        waves.setdefault(name, {})[row.wave] = None
        if row.finished_at is not None and row.status is not Phase.CANCELLED:
            ended[name] = max(ended.get(name, row.finished_at), row.finished_at)
    found = []
    for name, disks in tallies(counts).items():
        state = _state(disks)
        done_at = ended.get(name) if state is MachineState.DONE else None
        found.append(Machine(name=name, state=state, disks=disks, waves=tuple(waves[name]), done_at=done_at))
    return Machines(all=tuple(sorted(found, key=lambda machine: _RANK[machine.state])))


def _state(disks: Tally) -> MachineState:
    if not disks.wanted:
        return MachineState.CANCELLED
    if disks.failed:
        return MachineState.FAILED
    if disks.done == disks.wanted:
        return MachineState.DONE
    return MachineState.TO_DO if disks[Phase.PENDING] == disks.wanted else MachineState.UNDER_WAY
