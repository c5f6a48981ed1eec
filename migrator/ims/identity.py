"""The identity service: tokens for a user with a password, and the id of a region's project.

(IAM API reference: "Obtaining a User Token Through Password Authentication", "Querying Project Information".)
A wrong password is said once and never tried again: a few more in a row would lock the user out.
"""

import json
from dataclasses import dataclass

import anyio
from msgspec.structs import replace
from pydantic import SecretStr

from migrator.domain.cloud import Project
from migrator.domain.credentials import Keys, Login, ReadyToken
from migrator.domain.errors import (
    CredentialsError,
    MigratorError,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.http import Request, Response
from migrator.domain.ports import Clock, Http, Signer
from migrator.domain.secrets import SECRETS
from migrator.domain.units import Moment
from migrator.ims import error_codes
from migrator.ims.answers import document, explained, failure, members, moment, read_fault, text, unreadable
from migrator.ims.error_codes import Certainty
from migrator.ims.exchange import again_later, ask

MARGIN = 600.0
"""Seconds before its end at which a token is replaced, or a tenth of its life if that is less."""

PATIENCE = 15.0
"""Seconds between two tries to replace a token that still works."""

_DAY = 86400.0
_NEED_LOGIN = (
    "Check HW_USER_NAME, HW_USER_PASSWORD and HW_DOMAIN_NAME (an IAM user, not the account), run again."
)
_NEED_PROJECT = (
    "Set project_id of the target in the plan (console, My Credentials), or project_name where it is not the "
    "region's (eu-de_NAME in Open Telekom Cloud), then run again."
)

# --- Tokens ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a login gave."""

    value: str
    lifetime: float
    """Seconds, by the service's own clock."""

    project_id: str | None = None
    """Of the project that the token is good for."""

    def __repr__(self) -> str:
        return f"Token(lifetime={self.lifetime!r}, project_id={self.project_id!r})"


def login_request(endpoint: str, login: Login, *, region: str, project_id: str | None = None) -> Request:
    """Ask for a token that is good for one project: the one with this id, or the region's own."""
    user = {
        "name": login.user,
        "password": login.password.get_secret_value(),
        "domain": {"name": login.domain},
    }
    project = {"id": project_id} if project_id else {"name": region}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
    }
    return Request(
        method="POST",
        url=f"{endpoint}/v3/auth/tokens",
        query=(("nocatalog", "true"),),
        headers={"Content-Type": "application/json"},
        body=json.dumps(body, ensure_ascii=False).encode(),
    )


_NO_IDENTITY_SERVICE = (
    "There is no identity service at this address: correct iam_endpoint or region of the target in the plan."
)


def read_token(response: Response) -> Token:
    """The token of a login. Raises CredentialsError when it is refused, RetryableError to try it later.

    Whatever the answer, the token beside it is secret before the rest is read.
    """
    SECRETS.register(response.headers.get("x-subject-token"))
    if not 200 <= response.status < 300:
        fault = read_fault(response)
        if response.status == 401 or error_codes.judge(response.status, fault.code).certainty in (
            Certainty.NEVER_WILL,
            Certainty.STOP_EVERYBODY,
        ):
            row = error_codes.row(fault.code) if fault.code else None
            hint = row.remedy if row else _NEED_LOGIN
            if fault.code == "APIGW.0101":
                hint = _NO_IDENTITY_SERVICE
            raise CredentialsError(f"the identity service refused the login: {fault}", hint=hint)
        raise failure(response)
    value = response.headers.get("x-subject-token", "")
    if not value or not value.isascii() or not value.isprintable():
        raise unreadable(replace(response, body=b""), "a token")
    token = members(members(document(response.body)).get("token"))
    issued, expires = moment(token.get("issued_at")), moment(token.get("expires_at"))
    lifetime = expires - issued if issued is not None and expires is not None else _DAY
    project_id = text(members(token.get("project")).get("id"), 80) or None
    return Token(value=value, lifetime=max(lifetime, 0.0), project_id=project_id)


class TokenSigner:
    """Signs with a token that it fetches for a user and renews in time (ports.Signer).

    However many tasks need a token, one login is under way; when it fails, those that waited for it share the
    failure instead of trying one after the other.
    """

    def __init__(
        self,
        http: Http,
        endpoint: str,
        login: Login,
        *,
        region: str,
        clock: Clock,
        project_id: str | None = None,
    ) -> None:
        self._http = http
        SECRETS.register(login.password.get_secret_value())
        self._request = login_request(endpoint.rstrip("/"), login, region=region, project_id=project_id)
        self._region = region
        self._clock = clock
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._renew_at: Moment = 0.0
        self._ends_at: Moment = 0.0
        self._logins = 0
        self._failure: MigratorError | None = None

    async def sign(self, request: Request) -> Request:
        token = await self._current()
        return _with_token(request, token.value)

    async def renew(self, rejected: Request) -> bool:
        """True when there is another token than the one that was refused."""
        refused = rejected.headers.get("X-Auth-Token")
        if self._token is not None and self._token.value == refused:
            self._token = None
        return (await self._current()).value != refused

    async def project_id(self) -> str:
        """Id of the project that the tokens are good for. Raises CredentialsError when nobody names it."""
        token = await self._current()
        if token.project_id is None:
            raise CredentialsError(
                f"the token for {self._region} does not name its project", hint=_NEED_PROJECT
            )
        return token.project_id

    async def _current(self) -> Token:
        token = self._token
        if token is not None and self._clock.now() < self._renew_at:
            return token
        logins = self._logins
        async with self._lock:
            if self._logins == logins or (self._token is None and self._failure is None):
                await self._log_in()
            if self._token is not None and self._clock.now() < self._ends_at:
                return self._token  # a login that failed in the margin is no harm yet
            if self._failure is not None:
                raise _copy(self._failure)
            assert self._token is not None
            return self._token

    async def _log_in(self) -> None:
        if isinstance(self._failure, CredentialsError):
            return
        try:
            token = read_token(await self._http.send(self._request))
        except OutcomeUnknown as lost:  # a login may be repeated: a second token does not harm the first
            self._failure = again_later(lost)
        except MigratorError as error:
            self._failure = error
        else:
            self._failure, self._token = None, token
            self._ends_at = self._clock.now() + token.lifetime
            self._renew_at = self._ends_at - min(MARGIN, token.lifetime / 10)
        if self._failure is not None:
            self._renew_at = min(self._clock.now() + PATIENCE, self._ends_at)
        self._logins += 1


class FixedTokenSigner:
    """Signs with a token that somebody else fetched (ports.Signer); there is never a better one."""

    def __init__(self, token: ReadyToken) -> None:
        self._token = token.token
        SECRETS.register(token.token.get_secret_value())

    async def sign(self, request: Request) -> Request:
        return _with_token(request, self._token.get_secret_value())

    async def renew(self, rejected: Request) -> bool:
        return False


def _with_token(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "X-Auth-Token": token})


def _copy(error: MigratorError) -> MigratorError:
    """The same news for another task: one exception raised twice would collect both tracebacks."""
    if isinstance(error, RetryableError):
        return type(error)(error.fault, retry_after=error.retry_after, throttled=error.throttled)
    if isinstance(error, CredentialsError):
        return CredentialsError(str(error), hint=error.hint)
    return error


# --- Temporary keys -------------------------------------------------------------------------------------


def temporary_keys_request(endpoint: str, duration: int) -> Request:
    """Ask for temporary keys in exchange for the token that signs this request; `duration` in seconds."""
    body = {"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": duration}}}}
    return Request(
        method="POST",
        url=f"{endpoint}/v3.0/OS-CREDENTIAL/securitytokens",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )


def read_temporary_keys(response: Response) -> Keys:
    """Temporary keys. Raises TargetHaltedError or RejectedError when they are not given, RetryableError to
    ask again later."""
    found = members(members(document(response.body)).get("credential"))
    ak, sk, token = (found.get(name) for name in ("access", "secret", "securitytoken"))
    SECRETS.register(*(one for one in (ak, sk, token) if isinstance(one, str)))
    if not 200 <= response.status < 300:
        raise failure(response if explained(response) else replace(response, body=b""))
    if not (isinstance(ak, str) and isinstance(sk, str) and isinstance(token, str) and ak and sk and token):
        raise unreadable(replace(response, body=b""), "temporary keys")
    expires_at = moment(found.get("expires_at"))
    return Keys(ak=ak, sk=SecretStr(sk), security_token=SecretStr(token), expires_at=expires_at)


class TemporaryKeys:
    """Keys for the object storage, which takes no tokens: exchanged for one, and renewed in time."""

    DURATION = 3600

    def __init__(self, http: Http, signer: Signer, endpoint: str, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._request = temporary_keys_request(endpoint.rstrip("/"), self.DURATION)
        self._clock = clock
        self._lock = anyio.Lock()
        self._keys: Keys | None = None
        self._renew_at: Moment = 0.0

    async def __call__(self) -> Keys:
        async with self._lock:
            if self._keys is None or self._clock.now() >= self._renew_at:
                self._keys = read_temporary_keys(await ask(self._http, self._signer, self._request))
                self._renew_at = self._clock.now() + self.DURATION - MARGIN
            return self._keys


# --- Projects -------------------------------------------------------------------------------------------


def projects_request(endpoint: str, region: str) -> Request:
    """The projects that bear a region's name: normally one."""
    return Request(method="GET", url=f"{endpoint}/v3/projects", query=(("name", region),))


def every_project_request(endpoint: str) -> Request:
    """All projects that the credentials see, whatever they are called."""
    return Request(method="GET", url=f"{endpoint}/v3/projects")


def _listed(response: Response) -> list[tuple[str, str]]:
    """Name and id of each project of a list."""
    if not 200 <= response.status < 300:
        raise failure(response)
    projects = members(document(response.body)).get("projects")
    if not isinstance(projects, list):
        raise unreadable(response, "a list of projects")
    rows = (members(project) for project in projects)
    return [(text(row.get("name"), 80), text(row.get("id"), 80)) for row in rows]


def read_project_id(response: Response, region: str) -> str | None:
    """Id of the one project of `region`; None where there is none. Raises CredentialsError for several."""
    found = [project_id for _, project_id in _listed(response)]
    if len(found) == 1 and found[0]:
        return found[0]
    if not found:
        return None
    names = ", ".join(found[:5])
    raise CredentialsError(
        f"these credentials see {len(found)} projects in region {region}; choose one of {names}",
        hint=_NEED_PROJECT,
    )


async def project_id(http: Http, signer: Signer, endpoint: str, region: str) -> str:
    """Id of the project of `region`, asked of the identity service.

    Raises CredentialsError when it cannot be told or may not be asked, RetryableError to ask again later.
    """
    base = endpoint.rstrip("/")
    try:
        found = read_project_id(await ask(http, signer, projects_request(base, region)), region)
        if found is not None:
            return found
        others = [name for name, _ in _listed(await ask(http, signer, every_project_request(base)))]
    except (TargetHaltedError, RejectedError) as error:
        message = f"the project of region {region} could not be looked up: {error.fault}"
        raise CredentialsError(message, hint=error.fault.remedy or _NEED_PROJECT) from error
    # Some clouds call projects REGION_NAME, and none by the region alone.
    near = sorted(name for name in others if name.startswith(f"{region}_"))
    if near:
        shown = ", ".join(near[:5]) + (f" and {len(near) - 5} more" if len(near) > 5 else "")
        raise CredentialsError(
            f"these credentials see no project named {region}, but {shown}",
            hint=f'Set project_name = "{near[0]}", or another of them, in the target of the plan; run again.',
        )
    raise CredentialsError(
        f"these credentials see no project named {region}; correct the region, or set project_id or "
        "project_name",
        hint=_NEED_PROJECT,
    )


class ProjectLookup:
    """The project's id, looked up when first needed and once only; what `Ims` takes as its `project_id`."""

    def __init__(self, http: Http, signer: Signer, endpoint: str, region: str) -> None:
        self._ask = (http, signer, endpoint, region)
        self._lock = anyio.Lock()
        self._known: str | None = None
        self._refusal: CredentialsError | None = None

    async def __call__(self) -> str:
        if self._known is None:
            async with self._lock:
                if self._refusal is not None:
                    raise _copy(self._refusal)
                if self._known is None:
                    try:
                        self._known = await project_id(*self._ask)
                    except CredentialsError as error:
                        self._refusal = error
                        raise
        return self._known


def own_projects_request(endpoint: str) -> Request:
    """Every project that these credentials may use; anybody may ask this of themselves."""
    return Request(method="GET", url=f"{endpoint}/v3/auth/projects")


def read_projects(response: Response) -> tuple[Project, ...]:
    """The projects. Raises TargetHaltedError or RejectedError when they may not be listed, RetryableError to
    ask again later."""
    if not 200 <= response.status < 300:
        raise failure(response)
    listed = members(document(response.body)).get("projects")
    if not isinstance(listed, list):
        raise unreadable(response, "a list of projects")
    found = [members(entry) for entry in listed]
    return tuple(
        Project(
            id=text(one.get("id"), 80),
            name=text(one.get("name"), 80),
            enabled=one.get("enabled") is not False,
        )
        for one in found
    )


class Projects:
    """The projects that these credentials may use (ports.Registry)."""

    def __init__(self, http: Http, signer: Signer, endpoint: str) -> None:
        self._http = http
        self._signer = signer
        self._request = own_projects_request(endpoint.rstrip("/"))

    async def projects(self) -> tuple[Project, ...]:
        """All of them. Raises as read_projects does."""
        return read_projects(await ask(self._http, self._signer, self._request))
