"""A stand-in cloud in a process of its own, under the worst faults: `python chaos_cloud.py SEED SPEED`.

Prints one line of JSON with its address and the moment at which its fast clock began.
"""

import asyncio
import json
import sys
import time

from migrator.simulator.server import serve
from migrator.simulator.settings import scenario


async def main(seed: int, speed: float) -> None:
    """Serve until killed."""
    settings = scenario("chaos", seed=seed)
    odds, polls = settings.import_odds, settings.poll_odds
    settings = settings.model_copy(
        update={
            "import_odds": odds.model_copy(update={"late": 0.03}),
            "late_seconds": 100.0,
            "poll_odds": polls.model_copy(update={"foreign": 0.02}),
            "echo": True,
            "listed": ("at_once", "later", "at_end")[seed % 3],
            "listed_after": 20.0,
            "job_seconds": 60.0,
            "quota": 1_000_000,
            "token_dies_after": 5.0 * speed,
            "burst_every": 150.0,
            "burst_seconds": 5.0,
        }
    )
    anchor = time.time()
    async with serve(settings, speed=speed, anchor=anchor) as running:
        print(json.dumps({"url": running.url, "anchor": anchor}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
