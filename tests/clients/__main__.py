"""The vendor's Node clients against the stand-in: `make clients`. They are fetched, never committed."""

import asyncio
import os
import sys
from pathlib import Path

from migrator.simulator.server import serve
from migrator.simulator.settings import ObjectSettings, Settings
from tests.simulator.callers import PROJECT

HERE = Path(__file__).parent


async def main(modules: str) -> int:
    """Run each script against a stand-in of its own; `modules` is the folder with what npm installed."""
    failed = 0
    for script in sorted(HERE.glob("*.cjs")):
        settings = Settings(
            job_seconds=0.0,
            objects={
                "mig-bucket:images/冷 disk+1~.zvhd2": ObjectSettings(size=7 * 2**30),
                "mig-bucket:images/gone.zvhd2": ObjectSettings(missing=True),
            },
        )
        async with serve(settings) as running:
            arguments = (running.url, settings.access_key, settings.secret_key, PROJECT)
            process = await asyncio.create_subprocess_exec(
                "node", str(script), *arguments, env={**os.environ, "NODE_PATH": modules}
            )
            try:
                failed += bool(await asyncio.wait_for(process.wait(), 60.0))
            except TimeoutError:
                process.kill()
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
