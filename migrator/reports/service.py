"""service.json: what the service of each region was seen to do, fit to be sent to somebody.

It holds counts, seconds, codes of the service's own pages and the names of its regions; no names of images,
buckets, projects or people, no ids, no addresses, no secrets.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import MsgspecError, Struct, to_builtins
from msgspec.json import Decoder, encode
from msgspec.json import format as folded

from migrator.domain.units import Moment
from migrator.reports.times import iso
from migrator.workflow.beliefs import BELIEFS, Count, ServiceSeen, Verdict
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays

SCHEMA = "migrator.service/1"
FILE_NAME = "service.json"


class NotAService(Exception):
    """The file does not say what a service was seen to do."""


class _Region(Struct, kw_only=True):
    beliefs: dict[str, Count] = {}
    throttles: dict[str, int] = {}
    listed_by: dict[ListedBy, VisibilityDelays] = {}


class _File(Struct, kw_only=True):
    schema: str
    regions: dict[str, _Region]


_decode = Decoder(_File).decode


def region_name(region: str) -> str:
    """A region without what a customer may have called a project of it ("eu-de_project")."""
    return region.partition("_")[0]


def write_service(regions: Mapping[str, ServiceSeen], now: Moment, version: str) -> bytes:
    """The file."""
    return (
        folded(
            encode(
                {
                    "schema": SCHEMA,
                    "generated_at": iso(now),
                    "version": version,
                    "regions": {region: _region(seen) for region, seen in regions.items()},
                }
            )
        )
        + b"\n"
    )


def _region(seen: ServiceSeen) -> dict[str, Any]:
    return {
        "beliefs": {
            belief.id: {
                "says": belief.says,
                "verdict": count.verdict.value,
                "seen": count.seen,
                "against": count.against,
            }
            for belief, count in seen.verdicts()
        },
        "throttles": seen.throttles,
        "listed_by": {by.value: to_builtins(delays) for by, delays in seen.listed_by.items()},
    }


def read_service(data: bytes) -> dict[str, ServiceSeen]:
    """What such a file says, by region. Raises NotAService."""
    try:
        file = _decode(data)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise NotAService(str(error)) from None
    if file.schema != SCHEMA:
        raise NotAService(f"its schema is {file.schema!r}, not {SCHEMA!r}")
    known = {belief.id for belief in BELIEFS}
    return {
        region: ServiceSeen(
            beliefs={belief: count for belief, count in one.beliefs.items() if belief in known},
            throttles=one.throttles,
            listed_by=one.listed_by,
        )
        for region, one in file.regions.items()
    }


def service_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of service.json."""
    number = {"type": "integer", "minimum": 0}
    delays = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "migrator service",
        "description": "What the service of each region was seen to do: no names, ids or secrets.",
        "type": "object",
        "required": ["schema", "generated_at", "version", "regions"],
        "additionalProperties": False,
        "properties": {
            "schema": {"const": SCHEMA},
            "generated_at": {"type": "string", "format": "date-time"},
            "version": {"type": "string", "description": "Of the program that saw it."},
            "regions": {"type": "object", "additionalProperties": {"$ref": "#/$defs/region"}},
        },
        "$defs": {
            "region": {
                "type": "object",
                "required": ["beliefs", "throttles", "listed_by"],
                "additionalProperties": False,
                "properties": {
                    "beliefs": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            belief.id: {"$ref": "#/$defs/belief", "description": belief.says}
                            for belief in BELIEFS
                        },
                    },
                    "throttles": {
                        "type": "object",
                        "description": "Refusals for the rate or the number of jobs, by status and code.",
                        "additionalProperties": number,
                    },
                    "listed_by": {
                        "type": "object",
                        "description": "How soon running imports were listed, by the filter that was used.",
                        "additionalProperties": False,
                        "properties": {by.value: delays for by in ListedBy},
                    },
                },
            },
            "belief": {
                "type": "object",
                "required": ["says", "verdict", "seen", "against"],
                "additionalProperties": False,
                "properties": {
                    "says": {"type": "string"},
                    "verdict": {"enum": [verdict.value for verdict in Verdict]},
                    "seen": number,
                    "against": number,
                },
            },
        },
    }
