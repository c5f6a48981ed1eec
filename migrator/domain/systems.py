"""Which operating system somebody means who writes its name in another way.

Family and version decide, and only then the spelling: "CentOS 7.6" is "CentOS 7.6 64bit", and never "CentOS
7.9 64bit", however alike the texts are.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from migrator.domain.text import did_you_mean, shown

_FAMILIES = {
    "centos": "centos",
    "red hat": "redhat",
    "redhat": "redhat",
    "rhel": "redhat",
    "suse linux enterprise server": "sles",
    "suse": "sles",
    "sles": "sles",
    "opensuse": "opensuse",
    "debian": "debian",
    "ubuntu": "ubuntu",
    "windows": "windows",
    "win": "windows",
    "oracle": "oracle",
    "rocky": "rocky",
    "almalinux": "almalinux",
    "alma": "almalinux",
    "fedora": "fedora",
    "euleros": "euleros",
    "openeuler": "openeuler",
    "euler": "euleros",
    "coreos": "coreos",
    "neokylin": "neokylin",
    "kylin": "kylin",
    "uos": "uos",
}
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_PACK = re.compile(r"\bsp\s*(\d+)|\br(\d)\b")
_BITS = re.compile(r"\b(32|64)[ -]?bit")


class _System(Struct, frozen=True):
    family: str
    version: tuple[int, ...]
    pack: str
    """Service pack or release; "" for none."""

    bits: str

    def means(self, other: "_System") -> bool:
        """Whether `other` may be what was written as this."""
        return (
            self.family == other.family
            and other.version[: len(self.version)] == self.version
            and (not self.pack or self.pack == other.pack)
            and (not self.bits or self.bits == other.bits)
        )


def _parsed(name: str) -> _System | None:
    text = " ".join(name.lower().replace("_", " ").split())
    family = next((known for written, known in _FAMILIES.items() if text.startswith(written)), None)
    bits = _BITS.search(text)
    text = _BITS.sub("", text)
    version = _VERSION.search(text)
    if family is None or version is None:
        return None
    pack = _PACK.search(text, version.end())
    return _System(
        family,
        tuple(int(part) for part in version[0].split(".")),
        "" if pack is None else pack[0].replace(" ", ""),
        "" if bits is None else bits[1],
    )


def closest_system(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` most likely means; None where family and version fit none.

    Of several, the one that adds least: the version itself before a later one, 64 bit before 32, no service
    pack before one, and of those left the newest.
    """
    asked = _parsed(name)
    if asked is None:
        return None
    fitting = [(one, system) for one in known if (system := _parsed(one)) is not None and asked.means(system)]
    if not fitting:
        return None

    def rank(found: tuple[str, _System]) -> tuple[object, ...]:
        one, system = found
        more = tuple(-part for part in system.version[len(asked.version) :])
        edition = "standard" not in one.lower()
        return (bool(more), more, system.bits == "32", system.pack != asked.pack, edition, len(one), one)

    return min(fitting, key=rank)[0]


def did_you_mean_system(name: object, known: Iterable[str]) -> str:
    """A question that names the system that is meant; nothing where the family is known and none fits."""
    if not isinstance(name, str) or _parsed(name) is None:
        return did_you_mean(name, known)
    found = closest_system(name, known)
    return f"did you mean {shown(found)}?" if found is not None else ""
