"""Who is told, put together: senders from plan and environment, what is in their way, `migrator notify`."""

import importlib.util
import os
import random
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from pydantic import SecretStr

from migrator.cli.common import Console, plural
from migrator.cli.reporting import snapshot
from migrator.domain.errors import MigratorError, UsageError
from migrator.domain.notify import Message, Receiver, Sent
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.domain.secrets import SECRETS
from migrator.domain.units import duration_text
from migrator.engine.notifier import Notifier, Send
from migrator.io import apprise_sender
from migrator.io.clock import SystemClock
from migrator.io.http import AioHttp, trusted
from migrator.io.notify_command import Command, carried_out, spared
from migrator.io.proxies import proxy_for
from migrator.io.webhook import Webhook, read_address, read_secret, secret_parts
from migrator.journal.port import Journal
from migrator.pacing.watcher import Watcher, unsaid
from migrator.preflight import Finding
from migrator.preflight.receivers import receiver_findings
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.notifications import message_of_test, undelivered

_CONNECT_TIMEOUT = 10.0


def notifier(
    plan: Plan, ledger: Ledger, journal: Journal, clock: Clock, senders: Mapping[str, Send]
) -> Notifier:
    """Who tells the receivers of a plan in one run."""
    return Notifier(
        plan, ledger, journal, clock, random.SystemRandom(), senders, structlog.get_logger().bind()
    )


def owed_at_begin(
    plan: Plan, ledger: Ledger, first: Sequence[Event], clock: Clock, left: Callable[[Ledger], int]
) -> tuple[Watcher | None, list[Event]]:
    """What is to be recorded when a run begins, together with its `first` events; and who watches it.

    `ledger` is as the run before left it; `left` counts the images that are to be done.
    """
    if not plan.notify:
        return None, []
    now = clock.now()
    killed = bool(ledger.runs) and ledger.runs[-1].ended_at is None
    late, ahead = unsaid(plan, ledger, now), snapshot(ledger)
    for event in (*late, *first):
        ahead.apply(event)
    watcher = Watcher(plan, ahead, clock.monotonic())
    return watcher, [*late, *watcher.begun(now, left(ahead), killed=killed)]


# --- Senders --------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_senders(
    plan: Plan, environ: Mapping[str, str], *, silent: bool = False
) -> AsyncIterator[dict[str, Send]]:
    """What reaches each receiver, by its name; with `silent`, nothing is sent and everything counts as taken.

    A receiver that cannot be reached has a sender that says so. Raises UsageError for a proxy or certificates
    that cannot be used.
    """
    async with AsyncExitStack() as stack:
        senders: dict[str, Send] = {}
        for receiver in plan.notify:
            if silent:
                senders[receiver.name] = _nobody
            elif (why := obstacle(receiver, environ)) is not None:
                senders[receiver.name] = partial(_cannot, why[0])
            else:
                senders[receiver.name] = await _sender(receiver, plan, environ, stack)
        yield senders


async def _sender(receiver: Receiver, plan: Plan, environ: Mapping[str, str], stack: AsyncExitStack) -> Send:
    bare = spared(environ, _prefixes(plan), _variables(plan.notify))
    if receiver.apprise_env:
        addresses = SecretStr(_value(environ, receiver.apprise_env))
        return partial(_by_apprise, addresses, bare, receiver.timeout)
    if receiver.exec:
        return Command(receiver.exec, bare, receiver.timeout)
    http = await stack.enter_async_context(
        AioHttp(
            connect_timeout=_CONNECT_TIMEOUT,
            request_timeout=receiver.timeout,
            max_requests=1,
            tls=trusted(environ),
            proxy=partial(proxy_for, environ=environ),
        )
    )
    address = read_address(_value(environ, receiver.url_env or ""))
    secret = read_secret(_value(environ, receiver.secret_env)) if receiver.secret_env else None
    # However fast a rehearsal's clock is, a receiver compares the time with its own.
    return Webhook(http, address, secret, SystemClock().now)


async def _by_apprise(
    addresses: SecretStr, environ: Mapping[str, str], timeout: float, message: Message
) -> Sent:
    given = apprise_sender.given(message, addresses)
    return apprise_sender.sent(await carried_out(apprise_sender.command(), given, environ, timeout))


async def _nobody(message: Message) -> Sent:
    return Sent()


async def _cannot(why: str, message: Message) -> Sent:
    return Sent(failure=why, hopeless=True)


def _prefixes(plan: Plan) -> list[str]:
    """Of the variables that hold credentials of the plan's targets, besides the usual ones."""
    sources = (target.credentials.partition(":") for target in plan.targets.values())
    return [prefix for kind, _, prefix in sources if kind == "env" and prefix]


def _variables(receivers: Iterable[Receiver]) -> list[str]:
    named = ((one.url_env, one.secret_env, one.apprise_env) for one in receivers)
    return [name for names in named for name in names if name]


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


# --- What is in the way ---------------------------------------------------------------------------------


def obstacle(receiver: Receiver, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Why a receiver cannot be told, as far as this machine knows, and what to do; None where it can."""
    for name in (receiver.url_env, receiver.secret_env, receiver.apprise_env):
        if name and not _value(environ, name):
            return f"{name} is not set", f"set {name} in the environment of the run"
    try:
        if receiver.url_env:
            name = receiver.url_env
            read_address(_value(environ, name))
        if receiver.secret_env:
            name = receiver.secret_env
            read_secret(_value(environ, name))
    except ValueError as error:
        return f"{name} {error}", f"correct {name} in the environment of the run"
    if receiver.exec and shutil.which(receiver.exec[0], path=environ.get("PATH")) is None:
        what = f"there is no program {receiver.exec[0]} that may be run"
        return what, "install it, or write its whole path in exec"
    if receiver.apprise_env:
        SECRETS.register(*secret_parts(_value(environ, receiver.apprise_env)))
        if importlib.util.find_spec("apprise") is None:
            return "Apprise is not installed", "pip install 'migrator[notify]'"
    return None


def _silent(plan: Plan, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Receivers that cannot be told, each with why and what to do."""
    found = ((one.name, obstacle(one, environ)) for one in plan.notify)
    return [(name, *why) for name, why in found if why is not None]


def obstacles(plan: Plan, environ: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each receiver that cannot be told."""
    return [f"{name} will not be notified: {why}; {remedy}" for name, why, remedy in _silent(plan, environ)]


def notify_findings(plan: Plan, environ: Mapping[str, str]) -> list[Finding]:
    """The same for preflight."""
    return receiver_findings(_silent(plan, environ))


# --- The command ----------------------------------------------------------------------------------------


async def notify(plan: Plan, console: Console, *, test: bool, environ: Mapping[str, str] = os.environ) -> int:
    """Show who is told of what; with `test`, send each receiver a test and say what came of it.

    Exit code 7 when one could not be told. Raises UsageError where the plan has no receivers.
    """
    if not plan.notify:
        raise UsageError(
            f"plan {plan.name} notifies nobody", hint="Add a [[notify]] to it: docs/notify.md shows how."
        )
    clock, failed = SystemClock(), 0
    async with open_senders(plan, environ) as senders:
        for one in plan.notify:
            why = obstacle(one, environ)
            if test and why is None:
                message = message_of_test(plan.name, one.name, clock.now(), len(plan.images))
                sent = await _tried(senders[one.name], message)
                why = None if sent.delivered else (sent.failure, "")
            failed += why is not None
            _show(one, why, console, test=test)
    if test:
        console.say(f"{plural(len(plan.notify) - failed, 'test')} delivered, {failed} not")
    return 7 if failed else 0


async def _tried(send: Send, message: Message) -> Sent:
    try:
        return await send(message)
    except MigratorError:
        raise
    except Exception as bug:
        return Sent(failure=f"it could not be sent ({type(bug).__name__})")


def _show(receiver: Receiver, why: tuple[str, str] | None, console: Console, *, test: bool) -> None:
    what, remedy = why or ("", "")
    if console.json:
        console.object(
            {
                "receiver": receiver.name,
                "on": [one.value for one in receiver.on],
                "by": _way(receiver),
                "tested": test,
                "ok": why is None,
                "failure": what,
                "remedy": remedy,
            }
        )
        return
    outcome = "delivered" if test and why is None else "ready" if why is None else "not delivered"
    if not test and why is not None:
        outcome = "not ready"
    after = f" ({duration_text(receiver.after)})" if "stalled" in receiver.on else ""
    on = ", ".join(one.value + (after if one.value == "stalled" else "") for one in receiver.on)
    said = f"{outcome}: {what}" if what else outcome
    console.out(f"{receiver.name} by {_way(receiver)}, on {on}: {said}{f'; {remedy}' if remedy else ''}")


def _way(receiver: Receiver) -> str:
    if receiver.url_env:
        return f"webhook {receiver.url_env}" + (", signed" if receiver.secret_env else ", not signed")
    return f"Apprise {receiver.apprise_env}" if receiver.apprise_env else f"command {receiver.exec[0]}"


def say_undelivered(plan: Plan, ledger: Ledger, console: Console) -> None:
    """At the end of a run: what is still owed, and to whom."""
    for one in undelivered(ledger, plan.notify):
        console.warn(f"{one}; the next run tries again")
