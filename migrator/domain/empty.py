"""A dict of nothing, kept once for all who have nothing: one of its own takes 64 bytes of each image."""

from typing import Any, NoReturn


class EmptyDict(dict[str, Any]):
    """A dict that is empty and stays so: what would fill it raises TypeError.

    No `MappingProxyType`, since encoders and schemas know dicts and their kinds only.
    """

    __slots__ = ()

    def _stays_empty(self, *_given: object, **_named: object) -> NoReturn:
        raise TypeError("this dict is shared, and stays empty")

    __setitem__ = __ior__ = update = setdefault = _stays_empty


EMPTY = EmptyDict()
