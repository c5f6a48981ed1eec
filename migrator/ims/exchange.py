"""One careful way to ask, with no secret in what comes back; and one to send what must not be sent twice."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.errors import (
    CredentialsError,
    CredentialsRenewed,
    OutcomeUnknown,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.http import Request, Response
from migrator.domain.ports import Http, Signer
from migrator.ims import error_codes
from migrator.ims.answers import read_fault


async def exchange(http: Http, signer: Signer, request: Request) -> Response:
    """The answer to `request`, signed; replayed once, and only if its credentials were refused and renewed.

    For what may be sent twice: a request whose credentials were refused was not processed, but a second one
    is another request, with another signature. Raises TargetHaltedError when there is nothing to sign with,
    and what Http raises for the request itself.
    """
    sent = await signed(signer, request)
    response = await http.send(sent)
    if _stale(response) and await _renewed(signer, sent):
        sent = await signed(signer, request)
        response = await http.send(sent)
    return replace(response, body=_without(response.body, sent))


async def send_once(http: Http, signer: Signer, sent: Request) -> Response:
    """The answer to a request that is signed already: no other is sent in its place.

    Raises CredentialsRenewed where it was refused for what it was signed with and there is something better
    by now, and what Http raises.
    """
    response = await http.send(sent)
    response = replace(response, body=_without(response.body, sent))
    if _stale(response) and await _renewed(signer, sent):
        raise CredentialsRenewed(read_fault(response))
    return response


async def ask(http: Http, signer: Signer, request: Request) -> Response:
    """`exchange` for a question, which may be asked again: no answer is RetryableError, not
    OutcomeUnknown."""
    try:
        return await exchange(http, signer, request)
    except OutcomeUnknown as lost:
        raise again_later(lost) from lost


def again_later(lost: OutcomeUnknown) -> RetryableError:
    """A question that got no answer is simply asked again."""
    return RetryableError(replace(lost.fault, remedy="Nothing to do: migrator asks again."))


def _stale(response: Response) -> bool:
    if not 400 <= response.status < 500:
        return False
    fault = read_fault(response)
    if error_codes.judge(response.status, fault.code).renew:
        return True
    return any(words in fault.message for words in error_codes.DEAD_TOKENS)


async def signed(signer: Signer, request: Request) -> Request:
    """`request` with its signature. That may ask the network, but nothing of `request` itself has left when
    it fails.

    Raises RetryableError, and TargetHaltedError when there is nothing to sign with.
    """
    with before_it_left():
        return await signer.sign(request)


async def _renewed(signer: Signer, rejected: Request) -> bool:
    with before_it_left():
        return await signer.renew(rejected)


@contextmanager
def before_it_left() -> Iterator[None]:
    """What goes wrong while it is found out what to sign with, as errors about a request that never left."""
    try:
        yield
    except OutcomeUnknown as lost:
        raise again_later(lost) from lost
    except CredentialsError as error:
        raise TargetHaltedError(
            Fault(code="MIG.credentials", message=str(error), remedy=error.hint)
        ) from error


def _without(body: bytes, sent: Request) -> bytes:
    """`body` without what the request that it answers was signed with, should the service repeat it.

    Tokens and keys are known to `SECRETS`; a signature lives for one request only.
    """
    for name in ("X-Auth-Token", "X-Security-Token", "Authorization"):
        value = sent.headers.get(name, "").rpartition("Signature=")[2]
        if len(value) >= 8:
            body = body.replace(value.encode(), "…".encode())
    return body
