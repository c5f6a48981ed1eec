"""The stand-in cloud as a process of its own: `python -m tests.bench.cloud_process SETTINGS [SPEED]`.

`SETTINGS` is JSON of the simulator's settings. It prints where it listens, a token and a project's id.
"""

import asyncio
import sys

from migrator.simulator.server import serve
from migrator.simulator.settings import Settings

REGION = "cn-north-4"


async def main(given: str, speed: float) -> None:
    """Serve until killed."""
    settings = Settings.model_validate_json(given)
    async with serve(settings, speed=speed) as running:
        project = settings.regions[REGION]
        token, _ = running.simulator.guard.new_token(REGION, project, running.now())
        print(running.url, token, project, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0))
