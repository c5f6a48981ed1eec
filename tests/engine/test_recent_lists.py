"""Lists that verify many images begin where those were made; what such a list does not show is looked for."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from msgspec.structs import replace

from migrator.domain.http import Request, Response
from migrator.domain.plan import Limits, Polling
from migrator.domain.units import Rate
from migrator.pacing.service_clock import ENOUGH, MARGIN, ServiceClock
from migrator.simulator.settings import Settings
from migrator.workflow.lookup import CLOCK_SKEW
from tests.fakes import FakeClock
from tests.rehearsal import Rehearsal, a_plan
from tests.simulated import SimulatedHttp

FAST = Limits(max_jobs=100, submit_rate=Rate(count=20, unit="s"), submit_burst=20)
IN_BURSTS = Settings(job_seconds=60.0, job_spread="fixed", max_jobs=1000, seed=3)
"""Many jobs end within the same seconds, so that one list answers for them."""


@dataclass(kw_only=True)
class Noted(SimulatedHttp):
    """Notes the lists of many images: when each was asked for, and how long before that it began."""

    lists: list[tuple[float, float | None]] = field(default_factory=list)
    blind: bool = False
    """Lists of what bears the plan's tag since a moment show nothing."""

    async def send(self, request: Request) -> Response:
        query = dict(request.query)
        if "sort_key" in query and not query.keys() & {"id", "name", "marker"}:
            now, since = self.clock.now(), query.get("created_at")
            began = None if since is None else datetime.fromisoformat(since.removeprefix("gte:")).timestamp()
            self.lists.append((now - FakeClock.START, None if began is None else now - began))
        response = await super().send(request)
        if self.blind and {"tag", "created_at"} <= query.keys():
            return replace(response, body=b'{"images": []}')
        return response


async def lists_of(ahead: float, *, blind: bool = False) -> list[tuple[float, float | None]]:
    """The lists of a run whose clock is so many seconds ahead of the service's; every image arrives once."""
    plan = a_plan(600, limits=FAST, polling=Polling(sweep=False))
    rehearsal = Rehearsal(plan, IN_BURSTS)
    rehearsal.own_clock.offset = ahead
    noted = Noted(simulator=rehearsal.simulator, clock=rehearsal.clock, blind=blind)
    rehearsal.http = noted

    ending = await rehearsal.run()

    assert ending.exit_code == 0, ending
    assert set(rehearsal.imports.values()) == {1}
    return noted.lists


@pytest.mark.anyio
@pytest.mark.parametrize("ahead", [0.0, 300.0, -300.0, 840.0])
async def test_once_images_told_of_the_services_clock_a_list_begins_where_those_that_it_is_for_were_made(
    ahead,
):
    lists = await lists_of(ahead)

    later = [before for asked, before in lists if asked > 100.0]
    assert later
    # A job of a minute that ended a while ago, and a minute to spare; our own clock's fault with it.
    assert all(before is not None and 60.0 <= before < 210.0 + max(0.0, -ahead) for before in later)


@pytest.mark.anyio
async def test_what_a_list_of_lately_does_not_show_is_looked_for_in_one_of_everything():
    lists = await lists_of(0.0, blind=True)

    assert [before for asked, before in lists if asked > 50.0].count(None) > 0


def test_until_enough_images_told_a_list_begins_a_quarter_of_an_hour_early():
    clock = ServiceClock()
    for _ in range(ENOUGH - 1):
        clock.made(1000.0, 1001.0)
    clock.made(1000.0, None)

    assert clock.earliest(5000.0) == 5000.0 - CLOCK_SKEW
    clock.made(1000.0, 1001.0)
    assert clock.earliest(5000.0) == 5000.0 - MARGIN


@pytest.mark.parametrize(("behind", "early"), [(-500.0, MARGIN), (20.0, 20.0 + MARGIN), (5000.0, CLOCK_SKEW)])
def test_the_image_that_is_furthest_behind_counts(behind, early):
    clock = ServiceClock()
    for late in [behind, *([min(behind, 0.0)] * ENOUGH)]:
        clock.made(1000.0, 1000.0 - late)

    assert clock.earliest(5000.0) == 5000.0 - early


def test_when_our_own_clock_jumped_it_begins_anew():
    clock = ServiceClock()
    for _ in range(ENOUGH):
        clock.made(1000.0, 1001.0)
    clock.jumped()

    assert clock.earliest(5000.0) == 5000.0 - CLOCK_SKEW
