"""Who is calling: tokens, access keys, temporary keys, and the lock after too many wrong signatures.

Texts: API gateway developer guide, "Error Codes" (the sub-texts of APIGW.0301); IAM API reference, "Obtaining
a User Token". The text for a signature that is too old is not documented.
"""

import base64
import re
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from migrator.domain.units import Moment
from migrator.simulator import signature
from migrator.simulator.settings import Settings
from migrator.simulator.wire import Call, Reply, gateway_error, ok, stamp

SKEW = 15 * 60.0
"""Seconds of real time that a signature's date may be off."""

STRIKES = 5
"""Wrong signatures in a row that lock an access key, and wrong passwords that lock a login."""

LOCK = 5 * 60.0
"""Seconds that an access key stays locked."""

LOGIN_LOCK = 15 * 60.0
"""Seconds that a login stays locked."""

_HOST_REGION = re.compile(r"(?:^|\.)(?:ims|iam|obs)\.([a-z0-9-]+)\.")
_PROJECT = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who may come in."""

    project_id: str
    region: str | None
    """None for a project that no region is known of."""


@dataclass(slots=True, kw_only=True)
class Token:
    project_id: str
    region: str | None
    says: Moment
    """When it expires, as it says itself."""
    dies: Moment
    """When it really does."""


@dataclass(slots=True, kw_only=True)
class Key:
    access: str
    secret: str
    security_token: str = ""
    """Empty for a permanent key."""
    dies: Moment = float("inf")


class Guard:
    """Lets callers in, or says why not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tokens: dict[str, Token] = {}
        self.keys = {
            settings.access_key: Key(access=settings.access_key, secret=settings.secret_key),
        }
        self.ahead = 0.0
        """Seconds that simulated time is ahead of the clocks by which callers date signatures."""
        self.skew = SKEW
        """Seconds of simulated time that a signature's date may be off."""
        self.trusting = False
        """Take every signature of the right form for genuine: for a caller that is this very process."""
        self._dice = Random(f"{settings.seed}:guard")  # noqa: S311
        self._strikes: dict[str, int] = {}
        self._locked: dict[str, Moment] = {}

    # --- Regions and projects ---

    def project_of(self, region: str) -> str | None:
        """The project id of a region; None for a region that is not ours."""
        known = self.settings.regions.get(region)
        if known is None and self.settings.any_project:
            return blake2b(region.encode(), digest_size=16).hexdigest()
        return known

    def region_of(self, project_id: str) -> str | None:
        found = next((name for name, its in self.settings.regions.items() if its == project_id), None)
        return found or self.settings.projects.get(project_id)

    def known_project(self, project_id: str) -> bool:
        if self.settings.any_project:
            return _PROJECT.fullmatch(project_id) is not None
        return project_id in self.settings.regions.values() or project_id in self.settings.projects

    def host_region(self, call: Call) -> str | None:
        """The region that the Host header names; None for an address such as 127.0.0.1."""
        found = _HOST_REGION.search(call.host)
        return found[1] if found else None

    def default_region(self, call: Call) -> str:
        return self.host_region(call) or next(iter(self.settings.regions))

    # --- Handing out ---

    def new_token(self, region: str | None, project_id: str, now: Moment) -> tuple[str, Token]:
        """A token of several KB, as real ones are."""
        text = "MII" + base64.b64encode(self._dice.randbytes(2700), b"+-").decode().rstrip("=")
        after = self.settings.token_dies_after
        life = self.settings.token_lifetime
        if after is not None:
            life = min(life, after * self._dice.uniform(0.5, 1.5))
        token = Token(
            project_id=project_id, region=region, says=now + self.settings.token_lifetime, dies=now + life
        )
        self.tokens[text] = token
        return text, token

    def new_key(self, now: Moment, lifetime: float) -> Key:
        """A temporary key with its security token."""
        key = Key(
            access=base64.b32encode(self._dice.randbytes(15))[:20].decode().replace("=", "A"),
            secret=base64.b64encode(self._dice.randbytes(30)).decode(),
            security_token="gAAAA" + base64.urlsafe_b64encode(self._dice.randbytes(600)).decode(),
            dies=now + lifetime,
        )
        self.keys[key.access] = key
        return key

    def expire_all(self) -> int:
        """End every token and temporary key at once; how many there were."""
        ended = len(self.tokens) + sum(1 for key in self.keys.values() if key.security_token)
        for token in self.tokens.values():
            token.dies = float("-inf")
        for key in self.keys.values():
            if key.security_token:
                key.dies = float("-inf")
        return ended

    # --- Strikes ---

    def locked(self, who: str, now: Moment) -> bool:
        return self._locked.get(who, float("-inf")) > now

    def strike(self, who: str, now: Moment, lock: float) -> None:
        """Count one more failure in a row, and lock after STRIKES of them."""
        self._strikes[who] = self._strikes.get(who, 0) + 1
        if self._strikes[who] >= STRIKES:
            self._locked[who] = now + lock
            self._strikes[who] = 0

    def forgive(self, who: str) -> None:
        self._strikes.pop(who, None)

    # --- Letting in ---

    def caller(self, call: Call, now: Moment) -> Caller | Reply:
        """Who calls the image or identity service, or the gateway's refusal."""
        authorization = call.headers.get("authorization", "")
        if authorization:
            return self._by_key(call, authorization, now)
        text = call.headers.get("x-auth-token")
        if text is None:
            return gateway_error("APIGW.0301", "x-auth-token not found")
        token = self.tokens.get(text)
        if token is None:
            return gateway_error("APIGW.0301", "decrypt token fail")
        if token.dies <= now:
            if self.settings.expiry_says == "update":
                return gateway_error("APIGW.0307")
            if self.settings.expiry_says == "forbidden":
                return ok({"message": "X-Auth-Token is invalid in the request"}, 403)
            said = stamp(min(token.says, now), 6)
            return gateway_error("APIGW.0301", f"token expires, expires_at: {said}")
        here = self.host_region(call)
        if here and token.region and here != token.region:
            return gateway_error("APIGW.0307")  # a token of another region
        return Caller(project_id=token.project_id, region=token.region)

    def _by_key(self, call: Call, authorization: str, now: Moment) -> Caller | Reply:
        said = signature.claim(authorization)
        if said is None:
            return gateway_error("APIGW.0301", "verify aksk signature fail")
        who = said.access_key
        if self.locked(who, now):
            return gateway_error("APIGW.0301", "AK access failed to reach the limit,forbidden")
        key = self.keys.get(who)
        if key is None:
            return gateway_error("APIGW.0301", f"Get secretKey failed,ak:{who},err:ak not exist")
        at = signature.signed_at(call)
        if at is None or abs(at + self.ahead - now) > self.skew:
            return gateway_error("APIGW.0301", "verify aksk signature fail, signature expired")
        if not signature.well_formed(call, said):
            # Whoever signs in another form does not guess at the secret: it costs nobody the key.
            return gateway_error("APIGW.0301", "verify aksk signature fail")
        if not (self.trusting or signature.genuine(call, said, key.secret)):
            self.strike(who, now, LOCK)
            return gateway_error("APIGW.0301", "verify aksk signature fail")
        if call.headers.get("x-security-token", "") != key.security_token:
            return gateway_error("APIGW.0301", "verify security token fail")
        if key.dies <= now:
            return gateway_error("APIGW.0301", "security token expired")
        self.forgive(who)
        project_id = call.headers.get("x-project-id")
        if project_id is None:
            region = self.default_region(call)
            return Caller(project_id=self.project_of(region) or "", region=region)
        if not self.known_project(project_id):
            return gateway_error("APIGW.0310")
        return Caller(project_id=project_id, region=self.region_of(project_id))
