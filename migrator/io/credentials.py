"""Who we are: found in the environment, a profile or an ECS's metadata, under the names of Huawei's tools.

`credentials` of a target says where to look:

- "env": the variables of Huawei's SDK, then those of Terraform. `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`
  (`HUAWEICLOUD_SDK_SECURITY_TOKEN`, `HUAWEICLOUD_SDK_PROJECT_ID`); `HW_ACCESS_KEY`, `HW_SECRET_KEY`
  (`HW_SECURITY_TOKEN`, `HW_PROJECT_ID`), or a ready token in `HW_AUTH_TOKEN`, or an IAM user in
  `HW_USER_NAME`, `HW_USER_PASSWORD`, `HW_DOMAIN_NAME`.
- "env:PREFIX": the same for one prefix of your own: `PREFIX_AK` or `PREFIX_ACCESS_KEY`, `PREFIX_SK` or
  `PREFIX_SECRET_KEY`, `PREFIX_SECURITY_TOKEN`, `PREFIX_PROJECT_ID`, `PREFIX_AUTH_TOKEN`, `PREFIX_USER_NAME`,
  `PREFIX_USER_PASSWORD`, `PREFIX_DOMAIN_NAME`.
- "profile:NAME": the section NAME of `~/.huaweicloud/credentials` (or `HUAWEICLOUD_SDK_CREDENTIALS_FILE`),
  with `ak`, `sk`, `security_token`, `project_id`; read again when the file changes.
- "metadata": temporary keys of the ECS that we run on, by the agency attached to it.

Whatever is read here is secret from then on (`SECRETS`), also where it turns out to be unusable. What is
set by halves is an error, not a reason to look elsewhere: the wrong account would be worse than none.
(Names: the README of huaweicloud-sdk-python-v3 and the provider documentation of Terraform; metadata: ECS
user guide, "Obtaining Metadata".)
"""

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys, Login, ReadyToken
from migrator.domain.errors import CloudError, CredentialsError, OutcomeUnknown, RetryableError
from migrator.domain.http import Request
from migrator.domain.ports import Clock, Http
from migrator.domain.secrets import SECRETS
from migrator.domain.units import Moment

KeySource = Callable[[], Awaitable[Keys]]
"""Gives the keys that hold now: the same object while they do, another one when they changed."""

METADATA = "http://169.254.169.254"
"""The metadata service: plain HTTP, link-local, reachable from inside an ECS only."""

_PREFIXES = ("HUAWEICLOUD_SDK", "HW")
_SECRET = ("AK", "SK", "ACCESS_KEY", "SECRET_KEY", "SECURITY_TOKEN", "AUTH_TOKEN", "USER_PASSWORD")
_FORMS = '"env", "env:PREFIX", "profile:NAME" or "metadata"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What was found."""

    secret: KeySource | Login | ReadyToken
    """Keys that are asked for before every use, a user to log in, or a token as it is."""

    where: str
    """Where it was found, with access keys masked: for a log or an error."""

    project_id: str | None = None
    """The project that stands beside it, if one does."""


def find(
    source: str,
    environ: Mapping[str, str] = os.environ,
    *,
    home: Path | None = None,
    http: Http | None = None,
    clock: Clock | None = None,
    metadata_url: str = METADATA,
) -> Identity:
    """The identity that `source` (a target's `credentials`) names.

    `home` is the user's home folder; `http` and `clock` are for "metadata" only, and `http` has to admit
    plain HTTP to its host. Raises CredentialsError that names what was looked for and what was missing.
    """
    kind, _, name = source.partition(":")
    match kind:
        case "env" if not name:
            return _from_environment(environ)
        case "env":
            return _only(environ, name.rstrip("_"))
        case "profile" if name:
            return _from_profile(environ, name, home)
        case "metadata" if not name and http is not None and clock is not None:
            return Identity(secret=MetadataKeys(http, clock, metadata_url), where="ECS metadata")
    raise CredentialsError(f"credentials = {source!r} is not one of {_FORMS}", hint="Correct it in the plan.")


def masked(ak: str) -> str:
    """An access key as it may be shown: its first four characters and its last two."""
    return f"{ak[:4]}…{ak[-2:]}" if len(ak) > 8 else "…"


# --- Environment ----------------------------------------------------------------------------------------


def _from_environment(environ: Mapping[str, str]) -> Identity:
    project_id = next(filter(None, (_value(environ, f"{prefix}_PROJECT_ID") for prefix in _PREFIXES)), None)
    for prefix in _PREFIXES:
        if (found := _with_prefix(environ, prefix)) is not None:
            return Identity(secret=found.secret, where=found.where, project_id=project_id)
    raise CredentialsError(
        "no credentials in the environment: none of HUAWEICLOUD_SDK_AK, HW_ACCESS_KEY, HW_AUTH_TOKEN and "
        "HW_USER_NAME is set"
    )


def _only(environ: Mapping[str, str], prefix: str) -> Identity:
    found = _with_prefix(environ, prefix)
    if found is not None:
        return found
    raise CredentialsError(
        f"no credentials in the environment: none of {prefix}_AK, {prefix}_ACCESS_KEY, {prefix}_AUTH_TOKEN "
        f"and {prefix}_USER_NAME is set",
        hint=f"Set {prefix}_AK and {prefix}_SK, and run again.",
    )


def _with_prefix(environ: Mapping[str, str], prefix: str) -> Identity | None:
    SECRETS.register(*(_value(environ, f"{prefix}_{name}") for name in _SECRET))
    project_id = _value(environ, f"{prefix}_PROJECT_ID") or None
    pairs = [("AK", "SK"), ("ACCESS_KEY", "SECRET_KEY")]
    for ak_name, sk_name in pairs:
        values = _all_or_none(environ, (f"{prefix}_{ak_name}", f"{prefix}_{sk_name}"))
        if values is not None:
            token = _value(environ, f"{prefix}_SECURITY_TOKEN")
            keys = _keys(values[0], values[1], token, f"{prefix}_{ak_name}")
            where = f"environment, {prefix}_{ak_name} ({masked(keys.ak)})"
            return Identity(secret=_fixed(keys), where=where, project_id=project_id)
    if ready := _value(environ, f"{prefix}_AUTH_TOKEN"):
        secret = ReadyToken(token=SecretStr(_sendable(ready, f"{prefix}_AUTH_TOKEN")))
        return Identity(secret=secret, where=f"environment, {prefix}_AUTH_TOKEN", project_id=project_id)
    user_name = f"{prefix}_USER_NAME"
    if not _value(environ, user_name):  # a domain name alone often stands beside keys of another kind
        return None
    names = (user_name, f"{prefix}_USER_PASSWORD", f"{prefix}_DOMAIN_NAME")
    values = _all_or_none(environ, names)
    assert values is not None
    login = Login(user=values[0], password=SecretStr(values[1]), domain=values[2])
    return Identity(secret=login, where=f"environment, {user_name}", project_id=project_id)


def _all_or_none(environ: Mapping[str, str], names: tuple[str, ...]) -> list[str] | None:
    values = [_value(environ, name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if len(missing) == len(names):
        return None
    if missing:
        present = [name for name in names if name not in missing]
        raise CredentialsError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, while "
            f"{' and '.join(present)} {'is' if len(present) == 1 else 'are'} set",
            hint=f"Set {' and '.join(missing)}, or unset {' and '.join(present)}; then run again.",
        )
    return values


def _value(environ: Mapping[str, str], name: str) -> str:
    """A variable without the line break that `$(cat file)` and editors leave at its end; "" when unset."""
    return environ.get(name, "").strip()


def _keys(ak: str, sk: str, token: str, name: str) -> Keys:
    SECRETS.register(ak, sk, token)
    return Keys(
        ak=_sendable(ak, name),
        sk=SecretStr(sk),
        security_token=SecretStr(_sendable(token, f"the security token beside {name}")) if token else None,
    )


def _sendable(value: str, name: str) -> str:
    """`value`, which is to be part of a header. Raises CredentialsError, without repeating it."""
    if value.isascii() and value.isprintable() and " " not in value:
        return value
    raise CredentialsError(
        f"{name} holds a character that no such value has", hint=f"Copy {name} again, as one line of text."
    )


def _fixed(keys: Keys) -> KeySource:
    async def source() -> Keys:
        return keys

    return source


# --- Profile --------------------------------------------------------------------------------------------


def _from_profile(environ: Mapping[str, str], name: str, home: Path | None) -> Identity:
    named = _value(environ, "HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    path = Path(named) if named else (home or Path.home()) / ".huaweicloud" / "credentials"
    profile = ProfileKeys(path, name)
    where = f"{path} [{name}] ({masked(profile.read().ak)})"
    return Identity(secret=profile, where=where, project_id=profile.project_id)


class ProfileKeys:
    """The keys of one section of a profile file (KeySource); the file is read again whenever it changed.

    A file that somebody is just rewriting may be missing, cut short or half filled for a moment: then the
    keys that were read last stay.
    """

    def __init__(self, path: Path, section: str) -> None:
        self.path = path
        self.section = section
        self.project_id: str | None = None
        """What the section names beside its keys, once it was read."""

        self._keys: Keys | None = None
        self._stamp: tuple[int, int, int] | None = None

    async def __call__(self) -> Keys:
        try:
            return self.read()
        except CredentialsError:
            if self._keys is None:
                raise
            return self._keys

    def read(self) -> Keys:
        """The keys, as the file has them now. Raises CredentialsError."""
        import configparser  # only where there is a profile

        hint = f"Write the section [{self.section}] with ak and sk into {self.path}, and run again."
        parser = configparser.ConfigParser(interpolation=None)
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._keys is not None and stamp == self._stamp:
                return self._keys
            parser.read_string(self.path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise CredentialsError(f"{self.path}: {reason}", hint=hint) from error
        except (configparser.Error, UnicodeDecodeError) as error:
            # Its message repeats the offending lines, which may well be the secret ones.
            what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not an INI file"
            raise CredentialsError(f"{self.path}: {what}", hint=hint) from None
        if not parser.has_section(self.section):
            known = ", ".join(parser.sections()[:10]) or "none"
            raise CredentialsError(
                f"{self.path}: there is no section [{self.section}]; there is: {known}", hint=hint
            )
        values = {key: value.strip() for key, value in parser.items(self.section)}
        missing = [key for key in ("ak", "sk") if not values.get(key)]
        if missing:
            raise CredentialsError(
                f"{self.path}: [{self.section}] does not say {' and '.join(missing)}", hint=hint
            )
        keys = _keys(values["ak"], values["sk"], values.get("security_token", ""), f"ak of [{self.section}]")
        self._stamp, self.project_id = stamp, values.get("project_id") or None
        if self._keys is None or keys != self._keys:
            self._keys = keys
        return self._keys


# --- Metadata -------------------------------------------------------------------------------------------


class MetadataKeys:
    """Temporary keys of the ECS that we run on (KeySource), fetched again well before they end."""

    MARGIN = 2400.0
    """Seconds before the end of the keys at which new ones are fetched; the SDK takes the same."""

    PATIENCE = 30.0
    """Seconds between two tries while the old keys still work."""

    def __init__(self, http: Http, clock: Clock, url: str = METADATA) -> None:
        self._http = http
        self._clock = clock
        self._url = url.rstrip("/")
        self._lock = anyio.Lock()
        self._keys: Keys | None = None
        self._renew_at: Moment = 0.0

    async def __call__(self) -> Keys:
        if self._keys is not None and self._clock.now() < self._renew_at:
            return self._keys
        async with self._lock:
            now = self._clock.now()
            if self._keys is not None and now < self._renew_at:
                return self._keys
            try:
                fresh = await self._fetch()
            except (CloudError, CredentialsError):
                if self._keys is None or (self._keys.expires_at or now) <= now:
                    raise
                self._renew_at = now + self.PATIENCE
                return self._keys
            lasts = max((fresh.expires_at or now + self.PATIENCE) - now, 0.0)
            # The service gives the same keys until it makes new ones: ask again, but not with every request.
            self._renew_at = now + max(lasts - self.MARGIN, min(self.PATIENCE, lasts / 2))
            if self._keys != fresh:
                self._keys = fresh
            return self._keys

    async def _fetch(self) -> Keys:
        headers = {}
        try:
            session = await self._http.send(
                Request(
                    method="PUT",
                    url=f"{self._url}/meta-data/latest/api/token",
                    headers={"X-Metadata-Token-Ttl-Seconds": "21600"},
                )
            )
            if session.status == 200:  # older metadata services do not know sessions and do without
                headers["X-Metadata-Token"] = session.body.decode("ascii", "replace").strip()
                SECRETS.register(headers["X-Metadata-Token"])
            answer = await self._http.send(
                Request(method="GET", url=f"{self._url}/openstack/latest/securitykey", headers=headers)
            )
        except (RetryableError, OutcomeUnknown) as error:
            if self._keys is not None:
                raise (error if isinstance(error, RetryableError) else RetryableError(error.fault)) from None
            raise CredentialsError(
                f"the metadata service does not answer ({error.fault.message})", hint=_ONLY_ECS
            ) from error
        if answer.status >= 500 and self._keys is not None:
            said = f"the metadata service is not well (HTTP {answer.status})"
            raise RetryableError(Fault(message=said, remedy=_ONLY_ECS, status=answer.status))
        if answer.status != 200:
            raise CredentialsError(
                f"the metadata service gives no keys (HTTP {answer.status})", hint=_ONLY_ECS
            )
        return _temporary(answer.body)


_ONLY_ECS = (
    'credentials = "metadata" works on an ECS only, with an agency attached that may use IMS and OBS; '
    'elsewhere use "env".'
)
_UTC = re.compile(r"Z$")


def _temporary(body: bytes) -> Keys:
    try:
        found = json.loads(body)["credential"]
        ak, sk, token = (str(found[name]).strip() for name in ("access", "secret", "securitytoken"))
        expires_at = datetime.fromisoformat(_UTC.sub("+00:00", found["expires_at"])).timestamp()
    except (ValueError, RecursionError, KeyError, TypeError, OverflowError):
        raise CredentialsError(
            "the metadata service gives no keys that we can read", hint=_ONLY_ECS
        ) from None
    fresh = _keys(ak, sk, token, "the access key of the metadata service")
    return Keys(ak=fresh.ak, sk=fresh.sk, security_token=fresh.security_token, expires_at=expires_at)
