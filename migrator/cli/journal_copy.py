"""`journal copy`: a journal from one place to another, verified event by event."""

from itertools import zip_longest
from pathlib import Path

from migrator.cli.common import Console, plural
from migrator.cli.journals import end_at_once, expect_url, open_journal
from migrator.domain.errors import JournalError, JournalMissing, UsageError
from migrator.journal.port import Journal, JournalLocation
from migrator.journal.stores import SCHEMES, journal_at, journal_in

AT_ONCE = 500
"""Events in one commit."""


async def copy(source: str, target: str, plan: str | None, console: Console) -> int:
    """Copy every event; neither place may be in use meanwhile. Raises MigratorError."""
    name = _name(source, target, plan)
    old, new = _location(source, name), _location(target, name)
    if str(old) == str(new):
        raise UsageError("FROM and TO are the same place", hint="Name another folder, or a database.")
    if not await old.exists():
        raise JournalMissing(f"{old}: there is no journal", hint="Name the folder of a plan that ran.")
    if await new.exists():
        raise JournalError(
            f"{new}: there is a journal already",
            hint="It was left as it is. Name another place, or move it away first.",
        )
    await old.read().check()
    # Both are held, so that nobody goes on with one while the other is made.
    async with open_journal(old) as reading, open_journal(new) as writing:
        count = await _copied(reading, writing)
    await _verify(old, new)
    console.say(f"{plural(count, 'event')} of {name} copied to {new}, and read back: every one is the same")
    console.say(f"{old} was left as it is; go on with one of them only")
    if console.json:
        console.object({"plan": name, "events": count, "from": str(old), "to": str(new)})
    return 0


async def _copied(reading: Journal, writing: Journal) -> int:
    events = await reading.events()
    for start in range(0, len(events), AT_ONCE):
        await writing.append(*events[start : start + AT_ONCE])
    return len(events)


async def _verify(old: JournalLocation, new: JournalLocation) -> None:
    """Raise JournalError unless both say the same."""
    there, here = await old.read().events(), await new.read().events()
    for number, (before, after) in enumerate(zip_longest(there, here), start=1):
        if before != after:
            raise JournalError(
                f"{new}: event {number} is not the one that was copied",
                hint=f"Go on with {old}, which was left as it is, and do not use the copy.",
            )
    if await old.read().ledger() != await new.read().ledger():
        raise JournalError(
            f"{new}: its events do not add up to the same",
            hint=f"Go on with {old}, which was left as it is, and do not use the copy.",
        )
    await new.read().check()


def _name(source: str, target: str, plan: str | None) -> str:
    """Whose journal it is: the name that was given, or that of the folder."""
    names = [Path(place).resolve().name for place in (source, target) if not place.startswith(SCHEMES)]
    if plan is None and not names:
        raise UsageError(
            "which plan's journal is meant is not said", hint="Add --plan NAME; a folder bears its name."
        )
    if plan is None and len(set(names)) > 1:
        raise UsageError(
            f"the folders bear the names of two plans, {names[0]} and {names[1]}",
            hint="A plan's folder bears the plan's name; say --plan NAME to have it copied all the same.",
        )
    return plan or names[0]


def _location(place: str, name: str) -> JournalLocation:
    if place.startswith(SCHEMES):
        return journal_in(expect_url(place), name, end_at_once)
    if "://" in place:
        expect_url(place)
    return journal_at(Path(place))
