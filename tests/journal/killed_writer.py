"""A run in a process of its own, to be killed: `killed_writer.py STORE FOLDER [MOST_BYTES]`.

Eight tasks append pairs of numbered events as fast as they can, from where the journal ends. Each number is
printed once it was acknowledged; an error is printed and ends it. No file may grow beyond MOST_BYTES.
"""

import asyncio
import os
import resource
import sys
from itertools import count
from pathlib import Path

from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.stores import journal_at
from migrator.workflow.events import AttemptBegan, ImagePlanned, JobAccepted, JobProgressed

TASKS = 8


async def main(store: str, folder: Path) -> None:
    journal = await journal_at(folder, store).open(version="test")
    last = max(
        [event.at for event in await journal.events() if isinstance(event, JobProgressed)], default=-0.5
    )
    numbers = count(int(last + 0.5))
    for task in range(TASKS):
        image = Image(
            name=f"web-{task}", target="north", source=ObjectRef.parse("bucket:web.raw"), min_disk=40
        )
        if image.key not in (await journal.ledger()).states:
            await journal.append(
                ImagePlanned(at=-3.0, key=image.key, image=image, digest="d"),
                AttemptBegan(at=-2.0, key=image.key, attempt=1, digest="d"),
                JobAccepted(at=-1.0, key=image.key, job_id="j"),
            )

    async def work(task: int) -> None:
        for number in numbers:
            await journal.append(
                JobProgressed(at=float(number), key=f"north/web-{task}", progress=0.25),
                JobProgressed(at=number + 0.5, key=f"north/web-{task}", progress=0.75),
            )
            os.write(1, f"{number}\n".encode())

    try:
        async with asyncio.TaskGroup() as group:
            for task in range(TASKS):
                group.create_task(work(task))
    except* JournalError as errors:
        os.write(1, f"{errors.exceptions[0]}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
