"""A target as written → Target: regions, endpoints, and its own limits over the plan's."""

import re
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator

from migrator.domain.plan import JobApi, Limits, Target
from migrator.domain.text import did_you_mean
from migrator.ims.clouds import cloud_of, regions, usual_endpoint
from migrator.plan.forms import TargetTable, keys_of, validator_of
from migrator.plan.lines import Where
from migrator.plan.problems import ProblemCollector

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
_ENDPOINTS = ("ims_endpoint", "iam_endpoint", "obs_endpoint")
_KMS = "kms_endpoint"
"""Not needed: keys are asked about where it is known."""
_KEYS = keys_of(TargetTable)


@cache
def _table() -> SchemaValidator:
    return validator_of({**_KEYS, "limits": Any}, required=("region",))


def endpoint(text: str) -> str:
    """A base URL as the program uses it, without a slash at the end. Raises ValueError, saying why not."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds characters that an address cannot have")
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise ValueError("is not an address with a host and a port that can be") from None
    if "@" in url.netloc:
        raise ValueError("holds a user or a password, which belong into the credentials")
    if url.scheme not in ("https", "http") or not _HOST.fullmatch(host):
        raise ValueError("is not an address such as https://ims.cn-north-4.myhuaweicloud.com")
    if url.path.strip("/") or "?" in text or "#" in text:
        raise ValueError("has a path or a query; only scheme, host and port belong here")
    if port == 0 or url.netloc.endswith(":"):
        raise ValueError("is not an address with a host and a port that can be")
    if url.scheme == "http" and not _is_loopback(host):
        raise ValueError("is not encrypted; http is for this machine (127.0.0.1, localhost) only")
    return f"{url.scheme}://{url.netloc.lower()}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_limits(table: object, found: ProblemCollector) -> tuple[dict[str, Any], Limits]:
    """[limits] as written, without what is wrong in it, and as the program uses it."""
    return _over({}, table, found, ("limits",))


def _over(
    shared: Mapping[str, Any], table: object, found: ProblemCollector, where: tuple[str, ...]
) -> tuple[dict[str, Any], Limits]:
    own = checked_durations(table, found, where, Limits.model_fields)
    good = dict(own)
    try:
        Limits.model_validate(own)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found.refused(errors, where, list(Limits.model_fields))
        good = {key: value for key, value in own.items() if key not in {fault["loc"][0] for fault in errors}}
    merged = {**shared, **good}
    limits = Limits.model_validate(merged)
    for key in ("request_timeout", "connect_timeout"):
        if key in good:
            check_duration(getattr(limits, key), (*where, key), found, good[key])
    for key in ("submit_rate", "query_rate"):
        if key in good and not 1 / 3600 <= getattr(limits, key).per_second <= 10_000:
            found.error((*where, key), "must lie between 1/h and 10000/s", value=good[key])
    if limits.max_jobs > 40 and "max_jobs" in good:
        found.warning(
            (*where, "max_jobs"),
            "is more than the 40 image jobs that the service documents",
            "keep it only if your account's limit was raised",
            value=limits.max_jobs,
        )
    return merged, limits


def checked_durations(
    table: object, found: ProblemCollector, where: tuple[str, ...], keys: Mapping[str, FieldInfo]
) -> dict[str, Any]:
    """The table without durations that are bare numbers, which could be anything."""
    if not isinstance(table, dict):
        found.error(where, "must be a table", value=table)
        return {}
    good = {}
    for key, value in table.items():
        if isinstance(value, float) and key in keys and keys[key].annotation in (float, float | None):
            found.error((*where, key), "has no unit", 'write it like "90s", "10m" or "6h"', value=value)
        else:
            good[key] = value
    return good


def check_duration(seconds: float, where: Where, found: ProblemCollector, written: object) -> None:
    """Note a duration that nobody can mean: none at all, or more than a year."""
    if seconds <= 0:
        found.error(where, "must be more than nothing", value=written)
    elif seconds > 366 * 86400:
        found.error(where, "is more than a year", value=written)


def read_target(
    name: str, table: object, shared: Mapping[str, Any], found: ProblemCollector
) -> Target | None:
    """The target, or None when something about it is wrong; what is wrong goes to `found`."""
    where = ("targets", name)
    if not isinstance(table, dict):
        found.error(
            where, "must be a table", f'write [targets.{name}] and region = "..." below it', value=table
        )
        return None
    errors: list[Any] = []
    try:
        _table().validate_python(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found.refused(errors, where, list(_KEYS))
    _, limits = _over(shared, table.get("limits", {}), found, (*where, "limits"))
    wrong = {fault["loc"][0] for fault in errors}
    endpoints = {}
    for key in (*_ENDPOINTS, _KMS):
        if key not in table or key in wrong:
            continue
        try:
            endpoints[key] = endpoint(table[key])
        except ValueError as error:
            found.error((*where, key), str(error))
    region = table.get("region")
    if not {"region", "cloud"} & set(wrong) and isinstance(region, str):
        _check_region(region, where, table, found)
    if wrong or not isinstance(region, str):
        return None
    usual = {key: usual_endpoint(key[:3], region, table.get("cloud")) for key in _ENDPOINTS}
    if "ims_endpoint" not in table:
        usual[_KMS] = usual_endpoint("kms", region, table.get("cloud"))
    return Target(
        name=name,
        region=region,
        cloud=cloud_of(region, table.get("cloud")).key,
        project_id=table.get("project_id"),
        credentials=table.get("credentials", "env"),
        agency=table.get("agency"),
        project_name=table.get("project_name"),
        job_api=JobApi(table.get("job_api", "auto")),
        limits=limits,
        **{**usual, **endpoints},
    )


def _check_region(
    region: str, where: tuple[str, ...], table: dict[str, Any], found: ProblemCollector
) -> None:
    missing = [key for key in _ENDPOINTS if key not in table]
    known, cloud = tuple(regions()), cloud_of(region, table.get("cloud"))
    if region in known and region not in cloud.regions and missing:
        remedy = f"its regions are {', '.join(cloud.regions)}; or give its {' and '.join(missing)}"
        found.error((*where, "region"), f"is no region of {cloud.name}", remedy, value=region)
    elif region not in known and missing:
        remedy = did_you_mean(region, known) or f"give its {' and '.join(missing)}, if it is right"
        found.error((*where, "region"), "is not a region we know", remedy, value=region)
    elif region in cloud.uncertain and "ims_endpoint" in missing:
        found.warning(
            (*where, "region"),
            f"may have its services under another domain than {cloud.domain}",
            "set ims_endpoint, iam_endpoint and obs_endpoint as the region's console shows them",
            value=region,
        )
