"""The identity service and the metadata service of a server: tokens, projects and temporary keys.

Shapes: IAM API reference, "Querying the Keystone API Version", "Obtaining a User Token Through Password
Authentication", "Querying Project Information", "Obtaining Temporary Access Keys"; ECS user guide,
"Obtaining Metadata".
"""

import json
import secrets
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from migrator.domain.units import Moment
from migrator.simulator.access import LOGIN_LOCK, Caller, Guard
from migrator.simulator.wire import Call, Reply, iam_error, iam_new_error, ok, stamp

METADATA_TOKEN_SECONDS = 21600
MOST_PROJECTS = 5000
"""Projects on one page."""

_SERVICES = (
    ("iam", "identity", "/v3"),
    ("ims", "image", ""),
    ("obs", "object", "/v1/{}"),
)
"""Name, type and path of what a token's catalog lists; `{}` is the project's id."""


class IdentityService:
    """Hands out what Guard then checks."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.settings = guard.settings
        self._sessions: dict[str, Moment] = {}

    def version(self, call: Call, now: Moment) -> Reply:
        """GET /v3: anybody may ask."""
        address = f"{call.scheme}://{call.host}/v3/"
        kinds = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
        return ok(
            {
                "version": {
                    "id": "v3.6",
                    "status": "stable",
                    "updated": "2016-04-04T00:00:00Z",
                    "links": [{"rel": "self", "href": address}],
                    "media-types": kinds,
                }
            }
        )

    # --- Tokens ---

    def token(self, call: Call, now: Moment) -> Reply:
        """POST /v3/auth/tokens."""
        try:
            auth = json.loads(call.body)["auth"]
            user = auth["identity"]["password"]["user"]
            name, password, domain = user["name"], user["password"], user["domain"]["name"]
            if "password" not in auth["identity"]["methods"]:
                raise KeyError("password")
            scope = auth.get("scope", {})
            wanted = scope.get("project") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return iam_error(400, "The request body is invalid.", "Bad Request")
        login = f"{domain}/{name}"
        if self.guard.locked(login, now):
            return iam_new_error("IAM.0061")
        settings = self.settings
        right = (settings.user, settings.password, settings.domain)
        if not secrets.compare_digest(repr((name, password, domain)).encode(), repr(right).encode()):
            self.guard.strike(login, now, LOGIN_LOCK)
            return iam_error(401, "The username or password is wrong.", "Unauthorized")
        self.guard.forgive(login)
        found = self._project(wanted, call)
        if found is None:
            return iam_error(404, "Could not find project.", "Not Found")
        region, project_id = found
        text, token = self.guard.new_token(region, project_id, now)
        owner = {"id": _id(domain), "name": domain}
        body: dict[str, Any] = {
            "token": {
                "expires_at": stamp(token.says, 6),
                "issued_at": stamp(now, 6),
                "methods": ["password"],
                "user": {"id": _id(login), "name": name, "domain": owner, "password_expires_at": ""},
                "project": {"id": project_id, "name": region or project_id, "domain": owner},
                "roles": [{"id": "0", "name": "te_admin"}],
                "catalog": [] if call.one("nocatalog") == "true" else self._catalog(region, project_id, call),
            }
        }
        return ok(body, 201, {"X-Subject-Token": text})

    def _catalog(self, region: str | None, project_id: str, call: Call) -> list[dict[str, Any]]:
        """Where the services of a region are: at the address that was asked, or at names beside it."""
        here = region or self.guard.default_region(call)
        return [
            {
                "id": _id(f"service:{name}"),
                "name": name,
                "type": kind,
                "endpoints": [
                    {
                        "id": _id(f"endpoint:{name}:{here}"),
                        "interface": "public",
                        "region": here,
                        "region_id": here,
                        "url": f"{self._address(name, here, call)}{path.format(project_id)}",
                    }
                ],
            }
            for name, kind, path in _SERVICES
        ]

    def _address(self, service: str, region: str, call: Call) -> str:
        if self.guard.host_region(call) is None:
            return f"{call.scheme}://{call.host}"
        domain = call.host.partition(".")[2].partition(".")[2]
        return f"{call.scheme}://{service}.{region}.{domain}"

    def _project(self, wanted: dict[str, Any], call: Call) -> tuple[str | None, str] | None:
        """(region, project id) of a token's scope; None when there is no such project."""
        guard = self.guard
        if "id" in wanted:
            project_id = str(wanted["id"])
            return (guard.region_of(project_id), project_id) if guard.known_project(project_id) else None
        region = str(wanted.get("name") or guard.default_region(call))
        its = guard.project_of(region)
        return (region, its) if its else None

    # --- Projects ---

    def projects(self, call: Call, now: Moment) -> Reply:
        """GET /v3/projects and /v3/auth/projects."""
        caller = self.guard.caller(call, now)
        if isinstance(caller, Reply):
            return caller
        name = call.one("name")
        further = {f"{region}_{its[:8]}": its for its, region in self.settings.projects.items()}
        rows = self.settings.regions | further
        if name is not None:
            its = further.get(name) or self.guard.project_of(name)
            rows = {name: its} if its else {}
        domain = _id(self.settings.domain)
        link = f"{call.scheme}://{call.host}{call.path}"
        try:
            pages = _pages(call, len(rows)) if call.path.rstrip("/") == "/v3/projects" else None
        except ValueError:
            return iam_error(400, "The page or per_page is invalid.", "Bad Request")
        shown, links = (slice(None), {}) if pages is None else pages
        return ok(
            {
                "projects": [
                    {
                        "id": project_id,
                        "name": region,
                        "domain_id": domain,
                        "parent_id": domain,
                        "enabled": True,
                        "is_domain": False,
                        "description": "",
                        "links": {"self": f"{link}/{project_id}"},
                    }
                    for region, project_id in list(rows.items())[shown]
                ],
                "links": {
                    "self": link + (f"?{urlencode(call.query)}" if call.query else ""),
                    "previous": None,
                    "next": None,
                    **{name: f"{link}?{query}" for name, query in links.items()},
                },
            }
        )

    # --- Temporary keys ---

    def temporary_key(self, call: Call, now: Moment) -> Reply:
        """POST /v3.0/OS-CREDENTIAL/securitytokens."""
        caller = self.guard.caller(call, now)
        if not isinstance(caller, Caller):
            return caller
        try:
            identity = json.loads(call.body)["auth"]["identity"]
            method = identity["methods"][0]
            seconds = (identity.get(method) or {}).get("duration_seconds", 900)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return iam_new_error("IAM.0011")
        if (
            method not in ("token", "assume_role")
            or not isinstance(seconds, int)
            or not 900 <= seconds <= 86400
        ):
            return iam_new_error("IAM.0007")
        return ok(self._credential(now, seconds), 201)

    def _credential(self, now: Moment, seconds: float) -> dict[str, Any]:
        key = self.guard.new_key(now, seconds)
        return {
            "credential": {
                "access": key.access,
                "secret": key.secret,
                "securitytoken": key.security_token,
                "expires_at": stamp(key.dies, 6),
            }
        }

    # --- The metadata service ---

    def metadata_session(self, call: Call, now: Moment) -> Reply:
        """PUT /meta-data/latest/api/token."""
        if self.settings.metadata != "new":
            return Reply(status=404, body=b"Not Found")
        try:
            seconds = int(call.headers.get("x-metadata-token-ttl-seconds", ""))
        except ValueError:
            return Reply(status=400, body=b"Bad Request")
        if not 1 <= seconds <= METADATA_TOKEN_SECONDS:
            return Reply(status=400, body=b"Bad Request")
        text = _id(f"{self.settings.seed}:session:{len(self._sessions)}")
        self._sessions[text] = now + seconds
        return Reply(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def metadata_key(self, call: Call, now: Moment) -> Reply:
        """GET /openstack/latest/securitykey."""
        if self.settings.metadata == "off":
            return Reply(status=404, body=b"Not Found")
        session = call.headers.get("x-metadata-token", "")
        if self.settings.metadata == "new" and self._sessions.get(session, float("-inf")) <= now:
            return Reply(status=401, body=b"Unauthorized")
        return ok(self._credential(now, self.settings.key_lifetime))


def _pages(call: Call, count: int) -> tuple[slice, dict[str, str]] | None:
    """(what stands on the page asked for, queries of the pages before and after); None for all on one.

    Raises ValueError for a page that there cannot be.
    """
    if call.one("page") is None and call.one("per_page") is None:
        return None
    page, size = int(call.one("page") or 1), int(call.one("per_page") or MOST_PROJECTS)
    if page < 1 or not 1 <= size <= MOST_PROJECTS:
        raise ValueError
    others = [(name, value) for name, value in call.query if name not in ("page", "per_page")]
    links = {}
    for name, number in (("previous", page - 1), ("next", page + 1)):
        if number >= 1 and (number - 1) * size < count:
            links[name] = urlencode([*others, ("page", number), ("per_page", size)])
    return slice((page - 1) * size, page * size), links


def _id(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
