"""A migration that looks like one: waves, two regions, owners in two scripts, and the usual misfortunes."""

import heapq
import math
import random

from migrator.domain.cloud import Fault
from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Limits, Plan, Target
from migrator.domain.units import Rate
from migrator.ims.error_codes import CODES
from migrator.workflow.events import (
    AttemptBegan,
    AttemptRejected,
    AttemptThrottled,
    AttemptUnknown,
    Event,
    ImageFound,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    RunBegan,
    VerificationFailed,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.plan_facts import facts_of

START = 1_780_000_000.0
"""2026-05-28T20:26:40Z."""

PAUSE_AT, PAUSE = 5400.0, 2400.0
"""The first run is killed so long after it began, and the second begins so long after that."""

_APPS = ("web", "shop", "erp", "mail", "ci", "db", "订单服务", "财务", "仓库管理", "官网")
_OWNERS = ("li.wei", "张伟", "王芳", "m.keller", "s.okafor")
_SYSTEMS = (
    "CentOS 7.6 64bit",
    "Ubuntu 22.04 server 64bit",
    "EulerOS 2.9 64bit",
    "Windows Server 2019 Standard 64bit",
)
_WAVES = (("pilot", 0.08), ("core", 0.52), ("rest", 0.4))


def migration(n: int = 500, *, seed: int = 4, done: float = 0.82) -> tuple[Ledger, Plan, float]:
    """`n` images, of which about the share `done` is over; the plan, and the moment at which it is so."""
    events, plan, now = recorded(n, seed=seed, done=done)
    ledger = Ledger()
    for event in events:
        ledger.apply(event)
    return ledger, plan, now


def recorded(n: int = 500, *, seed: int = 4, done: float = 0.82) -> tuple[list[Event], Plan, float]:
    """The same, as its journal has it."""
    rng = random.Random(seed)
    scale = max(n / 500, 1.0)
    targets = {
        name: Target(
            name=name,
            region=region,
            ims_endpoint="https://ims.example",
            iam_endpoint="https://iam.example",
            obs_endpoint="https://obs.example",
            limits=Limits(max_jobs=round(jobs * scale), submit_rate=Rate(count=1, unit="s")),
        )
        for name, region, jobs in (("north", "cn-north-4", 32), ("south", "cn-south-1", 16))
    }
    plan = Plan(
        name="dc-east",
        description="Rack rows A to F",
        owner="infra-team@example.com",
        targets=targets,
        images=(),
    )
    images = _images(rng, n)
    facts: list[Event] = []
    for target in targets.values():
        facts += _history(
            rng, [image for image in images if image.target == target.name], target.limits.max_jobs
        )
    facts.sort(key=lambda fact: fact.at)
    ends = sorted(fact.at for fact in facts if isinstance(fact, ImageVerified | JobFailed | AttemptRejected))
    now = ends[min(int(n * done), len(ends) - 1)] + 20
    events: list[Event] = [
        RunBegan(at=START, run="run-1", version="1.0.0", host="jump-01", pid=4242, plan=facts_of(plan)),
        *(ImagePlanned(at=START, key=image.key, image=image, digest="planned") for image in images),
    ]
    again = RunBegan(at=START + PAUSE_AT + PAUSE, run="run-2", version="1.0.0", host="jump-01", pid=5117)
    past = [fact for fact in facts if fact.at <= now]
    events += [fact for fact in past if fact.at < again.at]
    if past[-1].at >= again.at:
        events += [again, *(fact for fact in past if fact.at >= again.at)]
    return events, plan, now


def _images(rng: random.Random, n: int) -> list[Image]:
    images = []
    for index in range(n):
        app = rng.choice(_APPS)
        data = rng.random() < 0.18
        at = index / n
        wave = next(name for name, until in (("pilot", 0.08), ("core", 0.6), ("rest", 1.0)) if at < until)
        name = f"{app}-{index + 1:0{max(3, len(str(n)))}d}" + ("-data" if data else "")
        images.append(
            Image(
                name=name,
                target="north" if rng.random() < 0.66 else "south",
                source=ObjectRef.parse(f"dc-east-images:export/{name}" + (".raw" if data else ".zvhd2")),
                min_disk=rng.choice((40, 60, 100, 200, 500)),
                wave=wave,
                type=ImageType.DATA if data else ImageType.ECS,
                os_version=None if data else rng.choice(_SYSTEMS),
                os_type="Linux" if data else None,
                labels={
                    "app": app,
                    "owner": rng.choice(_OWNERS),
                    "rack": f"{rng.choice('ABCDEF')}{rng.randint(1, 6)}",
                },
            )
        )
    return images


def _history(rng: random.Random, images: list[Image], window: int) -> list[Event]:
    """What one target's journal says, its window kept full, wave by wave."""
    facts: list[Event] = []
    begin = 2.0
    for wave, _ in _WAVES:
        slots = [begin] * window
        latest = begin
        for image in (image for image in images if image.wave == wave):
            begin = max(begin + rng.uniform(1, 4), slots[0])
            end = _life(rng, image, begin, facts)
            latest = max(latest, end)
            heapq.heapreplace(slots, end)
        begin = latest
    return facts


def _fault(code: str, rng: random.Random, message: str = "") -> Fault:
    row = CODES[code]
    return Fault(
        code=code,
        message=message or row.message,
        remedy=row.remedy,
        request_id=f"{rng.getrandbits(128):032x}",
    )


def _wall(at: float) -> float:
    """The moment at which something shows that takes place after so many seconds of running."""
    return START + (at if at < PAUSE_AT else at + PAUSE)


def _life(rng: random.Random, image: Image, begin: float, facts: list[Event]) -> float:
    """Append what happens to one image that is submitted at `begin`; when its slot is free again."""
    key, at, attempt = image.key, begin, 1

    def began() -> AttemptBegan:
        return AttemptBegan(at=_wall(at), key=key, attempt=attempt, digest="planned")

    while rng.random() < 0.12:
        busy = _fault("IMG.0060", rng)
        facts += [began(), AttemptThrottled(at=_wall(at + 0.3), key=key, fault=busy)]
        at += rng.uniform(20, 240)
        attempt += 1
    facts.append(began())
    dice = rng.random()
    if dice < 0.012:
        facts.append(AttemptRejected(at=_wall(at + 0.4), key=key, fault=_fault("IMG.0058", rng)))
        return at + 0.4
    if dice < 0.02:
        lost = Fault(
            code="", message="no answer within 60 s", remedy="Nothing to do: migrator looks for the image."
        )
        facts += [
            AttemptUnknown(at=_wall(at + 60), key=key, fault=lost),
            ImageFound(at=_wall(at + 95), key=key, image_id=f"{rng.getrandbits(128):032x}", active=False),
        ]
    else:
        facts.append(JobAccepted(at=_wall(at + 0.5), key=key, job_id=f"ff80808{rng.getrandbits(100):025x}"))
    minutes = (6 + image.min_disk / 22) * math.exp(rng.gauss(0, 0.28))
    end = at + 60 * minutes + 100
    for share in (0.25, 0.5, 0.75):
        facts.append(JobProgressed(at=_wall(at + 100 + share * 60 * minutes), key=key, progress=share))
    image_id = f"{rng.getrandbits(128):032x}"
    if dice > 0.985:
        facts.append(JobFailed(at=_wall(end), key=key, fault=_fault("IMG.0057", rng)))
        return end
    checked = rng.uniform(8, 110)
    facts.append(JobSucceeded(at=_wall(end), key=key, image_id=image_id))
    if 0.98 < dice < 0.983:
        small = Fault(
            code="MIG.verify",
            message=f"min_disk is 20 GB, the plan asks for {image.min_disk} GB",
            remedy="Look at the image in the console; import it again with --again once it is clear why.",
        )
        facts.append(VerificationFailed(at=_wall(end + checked), key=key, fault=small))
    else:
        facts.append(ImageVerified(at=_wall(end + checked), key=key, image_id=image_id))
    return end
