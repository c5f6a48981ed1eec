"""Events, states and images as the JSON that every store keeps.

Fields that hold their default are left out, so a default that changes in the model changes what old journals
mean: like a new event, it needs a new version of every store's format.
"""

from functools import cache
from sys import intern
from typing import Any

from msgspec import MsgspecError, convert, to_builtins
from msgspec.json import Decoder, Encoder
from msgspec.structs import force_setattr

from migrator.domain.image import Image
from migrator.workflow.events import EVENTS, Event
from migrator.workflow.states import State

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in EVENTS}
"""What a store calls each event."""

_encode = Encoder().encode


@cache
def _decoder(kind: type[Any]) -> Decoder[Any]:
    return Decoder(kind)


def event_text(event: Event) -> tuple[Event, str]:
    """The event as it can be read back, and its JSON.

    Text from the cloud may hold half a character (a lone surrogate, legal in JSON but in no file), so what is
    kept may differ from what was given. Raises ValueError for what could be written but not read: a value of
    another type, a number that is not finite, a None where there must be a value.
    """
    kind = type(event)
    try:
        try:
            text = _encode(event)
        except UnicodeEncodeError:
            event = _without_half_characters(event)
            text = _encode(event)
        # What is written is not checked, and what could not be read again would be lost.
        _decoder(kind).decode(text)
    except (MsgspecError, TypeError) as error:
        raise ValueError(f"{kind.__name__} cannot be written down: {error}") from None
    return event, text.decode()


def read_event(kind: str, text: str) -> Event:
    """The event again. Raises KeyError for a kind nobody knows, ValueError for JSON that is not one."""
    event: Event = _decoder(KINDS[kind]).decode(text)
    return event


def state_text(state: State) -> str:
    """A state made of events that can be read back can be read back itself."""
    return _encode(state).decode()


def read_state(text: str) -> State:
    """Raises ValueError for JSON that is not a state."""
    state: State = _decoder(State).decode(text)
    return state


def image_text(image: Image) -> str:
    return _encode(image).decode()


def images_text(images: list[Image]) -> str:
    """The JSON of many images as one list, with nothing between them but commas."""
    return _encode(images).decode()


def read_image(text: str, known: Image | None = None) -> Image:
    """The image that `text` says: the `known` one, where it is that.

    Raises ValueError for JSON that is not an image.
    """
    if known is not None and image_text(known) == text:
        return known
    image: Image = _decoder(Image).decode(text)
    share_texts(image)
    return image


def share_texts(image: Image) -> None:
    """Keep once what many images have in common, as a plan does; nobody else may have `image` yet."""
    force_setattr(image, "target", intern(image.target))
    force_setattr(image.source, "bucket", intern(image.source.bucket))
    if image.os_version is not None:
        force_setattr(image, "os_version", intern(image.os_version))
    if image.wave is not None:
        force_setattr(image, "wave", intern(image.wave))
    if image.labels:
        labels = {intern(name): intern(value) for name, value in image.labels.items()}
        force_setattr(image, "labels", labels)


def _without_half_characters(event: Event) -> Event:
    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        if isinstance(value, dict):
            return {cleaned(key): cleaned(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [cleaned(item) for item in value]
        return value

    return convert(cleaned(to_builtins(event)), type(event))
