"""The real parts of a run, built once and handed to each other."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from migrator.clouds.iam import FixedTokenSigner, ProjectLookup, TokenSigner
from migrator.clouds.ims import Ims
from migrator.clouds.signing import KeySigner
from migrator.core.plan import parse_plan
from migrator.edges import credentials
from migrator.edges.clock import SystemClock
from migrator.edges.files import read_plan_bytes
from migrator.edges.http import AioHttp
from migrator.model import Login, Plan, ReadyToken, Target
from migrator.ports import Clock, Http, Signer

PLAIN_HOSTS = frozenset({"169.254.169.254"})
"""The metadata service of an ECS: plain HTTP by its nature, link-local by its address."""


def load(path: Path) -> tuple[Plan, list[str]]:
    """The plan in a file, and its warnings. Raises PlanError with every problem."""
    plan, warnings = parse_plan(read_plan_bytes(str(path)), path=str(path))
    return plan, [str(problem) for problem in warnings]


def plan_folder(reports_dir: Path, plan: Plan) -> Path:
    """Where a plan's journal and reports lie."""
    return reports_dir / plan.name


@asynccontextmanager
async def open_clouds(
    plan: Plan, clock: Clock, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[dict[str, Ims]]:
    """One cloud for each target. Raises CredentialsError before anything is sent."""
    async with AsyncExitStack() as stack:
        clouds = {}
        for name, target in plan.targets.items():
            http = AioHttp(
                connect_timeout=target.limits.connect_timeout,
                request_timeout=target.limits.request_timeout,
                max_requests=target.limits.max_requests,
                ca_file=environ.get("MIGRATOR_CA_FILE"),
                proxy=environ.get("HTTPS_PROXY") or environ.get("https_proxy"),
                allow_plain=PLAIN_HOSTS,
            )
            identity = credentials.find(target.credentials, environ, http=http, clock=clock)
            signer = _signer(identity, target, http, clock)
            await stack.enter_async_context(http)
            project = target.project_id or identity.project_id
            lookup = ProjectLookup(http, signer, target.iam_endpoint, target.region)
            clouds[name] = Ims(http, signer, target, project or lookup)
        yield clouds


def _signer(identity: credentials.Identity, target: Target, http: Http, clock: Clock) -> Signer:
    match identity.secret:
        case Login() as login:
            return TokenSigner(
                http,
                target.iam_endpoint,
                login,
                region=target.region,
                clock=clock,
                project_id=target.project_id or identity.project_id,
            )
        case ReadyToken() as token:
            return FixedTokenSigner(token)
        case keys:
            return KeySigner(keys, SystemClock())  # signatures are judged by real time, always
