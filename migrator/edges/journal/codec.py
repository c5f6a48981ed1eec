"""Events, states and images as the JSON that lies in the file.

Fields that hold their default are left out, so a default that changes in the model changes what old journals
mean: like a new event, it needs a new `store.VERSION`.
"""

import warnings
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from migrator.core.lifecycle import EVENTS, Event, State
from migrator.model import Image

# A value of another type could be written but not read again. pydantic's own `warnings="error"` does the same
# at four times the cost of the whole serialisation, and lets go of the interpreter lock at each call.
warnings.filterwarnings("error", "Pydantic serializer warnings", UserWarning)

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in EVENTS}
"""What the file calls each event."""


class _Adapters(dict[type[Any], TypeAdapter[Any]]):
    """Built when first needed: two dozen of them would slow down every command, even `--help`."""

    def __missing__(self, kind: type[Any]) -> TypeAdapter[Any]:
        adapter = self[kind] = TypeAdapter(kind)
        return adapter


_ADAPTERS = _Adapters()


def event_text(event: Event) -> tuple[Event, str]:
    """The event as it can be read back, and its JSON.

    Text from the cloud may hold half a character (a lone surrogate, legal in JSON but in no file), so what is
    kept may differ from what was given. Raises ValueError for what could be written but not read: a number
    that is not finite, a None where there must be a value.
    """
    try:
        text = _json(event)
    except PydanticSerializationError:
        event = _whole_characters(event)
        text = _json(event)
    # A value that JSON cannot say was written as null, and only then is there one worth a closer look.
    if ":null" in text:
        try:
            read_event(type(event).__name__, text)
        except ValidationError as error:
            raise ValueError(f"{type(event).__name__} cannot be written down: {error}") from None
    return event, text


def read_event(kind: str, text: str) -> Event:
    """The event again. Raises KeyError for a kind nobody knows, ValueError for JSON that is not one."""
    event: Event = _ADAPTERS[KINDS[kind]].validator.validate_json(text)
    return event


def state_text(state: State) -> str:
    return _json(state)


def read_state(text: str) -> State:
    """Raises ValueError for JSON that is not a state."""
    state: State = _ADAPTERS[State].validator.validate_json(text)
    return state


def image_text(image: Image) -> str:
    return _json(image)


def images_text(images: list[Image]) -> str:
    """The JSON of many images as one list, with nothing between them but commas."""
    return _json(images, list[Image])


def read_image(text: str) -> Image:
    """Raises ValueError for JSON that is not an image."""
    image: Image = _ADAPTERS[Image].validator.validate_json(text)
    return image


def _json(value: object, kind: type[Any] | None = None) -> str:
    try:
        return _ADAPTERS[kind or type(value)].serializer.to_json(value, exclude_defaults=True).decode()
    except UserWarning as unexpected:
        raise ValueError(f"{type(value).__name__} cannot be written down: {unexpected}") from None


def _whole_characters(event: Event) -> Event:
    adapter = _ADAPTERS[type(event)]

    def mended(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        if isinstance(value, dict):
            return {mended(key): mended(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [mended(item) for item in value]
        return value

    whole: Event = adapter.validate_python(mended(adapter.dump_python(event, warnings=False)))
    return whole
