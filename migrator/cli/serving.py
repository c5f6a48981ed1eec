"""`migrator simulate`: the stand-in cloud on addresses of this machine, one for each region."""

import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio

from migrator.cli.common import Console
from migrator.domain.errors import UsageError
from migrator.simulator.as_seen import settings_as_seen
from migrator.simulator.server import serve
from migrator.simulator.settings import SCENARIOS, Settings, of_region
from migrator.simulator.settings import scenario as settings_of


@dataclass(frozen=True, slots=True)
class StandInOptions:
    """What the command line asks of a stand-in."""

    scenario: str
    seed: int
    port: int
    """Of the first region; the others take the ports after it. 0 takes free ones."""

    speed: float
    quota: int | None
    """None is what the scenario says."""

    as_seen: Path | None
    """A service.json, whose service it is to resemble."""

    regions: tuple[str, ...]
    """Each is served at an address of its own; none at all: one address for whatever is asked."""


async def simulate(asked: StandInOptions, console: Console) -> int:
    """Serve the stand-in cloud until a signal ends it."""
    settings = _settings(asked)
    regions = list(dict.fromkeys(asked.regions)) or [next(iter(settings.regions))]
    async with AsyncExitStack() as stack:
        urls = {}
        for number, region in enumerate(regions):
            port = asked.port + number if asked.port else 0
            try:
                serving = serve(of_region(settings, region, number), port=port, speed=asked.speed)
                urls[region] = (await stack.enter_async_context(serving)).url
            except (OSError, OverflowError) as error:
                raise UsageError(
                    f"port {port} of 127.0.0.1 cannot be used: {getattr(error, 'strerror', None) or error}",
                    hint="Name another --port; 0 takes any free one.",
                ) from None
        _say_where(asked.scenario, settings, urls, console)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
    return 0


def _settings(asked: StandInOptions) -> Settings:
    if asked.scenario not in SCENARIOS:
        raise UsageError(
            f"there is no scenario {asked.scenario!r}", hint=f"There are: {', '.join(sorted(SCENARIOS))}."
        )
    settings = settings_of(asked.scenario, seed=asked.seed)
    if asked.as_seen is not None:
        settings = _as_seen(asked.as_seen, settings)
    if asked.quota is not None:
        settings = settings.model_copy(update={"quota": asked.quota})
    return settings


def _as_seen(path: Path, settings: Settings) -> Settings:
    try:
        return settings_as_seen(path.read_bytes(), settings)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--as {path}: not a service.json: {getattr(error, 'strerror', None) or error}",
            hint="A run writes one beside its reports: reports/PLAN/service.json.",
        ) from None


def _say_where(scenario: str, settings: Settings, urls: dict[str, str], console: Console) -> None:
    first = next(iter(urls.values()))
    if console.json:
        keys = {"ak": settings.access_key, "sk": settings.secret_key}
        console.object({"url": first, "regions": urls, **keys})
        return
    console.out(f"serving {scenario} at {first} (Ctrl-C ends it)")
    console.out(f"export HUAWEICLOUD_SDK_AK={settings.access_key}")
    console.out(f"export HUAWEICLOUD_SDK_SK={settings.secret_key}")
    for region, url in urls.items():
        console.out(
            f'plan: ims_endpoint, iam_endpoint and obs_endpoint = "{url}", region = "{region}"; '
            f"inspect {url}/_sim/ledger"
        )
