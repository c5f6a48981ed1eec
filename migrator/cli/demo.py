"""`demo`: the shipped plan against a stand-in of its own."""

import shlex
import shutil
import sys
import time
from importlib import resources
from pathlib import Path

from migrator.cli.common import Console
from migrator.cli.journals import plan_folder
from migrator.cli.options import Options
from migrator.cli.session import run
from migrator.io.clock import SystemClock
from migrator.plan import at_endpoint, parse_plan
from migrator.simulator.server import serve
from migrator.simulator.settings import scenario as settings_of


async def demo(seed: int, reports_dir: Path, console: Console) -> int:
    """Import the shipped plan against a simulator of its own."""
    data = resources.files("migrator").joinpath("data/demo.toml").read_bytes()
    plan, _ = parse_plan(data, path="demo.toml")
    settings = settings_of("demo", seed=seed)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(SystemClock().now()))
    async with serve(settings) as running:
        named = plan.model_copy(update={"name": f"demo-{stamp}"})
        console.say("a simulated cloud throttles some requests and lets some imports fail; nothing is real")
        environ = {"HUAWEICLOUD_SDK_AK": settings.access_key, "HUAWEICLOUD_SDK_SK": settings.secret_key}
        options = Options(reports_dir=reports_dir, environ=environ)
        code = await run(at_endpoint(named, running.url), options, console)
    if code in (0, 3) and not console.json:
        page = plan_folder(reports_dir, named.name) / "report.html"
        console.say(f"next: open {page} in a browser; {called(sys.argv[0])} init begins a plan of your own")
    # Some imports fail so that there is something to see; a machine gets the code that its last line tells.
    return 0 if code == 3 and not console.json else code


def called(program: str) -> str:
    """What to type for the program that was started as `program`: its name, where a shell finds that."""
    found = shutil.which("migrator") is not None
    return shlex.quote(program) if not found and Path(program).name == "migrator" else "migrator"
