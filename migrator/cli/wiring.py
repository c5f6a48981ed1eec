"""The clients of a run, built once from plan and environment, and handed to each other."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct
from yarl import URL

from migrator.cli.known_texts import own_words
from migrator.domain.credentials import Login, ReadyToken
from migrator.domain.image import Decided
from migrator.domain.plan import Plan, Target
from migrator.domain.ports import Clock, Http, Signer
from migrator.domain.secrets import SECRETS
from migrator.domain.sheets import How, Opener, Sheet
from migrator.domain.zone import Zone, zone
from migrator.ims.client import Ims
from migrator.ims.identity import FixedTokenSigner, ProjectLookup, Projects, TemporaryKeys, TokenSigner
from migrator.ims.signing import KeySigner, KeySource, ObsSigner
from migrator.ims.storage import Obs, bucket_url
from migrator.io import credentials
from migrator.io.clock import BackdatedClock, FastClock, SystemClock, clock_of
from migrator.io.files import read_inventory_bytes, read_plan_bytes
from migrator.io.http import AioHttp, trusted
from migrator.io.machine_zone import machine_zone
from migrator.io.proxies import proxy_for
from migrator.journal.port import JournalLocation
from migrator.plan import parse_plan
from migrator.plan.grouping import Grouped, grouped
from migrator.preflight.windows import closed

PLAIN_HOSTS = frozenset({"169.254.169.254"})
"""The metadata service of an ECS: plain HTTP by its nature, link-local by its address."""


def load(path: Path) -> tuple[Plan, Grouped]:
    """The plan in a file, and its warnings. Raises PlanError with every problem."""
    plan, warnings = parse_plan(
        read_plan_bytes(str(path)), path=str(path), open_sheet=sheets_beside(path.parent)
    )
    return plan, grouped(warnings)


def sheets_beside(folder: Path, seen: Callable[[str, bytes], None] | None = None) -> Opener:
    """Opens spreadsheets whose paths are relative to a plan's folder.

    `seen` is called with the identity and the content of each.
    """

    def open_sheet(file: str, how: How) -> Sheet:
        from migrator.io.spreadsheets import guessed, rows_of  # most plans have none

        path = str(folder / file)
        data, identity = read_inventory_bytes(path), os.path.realpath(path)
        if seen is not None:
            seen(identity, data)
        rows, guess = rows_of(data, path=path, how=how), guessed(data, how)
        return Sheet(path=path, identity=identity, rows=rows, guess=guess)

    return open_sheet


def zone_of(plan: Plan) -> Zone:
    """In which people are told the time: what the plan says, or else what this machine does."""
    return machine_zone() if plan.timezone is None else zone(plan.timezone)


def late_windows(plan: Plan) -> list[str]:
    """What is to be said of waves whose window has closed by now."""
    zone = zone_of(plan)
    return [
        f"the window of wave {wave.name} closed at {zone.stamp(wave.not_after or 0.0)}: nothing of it is "
        "submitted any more; move not_after"
        for wave in closed(plan.waves, SystemClock().now())
    ]


class TargetServices(Struct, frozen=True, kw_only=True):
    """The services of one target, each behind its client."""

    ims: Ims
    obs: Obs
    projects: Projects
    project_id: str | None
    """As the plan or the environment names it; None where it is looked up by the region's name."""

    backdated: Callable[[float], Ims] | None = None
    """The image service again, signed as if so many seconds ago; None where tokens are used instead."""


def clock_for(plan: Plan, environ: Mapping[str, str]) -> SystemClock | FastClock:
    """The clock by which a plan is carried out. Raises UsageError for a fast one where it may not be."""
    addresses = []
    for target in plan.targets.values():
        buckets = bucket_url(target.obs_endpoint, "bucket")  # the bucket's name may stand before the host
        addresses += [target.ims_endpoint, target.iam_endpoint, target.obs_endpoint, buckets]
        if target.credentials == "metadata":
            addresses.append(credentials.METADATA)
    return clock_of(addresses, environ)


Road = Callable[[Target], AbstractAsyncContextManager[Http]]
"""Opens what requests to the services of a target go through."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a run is carried out in where it is not the real world."""

    clock: Clock
    road: Road
    journal: JournalLocation
    reports: bool
    """Whether anybody will read them."""

    decided: Mapping[str, Decided]
    """How images go in whose plan leaves that open, by key, as preflight found."""


@asynccontextmanager
async def open_clouds(
    plan: Plan,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
    road: Road | None = None,
    *,
    passing: bool = False,
) -> AsyncIterator[dict[str, TargetServices]]:
    """The services of each target, by its name; over the network, unless there is another `road`.

    `passing`: this process has others before and after them, and remembers nothing of the plan.

    Raises CredentialsError, and UsageError for a proxy or a file of certificates that cannot be used, before
    anything is sent.
    """
    forget = SECRETS.spare(partial(own_words, plan))
    open_road = road or network(plan, environ)
    async with AsyncExitStack() as stack:
        if passing:
            stack.callback(forget)
        services = {}
        for name, target in plan.targets.items():
            http = await stack.enter_async_context(open_road(target))
            identity = credentials.find(target.credentials, environ, http=http, clock=clock)
            signer = _signer(identity, target, http, clock)
            project = target.project_id or identity.project_id
            lookup = ProjectLookup(http, signer, target.iam_endpoint, target.project_name or target.region)
            services[name] = TargetServices(
                ims=Ims(http, signer, target, project or lookup),
                obs=Obs(
                    http,
                    ObsSigner(_keys(identity, signer, target, http, clock), clock),
                    target.obs_endpoint,
                ),
                projects=Projects(http, signer, target.iam_endpoint),
                project_id=project,
                backdated=_backdated(identity, target, http, clock, project or lookup),
            )
        yield services


def network(plan: Plan, environ: Mapping[str, str]) -> Road:
    """One client for each target. Raises UsageError for a proxy or certificates that cannot be used."""
    tls = trusted(environ)
    proxy = partial(proxy_for, environ=environ)
    for target in plan.targets.values():
        for address in (target.ims_endpoint, target.iam_endpoint, target.obs_endpoint):
            proxy(URL(address))  # one that cannot be used is said now, not by the first request
    return lambda target: AioHttp(
        connect_timeout=target.limits.connect_timeout,
        request_timeout=target.limits.request_timeout,
        max_requests=target.limits.max_requests,
        tls=tls,
        proxy=proxy,
        allow_plain=PLAIN_HOSTS,
    )


def _backdated(
    identity: credentials.Identity,
    target: Target,
    http: Http,
    clock: Clock,
    project: str | Callable[[], Awaitable[str]],
) -> Callable[[float], Ims] | None:
    if isinstance(identity.secret, Login | ReadyToken):
        return None
    keys = identity.secret
    return lambda seconds: Ims(http, KeySigner(keys, BackdatedClock(clock, seconds)), target, project)


def _signer(identity: credentials.Identity, target: Target, http: Http, clock: Clock) -> Signer:
    match identity.secret:
        case Login() as login:
            return TokenSigner(
                http,
                target.iam_endpoint,
                login,
                region=target.project_name or target.region,
                clock=clock,
                project_id=target.project_id or identity.project_id,
            )
        case ReadyToken() as token:
            return FixedTokenSigner(token)
        case keys:
            return KeySigner(keys, clock)


def _keys(
    identity: credentials.Identity, signer: Signer, target: Target, http: Http, clock: Clock
) -> KeySource:
    """Keys for the object storage, which takes no tokens: exchanged for one, where we have nothing else."""
    match identity.secret:
        case Login() | ReadyToken():
            return TemporaryKeys(http, signer, target.iam_endpoint, clock)
        case keys:
            return keys
