"""Images as the service lists and deletes them.

(IMS API reference: "Querying Images", "Deleting an Image".)
"""

from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Raw, Struct, field
from msgspec.json import decode
from msgspec.structs import replace

from migrator.domain.cloud import CloudImage, ImagePage, ImageQuery
from migrator.domain.errors import (
    RejectedError,
    RetryableError,
)
from migrator.domain.http import Request, Response
from migrator.domain.secrets import SECRETS
from migrator.ims.answers import (
    checked,
    failure,
    identifier,
    members,
    moment,
    optional_text,
    read_fault,
    shaped,
    text,
    unreadable,
    whole,
)

PAGE = 500
"""Images asked for at once: the documented default, and no larger page is promised."""

_GONE = {"IMG.0086", "IMG.0144"}


def images_request(endpoint: str, query: ImageQuery, after: str | None = None) -> Request:
    """One page of private images, oldest first, in every enterprise project that the caller may see.

    Oldest first, so that an image which arrives between two pages does not shift what is still to come.
    """
    pairs = [
        ("__imagetype", "private"),
        ("enterprise_project_id", "all_granted_eps"),
        ("limit", str(PAGE)),
        ("sort_dir", "asc"),
        ("sort_key", "created_at"),
    ]
    if query.id is not None:
        pairs.append(("id", query.id))
    if query.name is not None:
        pairs.append(("name", query.name))
    if query.tag is not None:
        pairs.append(("tag", "=".join(query.tag)))
    if query.created_since is not None:
        since = datetime.fromtimestamp(int(query.created_since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        pairs.append(("created_at", f"gte:{since}"))
    if after is not None:
        pairs.append(("marker", after))
    return Request(method="GET", url=f"{endpoint}/v2/cloudimages", query=tuple(pairs))


def read_images(response: Response, query: ImageQuery, after: str | None = None) -> ImagePage:
    """One page of images.

    A page that cannot be read to its last entry raises RetryableError: to leave an image out would be to
    claim that it does not exist. The list ends with an empty page, as there is no link to a next one; a page
    shorter than asked for proves nothing, because a service may cap it. Only one image can have an id.
    """
    if not 200 <= response.status < 300:
        error = failure(response)
        if after is not None and isinstance(error, RejectedError) and error.fault.code in _GONE:
            remedy = "Nothing to do: an image was deleted while the list was read; migrator reads it again."
            raise RetryableError(replace(error.fault, remedy=remedy))
        raise error
    found, page_info = _read(response)
    images = tuple([image for image in found if image is not None])
    if len(images) < len(found):
        raise unreadable(response, "an id for every image")
    last = images[-1].id if images else None
    if (paging := members(page_info)) and "next_marker" in paging:
        last = text(paging["next_marker"], 200) or None
    return ImagePage(images=images, next=None if query.id is not None or last == after else last)


class _Entry(Struct):
    """What is read of an image in a list; whatever stands there."""

    id: Any = None
    name: Any = None
    status: Any = None
    tags: Any = None
    os_version: Any = field(default=None, name="__os_version")
    os_type: Any = field(default=None, name="__os_type")
    min_disk: Any = None
    size: Any = field(default=None, name="__image_size")
    architecture: Any = None
    support_arm: Any = field(default=None, name="__support_arm")
    hw_firmware_type: Any = None
    virtual_env_type: Any = None
    enterprise_project_id: Any = None
    created_at: Any = None
    data_origin: Any = field(default=None, name="__data_origin")
    description: Any = field(default=None, name="__description")
    cmk_id: Any = field(default=None, name="__system__cmkid")
    min_ram: Any = None
    max_ram: Any = None


class _Listed(Struct):
    images: list[_Entry] | None = None
    page_info: Any = None


class _Unread(Struct):
    """The same, with the images left as they came."""

    images: list[Raw] | None = None
    page_info: Any = None


def _read(response: Response) -> tuple[list[CloudImage | None], object]:
    """The images of a page, None for one without an id, and what it says of pages.

    While nothing happens, one list is as the one before it.
    """
    version = SECRETS.version
    for known_version, body, found in _LATEST:
        if version == known_version and body == response.body:
            return found
    found = _read_anew(response)
    _LATEST.appendleft((version, response.body, found))
    return found


_LATEST: deque[tuple[int, bytes, tuple[list[CloudImage | None], object]]] = deque(maxlen=4)
"""Version of the secrets, body, and what was read."""


def _read_anew(response: Response) -> tuple[list[CloudImage | None], object]:
    try:
        unread = decode(response.body, type=_Unread)
        version = SECRETS.version
        if unread.images is not None:
            return [_image_of(bytes(raw), version) for raw in unread.images], unread.page_info
    except (ValueError, RecursionError):
        pass  # `shaped` takes more than this reader
    listed = shaped(response.body, _Listed)
    if listed is None or listed.images is None:
        raise unreadable(response, "a list of images")
    return [_image(entry) for entry in listed.images], listed.page_info


@lru_cache(maxsize=2048)
def _image_of(raw: bytes, version: int) -> CloudImage | None:
    """An image as it came: lists show the same ones again and again. `version` is that of the secrets."""
    return _image(decode(raw, type=_Entry))


def _image(entry: _Entry) -> CloudImage | None:
    if not isinstance(entry.id, str) or not identifier(entry.id):
        return None
    size = whole(entry.size)
    return CloudImage(
        id=entry.id,
        name=optional_text(entry.name) or "",
        status=text(entry.status, 40).lower(),
        tags=_tags(entry.tags),
        os_version=optional_text(entry.os_version),
        os_type=optional_text(entry.os_type),
        min_disk=whole(entry.min_disk),
        size=size if size is None or size >= 0 else None,
        architecture=_architecture(entry),
        hw_firmware_type=optional_text(entry.hw_firmware_type),
        virtual_env_type=optional_text(entry.virtual_env_type),
        enterprise_project_id=optional_text(entry.enterprise_project_id),
        created_at=moment(entry.created_at),
        data_origin=optional_text(entry.data_origin),
        description=optional_text(entry.description),
        cmk_id=optional_text(entry.cmk_id),
        min_ram=whole(entry.min_ram),
        max_ram=_megabytes(entry.max_ram),
    )


def _megabytes(value: object) -> int | None:
    """max_ram comes as a text, which may be empty (IMS API reference, "Querying Images")."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 12 else whole(value)


def _architecture(entry: _Entry) -> str | None:
    named = entry.architecture
    if isinstance(named, str) and named.lower() in ("x86", "arm"):
        return named.lower()
    return {"true": "arm", "false": "x86"}.get(str(entry.support_arm).lower())


def _tags(value: object) -> dict[str, str]:
    """Tags as "key=value", "key.value" or objects: the reference does not say which form comes back."""
    tags: dict[str, str] = {}
    if isinstance(value, list):
        for tag in value:
            if isinstance(tag, str):
                key, sign, rest = tag.partition("=")
                if not sign or "." in key:  # whichever comes first: a value may hold the other
                    key, _, rest = tag.partition(".")
                tags[optional_text(key) or ""] = optional_text(rest) or ""
            elif isinstance(tag, dict) and isinstance(tag.get("key"), str):
                tags[optional_text(tag["key"]) or ""] = optional_text(tag.get("value")) or ""
    return tags


def delete_request(endpoint: str, image_id: str) -> Request:
    """Delete one image."""
    return Request(method="DELETE", url=f"{endpoint}/v2/images/{checked(image_id)}")


def read_delete(response: Response) -> None:
    """No error when the image is gone, whoever deleted it."""
    if 200 <= response.status < 300:
        return
    error = failure(response)
    code = read_fault(response).code
    if code in _GONE or (response.status == 404 and not code):
        return
    raise error
