"""What is told of a plan in a database: each event is seen once, and who tells keeps nobody from the plan."""

from dataclasses import replace

import pytest

from migrator.domain.errors import JournalFenced, JournalLocked
from migrator.journal.codec import event_text
from migrator.journal.group_commit import GroupCommit
from migrator.journal.postgres.claim import TELLER, Claim
from migrator.journal.postgres.telling import Tail
from migrator.workflow.events import JobAccepted, NotificationDelivered, RunEnded
from migrator.workflow.ledger import fold
from tests.journal.conftest import NEEDS_POSTGRES
from tests.journal.test_postgres import DB, RUN, WEB, Life, anyio_backend, began, lives, plan, planned

__all__ = ["anyio_backend", "lives", "plan"]

pytestmark = [pytest.mark.anyio, NEEDS_POSTGRES]

TOLD = NotificationDelivered(at=5.0, id="n")


async def opened(life: Life, plan: str, target: str) -> tuple[GroupCommit, int]:
    """A journal, and the number of its plan."""
    claims: list[Claim] = []
    journal = await replace(life.at(plan, target), on_claimed=claims.append).open(version="1")
    return journal, claims[0].plan


async def test_what_came_before_is_in_the_ledger_and_what_comes_after_is_seen_once(lives, plan):
    north, number = await opened(lives[0], plan, "north")
    south, _ = await opened(lives[1], plan, "south")
    await north.append(planned(WEB))
    tail = Tail("here", number)

    with lives[0].database.connect() as connection:
        assert tail.begin(connection) == fold([planned(WEB)])
        assert tail.more(connection) == []
        await south.append(planned(DB), began(DB))
        await north.append(began(WEB))
        seen = tail.more(connection)
        assert tail.more(connection) == []

    assert sorted(map(str, seen)) == sorted(map(str, [planned(DB), began(DB), began(WEB)]))
    await north.close()
    await south.close()


async def test_an_event_that_is_committed_late_is_seen_though_its_number_is_smaller(lives, plan):
    """Numbers are given when a row is written, and seen when its transaction is committed."""
    north, number = await opened(lives[0], plan, "north")
    south, _ = await opened(lives[1], plan, "south")
    await north.append(planned(WEB))
    await south.append(planned(DB))
    tail, late = Tail("here", number), began(WEB)

    with lives[0].database.connect() as connection, lives[1].database.connect() as slow:
        tail.begin(connection)
        slow.execute("BEGIN")
        slow.execute(
            "INSERT INTO migrator.events (plan, target, at, kind, key, body)"
            " VALUES (%s, 'north', 2, %s, %s, %s)",
            [number, type(late).__name__, WEB.key, event_text(late)[1]],
        )
        slow.execute(
            "UPDATE migrator.shards SET appended = appended + 1 WHERE plan = %s AND target = 'north'",
            [number],
        )
        await south.append(began(DB))
        assert tail.more(connection) == [began(DB)]
        slow.execute("COMMIT")
        assert tail.more(connection) == [late]

    await north.close()
    await south.close()


async def test_what_is_told_is_no_news_and_neither_is_another_plan(lives, plan):
    teller, number = await opened(lives[0], plan, TELLER)
    other, _ = await opened(lives[1], f"{plan}-other", "north")
    tail = Tail("here", number)

    with lives[0].database.connect() as connection:
        tail.begin(connection)
        await teller.append(TOLD)
        await other.append(planned(WEB))
        assert tail.more(connection) == []

    assert (await lives[0].at(plan).read().ledger()).events == 1
    await teller.close()
    await other.close()


async def test_who_tells_keeps_nobody_from_the_plan_and_is_fenced_by_who_takes_all_of_it(lives, plan):
    teller, _ = await opened(lives[0], plan, TELLER)
    reader = lives[1].at(plan).read()
    assert await reader.holder() is None

    whole = await lives[1].at(plan).open(version="1")
    with pytest.raises(JournalFenced):
        await teller.append(TOLD)

    await whole.append(RUN, RunEnded(at=6.0, run=RUN.run, reason="done", exit_code=0))
    await teller.close()
    await whole.close()


async def test_only_one_process_tells(lives, plan):
    teller, _ = await opened(lives[0], plan, TELLER)

    with pytest.raises(JournalLocked, match="w1, process"):
        await opened(lives[1], plan, TELLER)

    north, _ = await opened(lives[1], plan, "north")
    await north.append(planned(WEB), began(WEB), JobAccepted(at=3.0, key=WEB.key, job_id="j"))
    await teller.close()
    await north.close()
