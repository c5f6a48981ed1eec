"""The time zone of this machine."""

from datetime import datetime
from zoneinfo import ZoneInfoNotFoundError

import tzlocal

from migrator.domain.zone import UTC_ZONE, Zone, zone

_UTC_BY_OTHER_NAMES = frozenset(
    {"Etc/UTC", "Etc/UCT", "Etc/Zulu", "Etc/Universal", "UCT", "Zulu", "Universal"}
)


def machine_zone() -> Zone:
    """By its IANA name, or by its offset of this moment where nobody tells the name."""
    try:
        # Its name alone would be looked up without minding a TZ that is no name.
        name = str(tzlocal.get_localzone())
        return UTC_ZONE if name in _UTC_BY_OTHER_NAMES else zone(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        here = datetime.now().astimezone()
        offset = f"{here:%z}"
        if here.tzinfo is None or not here.utcoffset():
            return UTC_ZONE
        return Zone(here.tzinfo, f"UTC{offset[:3]}:{offset[3:5]}")
