"""Where a plan stands, on a terminal: a pure function from values to lines that fit it.

Names, messages and remedies come from the plan and from the cloud. They are never read as markup, and a
control character in them is shown as what it is ("\\x1b") instead of being obeyed.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest

from msgspec import Struct

from migrator.domain.cells import cell_len, chopped, fitted
from migrator.domain.cloud import Fault
from migrator.domain.units import Moment, span
from migrator.domain.zone import UTC_ZONE, Zone
from migrator.reports.estimate import Estimate
from migrator.reports.glossary import BUSY, DONE, DOUBT, FAILED, HELD, OPEN, RUNS, STATUSES, statuses_of
from migrator.reports.headline import between
from migrator.reports.runs import RunLine, RunState
from migrator.reports.styled import Line, Style
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally, cells
from migrator.reports.throughput import Throughput
from migrator.reports.untrusted import spelled_out
from migrator.workflow.states import IN_CLOUD, Phase

# --- The values -----------------------------------------------------------------------------------------


class Speed(Struct, frozen=True, kw_only=True):
    """How often one kind of request may leave, in requests a second."""

    now: float
    most: float
    """What the plan allows."""

    learned: float | None = None
    """What the service seems to allow; None while it never complained."""

    @property
    def slowed(self) -> bool:
        return self.now < self.most


class Pressure(Struct, frozen=True, kw_only=True):
    """How hard one target is pressed at this moment."""

    target: str
    submits: Speed
    queries: Speed
    jobs: int
    """In the cloud, or maybe there."""

    job_limit: int
    """How many there may be now."""

    most: int
    """How many the plan allows."""


class Failure(Struct, frozen=True, kw_only=True):
    """One image that failed."""

    key: str
    fault: Fault


class LiveStatus(Struct, frozen=True, kw_only=True):
    """All that the view shows, of a run in this process or of what a journal tells."""

    name: str
    """Of the plan."""

    now: Moment
    totals: Tally
    run: str = ""
    """How the latest run stands; empty while it is this process that runs."""

    held: int = 0
    machines: str = ""
    """How many machines are done, in a sentence; empty where the plan names none."""

    waves: tuple[tuple[str, Tally], ...] = ()
    """In the plan's order; shown where there are several."""

    targets: tuple[tuple[str, Tally], ...] = ()
    throughput: Throughput | None = None
    eta: Estimate | None = None
    pressures: tuple[Pressure, ...] = ()
    """One for each target at work; empty where another process runs, or none."""

    waits: tuple[str, ...] = ()
    """What keeps images back, a sentence each."""

    failures: tuple[Failure, ...] = ()
    """The latest first."""

    zone: Zone = UTC_ZONE
    """In which the time is told."""


LATEST = 3
"""Failures that are shown one by one."""


def live_status(summary: Summary, *, run: str, waits: Iterable[str] = ()) -> LiveStatus:
    """What a Summary holds of it, with `run` said of the latest run and further reasons to wait."""
    failed = (row for row in summary.images if row.status is Phase.FAILED) if summary.totals.failed else ()
    latest = nlargest(LATEST, failed, key=lambda row: row.finished_at or 0.0)
    return LiveStatus(
        name=summary.plan.name,
        now=summary.generated_at,
        run=run,
        totals=summary.totals,
        held=summary.held,
        machines=summary.machines.sentence,
        waves=tuple(summary.by_wave.items()),
        targets=tuple(summary.by_target.items()),
        throughput=summary.throughput,
        eta=summary.eta,
        waits=(*waits, *summary.waits),
        zone=summary.zone,
        failures=tuple(Failure(key=row.key, fault=row.error or Fault(message="")) for row in latest),
    )


def standing(summary: Summary, holder: str | None) -> str:
    """How the latest run stands, when it is not this process that runs.

    `holder` is who holds the journal now, None for nobody; `summary` was made with that knowledge.
    """
    return stands(summary.runs, summary.totals, summary.generated_at, summary.zone, holder)


def stands(runs: Sequence[RunLine], totals: Tally, now: Moment, zone: Zone, holder: str | None) -> str:
    """The same of these runs, at the moment `now`."""
    last = runs[-1] if runs else None
    if last is None:
        return f"{holder} is about to run it" if holder else "it never ran"
    began = f"{zone.day_and_time(last.began_at, now)} {zone.name}"
    if last.state is RunState.RUNNING:
        return f"running since {began}: {holder or f'process {last.pid} on {last.host}'}"
    if holder:
        return f"{holder} holds the journal and has not begun to import yet"
    if last.state is RunState.KILLED:
        maybe = sum(totals[phase] for phase in IN_CLOUD)
        jobs = f"{maybe:,} {'job' if maybe == 1 else 'jobs'} may still run in the cloud; " if maybe else ""
        return f"the run of {began.removeprefix('on ')} was {RUNS[last.state]}; {jobs}run again to continue"
    ended = f"{zone.day_and_time(last.ended_at or last.began_at, now)} {zone.name}"
    return f"no run is at work; the last ended {ended}: {last.reason}"


# --- The view -------------------------------------------------------------------------------------------

_GROUPS = 6
"""Waves, and targets, that are shown one by one."""

_IN_A_BAR = (DONE, BUSY, DOUBT, FAILED, OPEN)
_COLOURS: dict[str, Style] = {
    "done": "green",
    "busy": "cyan",
    "doubt": "yellow",
    "failed": "red",
    "open": "dim",
}


def view(
    live: LiveStatus, *, width: int = 80, height: int | None = None, encoding: str = "utf-8"
) -> list[Line]:
    """Lines of at most `width` cells, and at most `height` of them, in characters of `encoding`.

    Where there are too many lines, the least urgent go first: targets, waves, failures, rates.
    """
    page = _Page(width, encoding)
    head = [
        *page.total(live),
        *page.sentence(live.run, "bold"),
        *page.sentence(live.machines),
        *page.outlook(live),
    ]
    sections = {
        "waves": page.groups("wave", live.waves),
        "targets": page.groups("target", live.targets),
        "rates": [line for pressure in live.pressures[:_GROUPS] for line in page.pressure(pressure)],
        "waits": [line for wait in live.waits for line in page.sentence(f"waits: {wait}", "yellow")],
        "failures": [line for failure in live.failures[:LATEST] for line in page.failure(failure)],
    }
    for name in ("targets", "waves", "failures", "rates", "waits"):
        if height is None or len(head) + sum(map(len, sections.values())) <= height:
            break
        sections[name] = []
    lines = [*head, *(line for section in sections.values() for line in section)]
    return lines[: max(height, 1)] if height is not None else lines


class _Page:
    """Lines of one width, in characters that the terminal has."""

    def __init__(self, width: int, encoding: str) -> None:
        self.width = max(width, 1)
        self.encoding = encoding
        fancy = spelled_out("█▓▒▚░…", encoding) == "█▓▒▚░…"
        self.marks, self.more = ("█▓▒▚░", "…") if fancy else ("#=?x.", "..")

    def cut(self, *parts: tuple[str, Style]) -> Line:
        """These pieces as a line, shortened to the width."""
        return Line(parts).cut(self.width, self.more)

    def line(self, text: str, style: Style = "") -> Line:
        return self.cut((spelled_out(text, self.encoding), style))

    def sentence(self, text: str, style: Style = "", *, indent: int = 2, lines: int = 3) -> list[Line]:
        """A sentence on as many lines as it needs, at most so many; none for an empty one."""
        room = max(self.width - indent, 1)
        rows = [""]
        for word in spelled_out(text, self.encoding).split():
            if rows[-1] and cell_len(rows[-1]) + 1 + cell_len(word) <= room:
                rows[-1] += f" {word}"
                continue
            # A word without a space, as a Chinese sentence is, goes on in the next line.
            pieces = chopped(word, room) if cell_len(word) > room else [word]
            rows += pieces
        rows = [row for row in rows if row]
        if len(rows) > lines:
            rows = [*rows[: lines - 1], " ".join(rows[lines - 1 :])]
        return [self.cut((" " * indent + row, style)) for row in rows]

    def bar(self, tally: Tally, room: int) -> Line:
        """The groups in proportion to their images: full only when everything is done, and no group lost."""
        counts = [sum(tally[phase] for phase in statuses_of(group)) for group in _IN_A_BAR]
        # Where there is not a cell for each, failures have theirs first.
        urgent = sorted(range(len(counts)), key=lambda index: _IN_A_BAR[index] is not FAILED)
        shared = dict(zip(urgent, cells([counts[index] for index in urgent], room), strict=True))
        parts = [
            (mark * shared[index], _COLOURS[group.name])
            for index, (mark, group) in enumerate(zip(self.marks, _IN_A_BAR, strict=True))
        ]
        return Line((*parts, (self.marks[-1] * (room - sum(shared.values())), "dim")))

    def total(self, live: LiveStatus) -> list[Line]:
        """The plan's name, its bar and its numbers; on two lines where one is too short."""
        tally = live.totals
        share = f" ({100 * tally.done // tally.wanted}%)" if tally.wanted else ""
        bar = self.bar(tally, min(max(self.width // 4, 4), 40))
        done, others = f" {tally.done:,}/{tally.wanted:,} {DONE.word}{share}", rest(tally, live.held)
        name = spelled_out(live.name, self.encoding)
        # A name may be as long as the line, and the numbers matter more.
        room = max(self.width - cell_len(bar.plain) - cell_len(done) - 1, 0)
        if cell_len(name) > room:
            name = fitted(name, room - len(self.more)).rstrip() + self.more if room > 8 else ""
        line = self.cut((name, "bold"), (" " if name else "", ""), *bar.parts, (done, ""))
        if not others:
            return [line]
        if cell_len(line.plain) + 2 + cell_len(others) <= self.width:
            return [Line((*line.parts, (f", {others}", "")))]
        return [line, *self.sentence(others)]

    def outlook(self, live: LiveStatus) -> list[Line]:
        parts = []
        speed, eta = live.throughput, live.eta
        if speed is not None and speed.per_hour is not None:
            lately = speed.last_hour if speed.running_seconds >= 3600 else speed.per_hour
            parts.append(f"{lately:,.0f} images an hour")
        if live.totals.unfinished and eta is not None:
            if eta.range is not None:
                left = f", all but {eta.left_out:,}" if eta.left_out else ""
                # The moments stand; how far away they are depends on when one looks.
                ahead = span(max(eta.range.at - live.now, 0.0))
                parts.append(f"done {between(eta.range, live.now, live.zone)} (in about {ahead}){left}")
            elif eta.seconds is not None and eta.images:
                parts.append(f"about {span(eta.seconds)} of running to go")
            elif eta.images:
                parts.append(f"no estimate: {eta.reason}")
        return self.sentence(", ".join(parts), lines=2)

    def groups(self, kind: str, groups: Sequence[tuple[str, Tally]]) -> list[Line]:
        """One line for each of several, the unfinished ones first where they are many."""
        if len(groups) < 2:
            return []
        chosen = groups
        if len(groups) > _GROUPS:
            busy = [group for group in groups if group[1].unfinished]
            chosen = [*busy, *(group for group in groups if not group[1].unfinished)][:_GROUPS]
        names = [spelled_out(name or f"(no {kind})", self.encoding) for name, _ in chosen]
        room = min(max(map(cell_len, names)), max(self.width // 4, 8))
        lines = []
        for name, (_, tally) in zip(names, chosen, strict=True):
            if cell_len(name) > room:
                name = fitted(name, room - len(self.more)).rstrip() + self.more
            label = f"  {kind:<6} {fitted(name, room)} "
            others = rest(tally)
            text = f" {tally.done:,}/{tally.wanted:,}{', ' if others else ''}{others}"
            lines.append(self.cut((label, ""), *self.bar(tally, 10).parts, (text, "")))
        if left := len(groups) - len(chosen):
            lines.append(self.line(f"  and {left} more {kind}s", "dim"))
        return lines

    def pressure(self, pressure: Pressure) -> list[Line]:
        parts = [_speed(pressure.submits, "submits"), _speed(pressure.queries, "queries")]
        jobs = f"{pressure.jobs} of {pressure.job_limit} jobs"
        if pressure.job_limit < pressure.most:
            jobs += f" (the plan allows {pressure.most}, the service takes no more)"
        narrowed = pressure.job_limit < pressure.most or pressure.submits.slowed or pressure.queries.slowed
        return self.sentence(
            f"{pressure.target}: {', '.join([*parts, jobs])}", "yellow" if narrowed else "dim", lines=2
        )

    def failure(self, failure: Failure) -> list[Line]:
        lines = [self.line(f"  {FAILED.word} {failure.key}: {failure.fault}", "red")]
        if failure.fault.remedy:
            lines.append(self.line(f"         {failure.fault.remedy}"))
        return lines


def rest(tally: Tally, held: int = 0) -> str:
    """All that is not done: "38 in the cloud, 45 to do, 3 failed"; empty when all is."""
    busy = sum(tally[phase] for phase in statuses_of(BUSY))
    parts = (
        (busy, BUSY.word),
        (tally[Phase.PENDING], OPEN.word),
        (tally.failed, FAILED.word),
        (tally[Phase.IN_DOUBT] - held, STATUSES[Phase.IN_DOUBT].word),
        (held, HELD),
        (tally[Phase.OVERDUE], STATUSES[Phase.OVERDUE].word),
    )
    return ", ".join(f"{count:,} {word}" for count, word in parts if count > 0)


def _speed(speed: Speed, noun: str) -> str:
    if not speed.slowed:
        return f"{speed.now:.3g}/s {noun}"
    why = "the service throttles" if speed.learned is None else f"the service bears {speed.learned:.3g}/s"
    return f"{speed.now:.3g}/s of {speed.most:.3g}/s {noun} ({why})"
