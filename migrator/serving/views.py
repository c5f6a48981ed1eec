"""What was made of each plan: once for each change, however many look, and no more often than it may cost.

The ledger of a plan is kept and moved on by the events that are new. Making pages of it takes the longer the
larger the plan is, so after each time there is a rest in proportion; meanwhile everybody gets what was made
last, which says of what moment it is.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from migrator.domain.errors import JournalError, MigratorError
from migrator.domain.ports import Clock
from migrator.domain.secrets import SECRETS
from migrator.domain.zone import Zone, zone
from migrator.journal.port import Followed, held_by
from migrator.reports import terminal
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary, summary
from migrator.reports.untrusted import one_line
from migrator.serving.plan_of import plan_of
from migrator.serving.sources import Plans

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds between two looks at the journals."""

OLD_AFTER = 30.0
"""Seconds after which the page of a plan at work is made anew, though nothing was recorded: its estimates are
about now."""

SHARE = 0.05
"""The fraction of a core that the pages of one plan may take."""

TROUBLE_AGAIN = 10.0
"""Seconds after which a journal that could not be read is tried again, though it did not change."""

MOST_PARTS = 32
"""What is kept of one plan, rendered: its page, its report, lists of some of its images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why something cannot be read, fit to be shown."""

    what: str
    """Where it is, and what is wrong."""

    hint: str
    """What to do now."""


def trouble_of(error: MigratorError) -> Trouble:
    """The trouble that an error tells of."""
    return Trouble(what=one_line(SECRETS.masked(str(error))), hint=one_line(SECRETS.masked(error.hint)))


@dataclass(slots=True, kw_only=True)
class View:
    """What was made of one plan, for one state of its journal."""

    token: str
    made_at: float
    rest_until: float
    """Not made anew before."""

    facts: Summary
    said: str
    unattended: list[str]
    recorded: bool
    """Whether the journal tells what the plan says of itself."""

    parts: dict[str, bytes] = field(default_factory=dict)
    """What was rendered of it, by kind."""

    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    """All who look are told of a change in the same moment, and come together."""

    @property
    def at_work(self) -> bool:
        """Whether a run goes on, whose estimates grow old by themselves."""
        return bool(self.facts.runs) and self.facts.runs[-1].state is RunState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A plan whose journal could not be read."""

    token: str
    at: float
    error: MigratorError


def rest(cost: float) -> float:
    """Seconds to rest after work of `cost` seconds; what is quick enough for every look needs none."""
    return 0.0 if cost <= SHARE * LOOK_EVERY else cost * (1 / SHARE - 1)


def is_due(view: View, token: str, now: float) -> bool:
    """Whether to make it anew, now that the journal bears this token."""
    grown_old = view.at_work and now - view.made_at > OLD_AFTER
    return (view.token != token or grown_old) and now >= view.rest_until


class Views:
    """The views of all plans of one place."""

    def __init__(self, plans: Plans, clock: Clock, home: Zone) -> None:
        self.plans = plans
        self.tokens: dict[str, str] = {}
        self.trouble: Trouble | None = None
        """Why the journals cannot be looked at; None while they can."""

        self._clock = clock
        self._home = home
        """In which people are told the time where a plan does not say."""

        self._views: dict[str, View] = {}
        self._failed: dict[str, Failed] = {}
        self._followed: dict[str, Followed] = {}
        self._untold: set[str] = set()
        """Plans that changed, and nobody was told yet, because theirs rests."""

        self._looking = asyncio.Lock()
        """An earlier look that ends later would bring back what is no longer so."""

        self._locks: dict[str, asyncio.Lock] = {}

    async def look(self) -> set[str]:
        """One look at all journals: the plans of which there is something new to show; "" for all of them."""
        async with self._looking:
            try:
                found = await self.plans.tokens()
            except JournalError as error:
                new = self.trouble is None
                if new:
                    log.warning("journals.unreadable", reason=str(error))
                self.trouble = trouble_of(error)
                return {"", *self.tokens} if new else set()
            known, self.tokens = self.tokens, found
            names = found.keys() | known.keys()
            changed = {one for one in names if found.get(one) != known.get(one)}
            if self.trouble is not None:
                changed = {"", *names}
            self.trouble = None
            for gone in known.keys() - found.keys():
                for kept in (self._views, self._failed, self._followed, self._locks):
                    kept.pop(gone, None)
            return self._to_tell(changed)

    def _to_tell(self, changed: set[str]) -> set[str]:
        now = self._clock.monotonic()
        old = {name for name, view in self._views.items() if is_due(view, view.token, now)}
        waiting = changed | old | self._untold
        self._untold = {
            name for name in waiting if name in self._views and now < self._views[name].rest_until
        }
        return waiting - self._untold

    async def of(self, name: str) -> View:
        """What there is to show of a plan. Raises JournalError, and MigratorError for a bug of ours."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            token, now, view = self.tokens.get(name, ""), self._clock.monotonic(), self._views.get(name)
            if view is not None and (self.trouble is not None or not is_due(view, token, now)):
                return view
            failed = self._failed.get(name)
            if failed is not None and failed.token == token and now - failed.at < TROUBLE_AGAIN:
                raise failed.error
            try:
                made = await self._made(name, token, now)
            except MigratorError as error:
                self._fail(name, token, now, error)
                raise
            except Exception as bug:
                log.exception("plan.not_shown", plan=name)
                known = MigratorError(f"{name} cannot be shown: {type(bug).__name__}: {bug}")
                self._fail(name, token, now, known)
                raise known from bug
            self._failed.pop(name, None)
            self._views[name] = made
            return made

    def _fail(self, name: str, token: str, now: float, error: MigratorError) -> None:
        self._failed[name] = Failed(token=token, at=now, error=error)
        self._views.pop(name, None)
        self._followed.pop(name, None)

    async def _made(self, name: str, token: str, began: float) -> View:
        reader = self.plans.reader(name)
        # A run may begin or end while its journal is read: one that has not said its end held the lock before
        # or holds it now, or else it was killed.
        before = await reader.holder()
        followed = self._followed[name] = await reader.followed(self._followed.pop(name, None))
        ledger = followed.ledger
        holder, unattended = await reader.holder(), list(await reader.unattended())
        if ledger.runs and ledger.runs[-1].ended_at is None:
            holder = holder or before
        plan, service = plan_of(name, ledger), await asyncio.to_thread(self.plans.service, name)
        facts = await asyncio.to_thread(
            summary,
            ledger,
            plan=plan,
            now=self._clock.now(),
            running=holder is not None or bool(unattended),
            service=service,
            zone=self._home if plan.timezone is None else zone(plan.timezone),
        )
        who = held_by(holder, unattended)
        now = self._clock.monotonic()
        return View(
            token=token,
            made_at=began,
            rest_until=now + rest(now - began),
            facts=facts,
            said=terminal.standing(facts, who),
            unattended=unattended,
            recorded=ledger.plan is not None,
        )

    async def each(self) -> tuple[dict[str, View], dict[str, Trouble]]:
        """Every plan that can be shown, and what is the matter with the others."""
        shown: dict[str, View] = {}
        troubled: dict[str, Trouble] = {}
        for name in list(self.tokens):
            try:
                shown[name] = await self.of(name)
            except MigratorError as error:
                troubled[name] = trouble_of(error)
        return shown, troubled

    async def troubled(self) -> dict[str, Trouble]:
        """What is the matter with those that cannot be shown, without waiting for one that is being made."""
        found = {}
        for name in list(self.tokens):
            lock = self._locks.get(name)
            if name in self._views and lock is not None and lock.locked():
                continue
            try:
                await self.of(name)
            except MigratorError as error:
                found[name] = trouble_of(error)
        return found

    async def part(self, view: View, kind: str, make: Callable[[], bytes]) -> bytes:
        """Something of it rendered, once."""
        async with view.rendering:
            if kind not in view.parts:
                began = self._clock.monotonic()
                body = await asyncio.to_thread(make)
                now = self._clock.monotonic()
                view.rest_until = max(view.rest_until, now) + rest(now - began)
                while len(view.parts) >= MOST_PARTS:
                    del view.parts[next(iter(view.parts))]
                view.parts[kind] = body
            return view.parts[kind]


def unreadable(trouble: Trouble | None, troubled: Iterable[str], known: int) -> str:
    """In one sentence what of the journals cannot be read; empty where all can be."""
    count = len(set(troubled))
    if trouble is not None:
        return "the journals cannot be looked at"
    return f"{count} of {known} {'journal' if known == 1 else 'journals'} cannot be read" if count else ""
