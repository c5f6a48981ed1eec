"""The address of an object in the object storage, "bucket:key", as plans, requests and lists write it.

    bucket   3 to 63 of a-z, 0-9, "-" and "."; a letter or a digit at both ends and on both sides of a dot;
             no IP address (OBS API reference, creating a bucket)
    key      1 to 1024 bytes, no space and no control character (IMS error codes IMG.0074 and 0175); safe are
             letters, digits, ".", "_", "-" and "/" (IMG.0075)

The first colon ends the bucket's name; any further one belongs to the key. What a key ends in is no part of
the grammar: it depends on the way in which the file is imported.
"""

import re
import sys

from msgspec import Struct

from migrator.domain.text import UNPRINTABLE, shown

BUCKET = "[a-z0-9]+(?:(?:[.]|-+)[a-z0-9]+)*"
"""Pattern of a bucket's name, but for its length."""

SHORTEST_BUCKET, LONGEST_BUCKET = 3, 63

KEY = rf"[^\s{UNPRINTABLE}]+"
"""Pattern of a key, but for its length."""

LONGEST_KEY = 1024
"""Bytes of UTF-8."""

LIKELY_BUCKET = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""What every bucket's name matches; quick to check, and the rest is for `bucket_fault`."""

SAFE_BUCKET = "[a-z0-9.-]+"
SAFE_KEY = "[A-Za-z0-9._-][A-Za-z0-9._/-]*"
"""Patterns of a bucket and a key by the narrowest reading of what an object may be called."""

_BUCKET = re.compile(BUCKET)
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


class ObjectRef(Struct, frozen=True, order=True, gc=False):
    """One object: where the file of an image lies."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "ObjectRef":
        """The object that "bucket:key" names; whether there can be such a one is for `ref_fault`."""
        bucket, _, key = text.partition(":")
        return cls(sys.intern(bucket), key)  # one bucket holds many objects: its name is kept once

    def __str__(self) -> str:
        return f"{self.bucket}:{self.key}"

    @property
    def extension(self) -> str:
        """What its name ends in, from the last dot on: ".img"; empty without a dot."""
        name = self.key.rpartition("/")[2]
        return f".{name.rpartition('.')[2]}" if "." in name else ""

    def with_extension(self, extension: str) -> "ObjectRef":
        """Its neighbour of the same name with another extension."""
        return ObjectRef(self.bucket, self.key.removesuffix(self.extension) + extension)


def bucket_fault(bucket: str) -> tuple[str, str] | None:
    """What is wrong with a bucket's name, and what to do; None where nothing is."""
    remedy = 'a bucket has 3 to 63 of a-z, 0-9, "-" and ".", as the OBS console shows it'
    if not SHORTEST_BUCKET <= len(bucket) <= LONGEST_BUCKET:
        return "is not the name of a bucket: too short or too long", remedy
    if not _BUCKET.fullmatch(bucket):
        return "is not the name of a bucket", remedy
    if _IP_ADDRESS.fullmatch(bucket):
        return "is an IP address, not the name of a bucket", remedy
    return None


def key_fault(key: str, *, example: str) -> tuple[str, str] | None:
    """What is wrong with a key, and what to do; None where nothing is. `example` is a good address."""
    if not key:
        return "names no object in the bucket", f"write {shown(example)}"
    if key.startswith("/"):
        return (
            "has a key that begins with a slash, which names another object",
            f"write {shown(key.lstrip('/'))}",
        )
    if any(char.isspace() for char in key):
        return "has a space in the key, which the service refuses", "copy the object to a key without spaces"
    if not key.isprintable():
        return "has a control character in the key", "copy the object to a plain key"
    if len(key.encode()) > LONGEST_KEY:
        return f"has a key of more than {LONGEST_KEY} bytes", "copy the object to a shorter key"
    return None


def ref_fault(text: str, *, example: str) -> tuple[str, str] | None:
    """What is wrong with an address, and what to do; None where nothing is. `example` is a good one."""
    form = f"write {shown(example)}"
    if "://" in text:
        scheme, _, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        ours = scheme.lower() in ("obs", "s3") and bucket_fault(bucket) is None
        if ours and key_fault(key, example=example) is None:
            return "is a web address", f"write {shown(f'{bucket}:{key}')}"
        return "is a web address", f"{form}, not a URL"
    bucket, colon, key = text.partition(":")
    if not colon:
        return "has no colon between bucket and key", form
    if (fault := bucket_fault(bucket)) is not None:
        return f"begins with {shown(bucket)}, which {fault[0]}", fault[1]
    return key_fault(key, example=example)
