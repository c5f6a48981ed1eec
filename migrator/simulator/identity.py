"""The identity service and the metadata service of a server: tokens, projects and temporary keys.

Shapes: IAM API reference, "Obtaining a User Token Through Password Authentication", "Querying Project
Information", "Obtaining Temporary Access Keys"; ECS user guide, "Obtaining Metadata".
"""

import json
import secrets
from hashlib import blake2b
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.access import LOGIN_LOCK, Caller, Guard
from migrator.simulator.wire import Call, Reply, iam_error, iam_new_error, ok, stamp

METADATA_TOKEN_SECONDS = 21600


class IdentityService:
    """Hands out what Guard then checks."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.settings = guard.settings
        self._sessions: dict[str, Moment] = {}

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
                "catalog": [],
            }
        }
        return ok(body, 201, {"X-Subject-Token": text})

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
        rows = dict(self.settings.regions)
        if name is not None:
            its = self.guard.project_of(name)
            rows = {name: its} if its else {}
        domain = _id(self.settings.domain)
        link = f"https://{call.host}{call.path}"
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
                    for region, project_id in rows.items()
                ],
                "links": {"self": link, "previous": None, "next": None},
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


def _id(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
