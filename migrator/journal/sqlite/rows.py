"""What stands in the file's rows: the rest of an event beside its columns, and states without names.

    body     an event's JSON without `at` and `key`, which are columns, so that nothing is there twice
    state    MessagePack: a list in the order of `StateRow`, and of `AttemptRow` for each attempt. Fields that
             few images have stand at its end, by name, and are left out where they hold their default
    planned  the last ImagePlanned of an image, by its number: image and digest are read in its body

The lists only grow, at their end, and a phase or an outcome keeps its word; `tests/journal/test_rows.py` pins
both. As in `codec`, a default that changes in the model changes what old journals mean.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Literal
from zlib import crc32

from msgspec import Raw, Struct
from msgspec import json as as_json
from msgspec import msgpack as as_msgpack
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.empty import EMPTY
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import images_text, read_event, read_image, share_texts
from migrator.journal.sqlite.kinds import KINDS
from migrator.workflow.events import Event
from migrator.workflow.ledger import Planned
from migrator.workflow.states import Attempt, Outcome, Phase, State, StepState

_encode_key = as_json.Encoder().encode
_encode_lines = as_json.Encoder().encode_lines
_encode_state = as_msgpack.Encoder().encode

# --- Events ---------------------------------------------------------------------------------------------


def body_of(text: str, key: str | None) -> str:
    """What is left of an event's JSON when `at`, and the key of its image, are columns beside it."""
    start = text.find(",")  # {"at":1795758230.25,"key":"north/web", and so on: `at` and `key` come first
    if key is not None and start > 0:
        start += len(',"key":') + len(_encode_key(key).decode())
    return "{" + text[start + 1 :] if 0 < start < len(text) - 1 else "{}"


def event_of(at: Moment, code: int, key: str | None, body: str) -> Event:
    """The event again. Raises KeyError for a kind nobody knows, ValueError for a body that is not one."""
    kind, rest = KINDS[code], body[1:]
    if body[:1] != "{":
        raise ValueError(f"the body of a {kind} is no object")
    about = "" if key is None else f',"key":{_encode_key(key).decode()}'
    return read_event(kind, f'{{"at":{at!r}{about}{"," if rest != "}" else ""}{rest}')


def event_crc(at: Moment, code: int, body: str) -> int:
    """The CRC-32 of an event that is about no image."""
    return crc32(f"{at!r}\0{code}\0{body}".encode("utf-8", "surrogatepass"))


TailRow = tuple[int, Moment, int, int | None, str]
"""A row of `events`: seq, at, kind, image, body."""


def tail_crc(rows: Iterable[TailRow], before: int) -> int:
    """The CRC-32 of events in their order, `before` being that of those before them."""
    return crc32(_encode_lines(rows), before)


# --- States ---------------------------------------------------------------------------------------------


class AttemptRow(Struct, frozen=True, array_like=True):
    """`Attempt`, in the order in which it is kept."""

    number: int
    began_at: Moment
    outcome: Outcome
    signed_at: Moment | None = None
    ended_at: Moment | None = None
    job_id: str | Literal[0] | None = None
    """0 where it is the job of the image, which stands there."""

    fault: Fault | None = None
    final: bool = False


class Seldom(Struct, frozen=True, omit_defaults=True):
    """What few images have to say: by name, as in `State`."""

    fault: Fault | None = None
    paused_until: Moment | None = None
    os_version: str = ""
    removed: bool = False
    held: bool = False
    steps: Mapping[str, StepState] = EMPTY
    disowned: tuple[str, ...] = ()
    uncompared: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class StateRow(Struct, frozen=True, array_like=True):
    """`State` but for its key, in the order in which it is kept."""

    phase: Phase
    attempts: tuple[AttemptRow, ...]
    digest: str
    method: str
    method_why: str
    job_id: str | None
    image_id: str | None
    progress: float | None
    submitted_at: Moment | None
    job_ended_at: Moment | None
    finished_at: Moment | None
    seldom: Seldom | None = None


_read_state = as_msgpack.Decoder(StateRow).decode
_seldom = attrgetter(*Seldom.__struct_fields__)
_NOTHING = _seldom(Seldom())


def state_row(state: State) -> bytes:
    """A state without its key. One made of events that can be read back can be read back itself."""
    job = state.job_id
    attempts = []
    for one in state.attempts:
        own = 0 if one.job_id is not None and one.job_id == job else one.job_id
        attempt = (one.number, one.began_at, one.outcome, one.signed_at, one.ended_at, own)
        attempts.append((*attempt, one.fault, one.final) if one.fault or one.final else attempt)
    usual = (
        state.phase,
        attempts,
        state.digest,
        state.method,
        state.method_why,
        job,
        state.image_id,
        state.progress,
        state.submitted_at,
        state.job_ended_at,
        state.finished_at,
    )
    seldom = _seldom(state)
    if seldom == _NOTHING:
        return _encode_state(usual)
    return _encode_state((*usual, Seldom(*seldom)))


def read_state_row(key: str, row: bytes) -> State:
    """Raises ValueError for bytes that are not a state."""
    kept = _read_state(row)
    job = kept.job_id
    attempts = [
        Attempt(
            number=one.number,
            began_at=one.began_at,
            signed_at=one.signed_at,
            outcome=one.outcome,
            ended_at=one.ended_at,
            job_id=job if isinstance(own := one.job_id, int) else own,
            fault=one.fault,
            final=one.final,
        )
        for one in kept.attempts
    ]
    state = State(
        key=key,
        phase=kept.phase,
        attempts=tuple(attempts),
        digest=kept.digest,
        method=kept.method,
        method_why=kept.method_why,
        job_id=job,
        image_id=kept.image_id,
        progress=kept.progress,
        submitted_at=kept.submitted_at,
        job_ended_at=kept.job_ended_at,
        finished_at=kept.finished_at,
    )
    if (seldom := kept.seldom) is None:
        return state
    return replace(
        state,
        fault=seldom.fault,
        paused_until=seldom.paused_until,
        os_version=seldom.os_version,
        removed=seldom.removed,
        held=seldom.held,
        steps=seldom.steps,
        disowned=seldom.disowned,
        uncompared=seldom.uncompared,
        others=seldom.others,
    )


def state_crc(position: int, row: bytes) -> int:
    """The CRC-32 of a state, at its place."""
    return crc32(row, position)


# --- Images ---------------------------------------------------------------------------------------------


class PlannedBody(Struct, frozen=True):
    """The body of an ImagePlanned, its image still as it is written."""

    image: Raw
    digest: str


_read_planned = as_json.Decoder(PlannedBody).decode
_read_many_planned = as_json.Decoder(list[Planned]).decode

PlannedRow = tuple[int, str, str]
"""Position and key of an image, and the body of the ImagePlanned that planned it last."""


def image_crc(position: int, key: str, body: str) -> int:
    """The CRC-32 of an image as it was last planned, at its place."""
    return crc32(f"{key}\0{body}".encode("utf-8", "surrogatepass"), position)


def planned_of(known: Mapping[str, Image], rows: Sequence[PlannedRow]) -> dict[str, Planned]:
    """What these rows say; images that equal a known one are that one. Raises ValueError."""
    if not known:
        items = _read_many_planned(f"[{','.join(body for _, _, body in rows)}]")
        for item in items:
            share_texts(item.image)
        return {key: item for (_, key, _), item in zip(rows, items, strict=True)}
    bodies = [_read_planned(body) for _, _, body in rows]
    texts = [bytes(body.image).decode() for body in bodies]
    images = [image for _, key, _ in rows if (image := known.get(key)) is not None]
    # Mostly a plan is as it was: then one comparison tells it of many.
    if len(images) < len(rows) or images_text(images) != f"[{','.join(texts)}]":
        images = [read_image(text, known.get(key)) for (_, key, _), text in zip(rows, texts, strict=True)]
    return {
        key: Planned(image=image, digest=body.digest)
        for (_, key, _), image, body in zip(rows, images, bodies, strict=True)
    }
