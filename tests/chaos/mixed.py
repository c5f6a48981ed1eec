"""Plans of every kind of image at once, killed again and again in a storm: quick and normal imports in many
formats, data disks, what "auto" decides, images that are shared, images that are copied to another region.

    python -m tests.chaos.mixed FIRST LAST [IMAGES]

The simulator's own books are the judge, of imports, shares and copies alike.
"""

import logging
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

import anyio
import structlog

from migrator.domain.image import Decided, Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Limits, Plan, Policy, Polling, Target
from migrator.domain.units import Rate, Threshold
from migrator.ims.methods import FileFacts, companion_of, method_for, wish_of
from migrator.simulator.settings import ObjectSettings, Odds, Settings
from migrator.simulator.wire import Call
from migrator.workflow.states import Phase, StepPhase
from migrator.workflow.steps import wanted
from tests.conftest import JumpingLoop
from tests.rehearsal import Rehearsal

RECEIVER = "a123456789abcdef0123456789abcdef"
NORTH, SOUTH = "0123456789abcdef0123456789abcdef", "2123456789abcdef0123456789abcdef"
LATE = 120.0
FORMATS = ("vmdk", "vhd", "qcow2", "vhdx", "raw")
LIMITS = Limits(
    max_jobs=40,
    submit_rate=Rate(count=4, unit="s"),
    query_rate=Rate(count=20, unit="s"),
    request_timeout=30.0,
)


def target(name: str, region: str, project: str) -> Target:
    return Target(
        name=name,
        region=region,
        project_id=project,
        agency="ims_admin_agency",
        ims_endpoint=f"https://ims.{region}.example",
        iam_endpoint=f"https://iam.{region}.example",
        obs_endpoint=f"https://obs.{region}.example",
        limits=LIMITS,
    )


def an_image(number: int, of: int) -> Image:
    """Of `of` images: a third quick, a third normal in five formats, a fifth data disks, the others auto; of
    each fifteen one is shared with a project that is in the plan, one with another, and one is copied."""
    part, name = number / of, f"vm-{number:05}"
    wave = number % 15
    shared = {5: (SHARED_PROJECT,), 9: (RECEIVER,)}.get(wave, ())
    more: dict[str, object] = {"share_with": shared, "copy_to": ("south",) if wave == 12 else ()}
    if part < 1 / 3:
        method, extension = "quick", "zvhd2"
    elif part < 2 / 3:
        method, extension = "normal", FORMATS[number % 5]
    elif part < 13 / 15:
        method, extension = "normal", FORMATS[number % 5]
        more |= {"type": ImageType.DATA, "os_type": "Linux"}
    else:
        method, extension = "auto", ("zvhd2", "raw", "vmdk", "raw")[number % 4]
    if more.get("type") is not ImageType.DATA:
        more["os_version"] = "CentOS 7.6 64bit"
    source = ObjectRef("bucket", f"{name}.{extension}")
    return Image(name=name, target="north", source=source, min_disk=60, method=method, **more)  # type: ignore[arg-type]


SHARED_PROJECT = "b123456789abcdef0123456789abcdef"
"""Of a target of the plan, which accepts what it is given."""


def drawn(seed: int, images: int) -> Rehearsal:
    dice = random.Random(seed)
    plan = Plan(
        name="mixed",
        targets={
            "north": target("north", "cn-north-4", NORTH),
            "south": target("south", "cn-south-1", SOUTH),
            "friends": target("friends", "cn-north-4", SHARED_PROJECT),
        },
        images=tuple(an_image(number, images) for number in range(images)),
        policy=Policy(max_failures=Threshold(fraction=1.0), late=LATE),
        polling=Polling(),
    )
    objects: dict[str, ObjectSettings] = {}
    decided: dict[str, Decided] = {}
    for image in plan.images:
        objects[image.image_url] = ObjectSettings(size=2**33)
        beside = dice.random() < 0.5
        companion = companion_of(image)
        if companion is not None:
            objects[str(companion)] = ObjectSettings(size=1000, missing=not beside)
        choice = method_for(wish_of(image), FileFacts(2**33, beside))
        assert choice.method is not None
        if image.undecided:
            decided[image.key] = Decided(choice.method.key, choice.why)
    odds = Odds(
        error_before=0.05,
        error_after=0.05,
        reset_before=0.03,
        reset_after=0.03,
        hang_before=0.01,
        hang_after=0.01,
        truncate=0.02,
        throttle=0.03,
        late=0.03,
    )
    settings = Settings(
        seed=seed,
        projects={SHARED_PROJECT: "cn-north-4"},
        objects=objects,
        job_seconds=dice.choice([20.0, 90.0]),
        import_odds=odds,
        poll_odds=Odds(error_before=0.05, html=0.02, reset_before=0.03, truncate=0.01),
        other_odds=Odds(error_before=0.05, reset_before=0.03, truncate=0.01),
        late_seconds=LATE - 20.0,
        listed="later",
        listed_after=dice.choice([0.0, 10.0]),
        tagged="later",
        tagged_after=dice.choice([0.0, 15.0]),
        lag_spread="exponential",
        burst_every=120.0,
        burst_seconds=5.0,
        copy_seconds=dice.choice([10.0, 60.0]),
        quota=-1,
    )
    return Rehearsal(plan, settings, seed=seed, timeout=30.0, decided=decided)


@dataclass(kw_only=True)
class Found:
    """What became of one plan."""

    images: int
    kills: int = 0
    shares: int = 0
    copies: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def played(seed: int, images: int, kills: int) -> Found:
    """One plan's life, from its first run to its end."""
    rehearsal, dice = drawn(seed, images), random.Random(f"{seed}-kills")
    found = Found(images=images)
    for _ in range(kills):
        with anyio.move_on_after(dice.uniform(5.0, 4 * rehearsal.settings.job_seconds)) as life:
            await rehearsal.run()
        found.kills += life.cancelled_caught
        await anyio.sleep(dice.choice([0.5, 5.0, 60.0]))
        rehearsal.journal = rehearsal.journal.reopened()
    for _ in range(5):
        ending = await rehearsal.run()
        if ending.exit_code != 7:
            break
        rehearsal.journal = rehearsal.journal.reopened()
    await anyio.sleep(LATE + 1.0)
    question = Call(method="GET", host="h", path="/_sim/stats", headers={})
    rehearsal.simulator.answer(question, rehearsal.clock.now())
    judge(rehearsal, found)
    if ending.exit_code != 0:
        found.wrong.append(f"exit code {ending.exit_code}: {ending.reason}")
    return found


def judge(rehearsal: Rehearsal, found: Found) -> None:
    """Compare the simulator's books with what the program says."""
    simulator, states = rehearsal.simulator, rehearsal.ledger.states
    made = Counter(record.name for record in simulator.project(NORTH).records)
    found.wrong += [f"{name}: {count} images" for name, count in made.items() if count > 1]
    books = Counter((one.kind, one.image_id, one.to) for one in simulator.after.books)
    found.wrong += [
        f"{kind} of {image} to {to}: {count} times" for (kind, image, to), count in books.items() if count > 1
    ]
    for image in rehearsal.plan.images:
        state = states[image.key]
        (line,) = simulator.accepted.get(image.name, [None])[:1]
        if state.phase is not Phase.SUCCEEDED or line is None:
            found.wrong.append(f"{image.key}: {state.phase}, {made[image.name]} images")
            continue
        asked = image.method if not image.undecided else state.method
        if line.method != asked or (state.method or "quick") != asked:
            found.wrong.append(f"{image.key}: went by {line.method}, not {asked}")
        found.methods[line.method] += 1
        for step in wanted(image):
            whom = SOUTH if step.kind == "copy" else step.whom
            there = books[step.kind, state.image_id or "", whom]
            if state.steps[step.name].phase is not StepPhase.DONE or not there:
                found.wrong.append(f"{image.key}: {step.name} {state.steps.get(step.name)}, {there} made")
            if step.kind == "copy" and state.steps[step.name].phase is StepPhase.DONE:
                made_at = simulator.project(SOUTH).by_id[state.steps[step.name].image_id].job.ends
                if (state.steps[step.name].ended_at or 0.0) < made_at:
                    found.wrong.append(f"{image.key}: told to be copied before it was")
            found.shares += step.kind == "share"
            found.copies += step.kind == "copy"
    found.wrong += _unmarked(rehearsal)


def _unmarked(rehearsal: Rehearsal) -> list[str]:
    """Copies without their marker, and shares that their receiver, who is in the plan, did not accept."""
    simulator = rehearsal.simulator
    wrong = [
        f"copy {record.name} bears {record.tags}"
        for record in simulator.project(SOUTH).records
        if "migrator_item" not in record.tags
    ]
    now = rehearsal.clock.now()
    for (image_id, project), member in simulator.after.members.items():
        if (project == SHARED_PROJECT) != (member.accepted_at <= now):
            wrong.append(f"share of {image_id} with {project}: {member}")
    return wrong


async def main() -> int:
    """One line for each seed that went wrong, and one for all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    first, last = int(sys.argv[1]), int(sys.argv[2])
    images = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    every = []
    for seed in range(first, last):
        every.append(found := await played(seed, images, kills=5))
        if found.wrong:
            print(f"seed {seed}: {'; '.join(found.wrong[:10])}", flush=True)
    methods = sum((one.methods for one in every), Counter[str]())
    print(
        f"{len(every)} plans: {sum(one.images for one in every):,} images "
        f"({', '.join(f'{count:,} {name}' for name, count in methods.items())}), "
        f"{sum(one.shares for one in every)} shares, {sum(one.copies for one in every)} copies, "
        f"{sum(one.kills for one in every)} kills, {sum(bool(one.wrong) for one in every)} plans wrong"
    )
    return int(any(one.wrong for one in every))


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
