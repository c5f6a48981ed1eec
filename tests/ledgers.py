"""Ledgers nobody thought of: random walks along the table of core/lifecycle.py, in words chosen to hurt.

`histories()` and `ledgers()` are for properties, `random_ledger(rng, n)` for benchmarks, `plan_for(...)`
gives the plan that goes with either.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Limits, Plan, Target
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRejected,
    AttemptRestored,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    DeadlinePassed,
    Event,
    ImageEvent,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobReattached,
    JobRestored,
    JobSucceeded,
    MigrationFailed,
    RunBegan,
    RunEnded,
    StepAccepted,
    StepBegan,
    StepDone,
    StepEvent,
    StepFailed,
    StepMade,
    StepNotFound,
    StepRefused,
    StepReopened,
    StepUnknown,
    TargetHalted,
    VerificationFailed,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase, State, StepState
from migrator.workflow.steps import STEP_TRANSITIONS
from migrator.workflow.transitions import TRANSITIONS

START = 1_780_000_000.0
"""When every history begins: 2026-05-28T20:26:40Z."""

NAMES = (
    "web",
    "=cmd|' /C calc'!A0",
    '<script>alert("1")</script>',
    "网络-服务器",
    "🚀 launch",
    "-5+3",
    "@SUM(A1)",
    "  =1+1",
    "＝1+1",
    'a,b;"c"',
    "two\nlines",
    "\ttab",
    "nul\x00byte",
)
MESSAGES = (
    "The image file is damaged.",
    "image 3f2504e0-4f89-11d3-9a0c-0305e82c3301 not found after 12 tries",
    "image 6ba7b810-9dad-11d1-80b4-00c04fd430c8 not found after 7 tries",
    "line one\r\nline two\x00\x1b[31m red",
    '=HYPERLINK("http://evil.example")',
    "<img src=x onerror=alert(1)>",
    "磁盘镜像格式错误",
    "",
)
OWNERS = ("li.wei", "张伟", "=1+1", "")


def image(name: str = "web-01", target: str = "north", **fields: Any) -> Image:
    """An image of a plan, with only what a test cares about spelled out."""
    given: dict[str, Any] = {
        "source": ObjectRef("mig-bucket", f"images/{name}.zvhd2"),
        "min_disk": 40,
        "os_version": "CentOS 7.6 64bit",
    }
    return Image(name=name, target=target, **given | fields)


def plan_for(*targets: str, images: tuple[Image, ...] = (), **limits: Any) -> Plan:
    """A plan with these targets (north and south by default), each under the same limits."""
    return Plan(
        name="dc-east",
        description="Rack rows A-F",
        owner="infra-team@example.com",
        targets={
            name: Target(
                name=name,
                region="cn-north-4",
                ims_endpoint="https://ims.example",
                iam_endpoint="https://iam.example",
                obs_endpoint="https://obs.example",
                limits=Limits(**limits),
            )
            for name in targets or ("north", "south")
        },
        images=images,
    )


def fault(rng: random.Random) -> Fault:
    return Fault(
        code=rng.choice(("IMG.0057", "IMG.0060", "MIG.verify", "")),
        message=rng.choice(MESSAGES),
        remedy=rng.choice(("Upload the file again.", "")),
        request_id=rng.choice(("", "c1a5f0e2")),
    )


_MAKE: dict[type[ImageEvent], Callable[[random.Random, State, Image], dict[str, Any]]] = {
    ImagePlanned: lambda rng, state, image: {"image": image, "digest": rng.choice((state.digest, "edited"))},
    ImageRemoved: lambda rng, state, image: {},
    AttemptBegan: lambda rng, state, image: {
        "attempt": len(state.attempts) + 1,
        "digest": rng.choice(("planned", "planned", "older")),
    },
    JobAccepted: lambda rng, state, image: {"job_id": f"job-{rng.randrange(10**9)}"},
    AttemptRetryable: lambda rng, state, image: {"fault": fault(rng)},
    AttemptThrottled: lambda rng, state, image: {"fault": fault(rng)},
    AttemptRejected: lambda rng, state, image: {"fault": fault(rng)},
    AttemptUnknown: lambda rng, state, image: {"fault": fault(rng)},
    AttemptNotFound: lambda rng, state, image: {"looked_for": 600.0},
    AttemptHeld: lambda rng, state, image: {"fault": fault(rng)},
    ImageFound: lambda rng, state, image: {
        "image_id": f"image-{rng.randrange(10**9)}",
        "active": rng.random() < 0.5,
    },
    JobProgressed: lambda rng, state, image: {"progress": rng.choice((0.0, 0.25, 0.9, 1.0))},
    JobSucceeded: lambda rng, state, image: {"image_id": rng.choice((None, f"image-{rng.randrange(10**9)}"))},
    JobFailed: lambda rng, state, image: {"fault": fault(rng)},
    DeadlinePassed: lambda rng, state, image: {},
    JobReattached: lambda rng, state, image: {},
    ImageVerified: lambda rng, state, image: {"image_id": f"image-{rng.randrange(10**9)}"},
    VerificationFailed: lambda rng, state, image: {"fault": fault(rng)},
    ImageSkipped: lambda rng, state, image: {"image_id": f"image-{rng.randrange(10**9)}"},
    MigrationFailed: lambda rng, state, image: {"fault": fault(rng)},
    ImageReopened: lambda rng, state, image: {},
    JobRestored: lambda rng, state, image: {"job_id": f"job-{rng.randrange(10**9)}"},
    AttemptRestored: lambda rng, state, image: {"fault": fault(rng)},
    StepBegan: lambda rng, state, image: {},
    StepAccepted: lambda rng, state, image: {"job_id": f"job-{rng.randrange(10**9)}"},
    StepRefused: lambda rng, state, image: {"fault": fault(rng)},
    StepUnknown: lambda rng, state, image: {"fault": fault(rng)},
    StepNotFound: lambda rng, state, image: {},
    StepMade: lambda rng, state, image: {"image_id": rng.choice(("", f"image-{rng.randrange(10**9)}"))},
    StepDone: lambda rng, state, image: {},
    StepFailed: lambda rng, state, image: {"fault": fault(rng)},
    StepReopened: lambda rng, state, image: {},
}
"""The fields of each fact about an image, beside `at` and `key`."""

_NEXT: dict[Phase, tuple[type[ImageEvent], ...]] = {
    phase: tuple(event for start, event in TRANSITIONS if start is phase) for phase in Phase
}
_ONWARD: dict[Phase, type[ImageEvent]] = {
    Phase.PENDING: AttemptBegan,
    Phase.SUBMITTING: JobAccepted,
    Phase.IN_DOUBT: ImageFound,
    Phase.RUNNING: JobSucceeded,
    Phase.VERIFYING: ImageVerified,
    Phase.OVERDUE: JobReattached,
}
"""The fact that leads each unfinished image towards success."""


def event(kind: type[ImageEvent], at: float, state: State, image: Image, rng: random.Random) -> ImageEvent:
    """A fact of this kind that may follow `state`."""
    of = {"step": rng.choice(steps_for(kind, state) or STEPS)} if issubclass(kind, StepEvent) else {}
    return kind(at=at, key=state.key, **of, **_MAKE[kind](rng, state, image))


STEPS = ("share:1123456789abcdef0123456789abcdef", "copy:south")


def steps_for(kind: type[ImageEvent], state: State) -> list[str]:
    """The steps of an image of which this may be said now."""
    none = StepState()
    return [step for step in STEPS if (state.steps.get(step, none).phase, kind) in STEP_TRANSITIONS]


def history(rng: random.Random, n: int, *, steps: int, mishap: float = 0.3) -> Iterator[Event]:
    """Facts that could have happened to `n` images: all planned, then `steps` further ones.

    With probability `mishap` a fact is any that the table allows, otherwise the one that leads onward.
    """
    ledger, at = Ledger(), START
    run = 0
    images = {image.key: image for image in _images(rng, n)}

    def began() -> RunBegan:
        return RunBegan(at=at, run=f"run-{run}", version="1.0", host="jump", pid=4242)

    def planned() -> Iterator[Event]:
        for key, one in images.items():
            yield ImagePlanned(at=at, key=key, image=one, digest="planned")

    def going_on() -> Iterator[Event]:
        nonlocal at, run
        keys = list(images)
        for _ in range(steps):
            at += rng.choice((0.0, 0.25, 7.0, 61.5, 900.0))
            if rng.random() < 0.02:
                if rng.random() < 0.5:
                    yield RunEnded(at=at, run=f"run-{run}", reason="deadline", exit_code=7)
                at += rng.choice((1.0, 30_000.0))
                run += 1
                yield began()
            elif rng.random() < 0.02:
                yield TargetHalted(at=at, target=rng.choice(("north", "south")), fault=fault(rng))
            if not keys:
                continue
            state = ledger.states[rng.choice(keys)]
            kind = _ONWARD.get(state.phase)
            if rng.random() < mishap:
                possible = (
                    kind
                    for kind in _NEXT[state.phase]
                    if not issubclass(kind, StepEvent) or steps_for(kind, state)
                )
                kind = rng.choice(list(possible))
            if kind is not None:
                yield event(kind, at, state, images[state.key], rng)

    for part in ([began()], planned(), going_on()):
        for fact in part:
            ledger.apply(fact)
            yield fact


def _images(rng: random.Random, n: int) -> Iterator[Image]:
    for index in range(n):
        labels = {}
        if rng.random() < 0.8:
            labels["owner"] = rng.choice(OWNERS)
        if rng.random() < 0.5:
            labels["rack"] = rng.choice(("A12", "B3"))
        if index % 5:
            labels["machine"] = NAMES[index // 3 % len(NAMES)]
        name = f"{rng.choice(NAMES)}-{index:05d}"
        target, wave = rng.choice(("north", "south")), rng.choice((None, "pilot", "main"))
        if rng.random() < 0.8:
            yield image(name, target, wave=wave, labels=labels)
        else:
            yield image(
                name, target, wave=wave, labels=labels, type=ImageType.DATA, os_version=None, os_type="Linux"
            )


def random_ledger(rng: random.Random, n: int) -> Ledger:
    """A ledger of `n` images, half way through and mostly well; the same for the same `rng`."""
    ledger = Ledger()
    for fact in history(rng, n, steps=n * 3, mishap=0.05):
        ledger.apply(fact)
    return ledger


@st.composite
def histories(draw: st.DrawFn, max_images: int = 6, max_steps: int = 40) -> list[Event]:
    """Whole lists of facts, oldest first, of which every prefix is a history too."""
    rng = draw(st.randoms(use_true_random=False))
    n = draw(st.integers(0, max_images))
    return list(history(rng, n, steps=draw(st.integers(0, max_steps)), mishap=0.5))


@st.composite
def ledgers(draw: st.DrawFn, max_images: int = 6, max_steps: int = 40) -> Ledger:
    """Ledgers as a journal could hold them."""
    ledger = Ledger()
    for fact in draw(histories(max_images, max_steps)):
        ledger.apply(fact)
    return ledger


def latest(ledger: Ledger) -> float:
    """A moment after everything that the ledger knows."""
    moments = [START, *(run.ended_at or run.began_at for run in ledger.runs)]
    for state in ledger.states.values():
        moments += [attempt.ended_at or attempt.began_at for attempt in state.attempts]
        moments += [state.finished_at or START]
    return max(moments) + 1.0
