"""Writes a journal and a report to be kept, by whichever version of the program PYTHONPATH leads to.

    git archive REVISION | tar -x -C /tmp/old
    cd /tmp/old && PYTHONPATH=/tmp/old python -P CHECKOUT/tests/journal/keep.py FOLDER [--journal URL]

Not a test. `tests/journal/kept/` has a journal of each version of the format; one more is due when `VERSION`
in `migrator/journal/sqlite/database.py` or in `migrator/journal/postgres/schema.py` goes up (of a database:
`pg_dump --inserts --no-owner --schema=migrator`). Two runs, of ten images: five are imported, one failed, two
have a job that goes on, two never began.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path

from migrator.simulator.server import Running, serve
from migrator.simulator.settings import Settings

AK, SK = "CANARYACCESSKEY00001", "canary-secret-key-0000000000000000000001"
START = "import socket; socket.gethostname = lambda: 'host'; from migrator.__main__ import main; main()"
"""The program, on a machine whose name is nobody's."""

PLAN = """\
[plan]
name = "kept"
[targets.north]
region = "cn-north-4"
ims_endpoint = "{url}"
iam_endpoint = "{url}"
obs_endpoint = "{url}"
[limits]
submit_rate = "50/s"
submit_burst = 10
query_rate = "100/s"
query_burst = 20
max_jobs = 2
[retry]
base = "20ms"
cap = "100ms"
[polling]
first = "100ms"
min_interval = "100ms"
max_interval = "200ms"
[policy]
settle = "1s"
late = "1s"
[defaults]
bucket = "bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""


def plan_text(url: str, count: int) -> str:
    """A plan of so many images, in a hurry."""
    image = '[[images]]\nname = "web-{0:02}"\nobject = "web-{0:02}.zvhd2"\n'
    return PLAN.format(url=url) + "".join(image.format(number) for number in range(1, count + 1))


def write(cloud: Running, work: Path, *options: str) -> None:
    """Both runs; the second one is interrupted while two jobs go on."""
    plan = work / "plan.toml"
    words = [sys.executable, "-c", START, "run", str(plan), "--no-preflight", *options]
    env = {"HUAWEICLOUD_SDK_AK": AK, "HUAWEICLOUD_SDK_SK": SK, "PYTHONPATH": os.environ["PYTHONPATH"]}
    plan.write_text(plan_text(cloud.url, 6))
    assert subprocess.run(words, cwd=work, env=env, check=False).returncode == 3
    cloud.simulator.change(cloud.simulator.settings.model_copy(update={"job_seconds": 600.0}))
    plan.write_text(plan_text(cloud.url, 10))
    second = subprocess.Popen(words, cwd=work, env=env)
    while len(cloud.simulator.accepted) < 8:
        time.sleep(0.05)
    time.sleep(1)  # a poll or two
    second.send_signal(signal.SIGINT)
    assert second.wait() == 130


def main(folder: Path, *options: str) -> None:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    settings = Settings(
        access_key=AK, secret_key=SK, job_seconds=0.2, job_spread="fixed", fates={"web-03": "IMG.0057"}
    )
    stack = AsyncExitStack()  # held, as the cloud ends with it
    opening = stack.enter_async_context(serve(settings))
    cloud = asyncio.run_coroutine_threadsafe(opening, loop).result(10)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        write(cloud, Path(work), *options)
        for name in ("journal.db", "report.json"):
            if (place := Path(work, "reports/kept", name)).exists():
                shutil.copyfile(place, folder / name)
    os._exit(0)  # the cloud is in a thread that nobody ends


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
