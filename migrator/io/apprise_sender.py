"""Notifications by e-mail and chat, through Apprise: in a process of its own.

Apprise brings a hundred services and what they need. It neither shares our memory, which holds credentials,
nor can it keep a run waiting: the process gets addresses and message on stdin, no credentials in its
environment, and is ended when its time is over. What it prints may hold an address, so it goes nowhere.

    python -m migrator.io.apprise_sender < {"addresses": "...", "title": "...", "text": "...", "level": "..."}
"""

import json
import sys
from collections.abc import Mapping

from pydantic import SecretStr

from migrator.domain.notify import Message, Sent

NOT_INSTALLED, NOT_UNDERSTOOD, NOT_DELIVERED = 3, 4, 5

_FAILURES = {
    NOT_INSTALLED: "Apprise is not installed: pip install 'migrator[notify]'",
    NOT_UNDERSTOOD: "Apprise does not understand one of the addresses",
    NOT_DELIVERED: "Apprise could not deliver it to every address",
}


def failure(code: int) -> str:
    """What an exit code of `main` means; empty for success."""
    return "" if code == 0 else _FAILURES.get(code, f"Apprise ended with exit code {code}")


def command() -> list[str]:
    """What starts `main`."""
    # -P: no module is taken from the folder that we happen to stand in.
    return [sys.executable, "-P", "-m", "migrator.io.apprise_sender"]


def given(message: Message, addresses: SecretStr) -> bytes:
    """What `main` reads from stdin."""
    parts = {"title": message.title, "text": message.text, "level": message.level.value}
    return json.dumps({"addresses": addresses.get_secret_value(), **parts}).encode()


def sent(code: int | str) -> Sent:
    """What came of it; a text says why there is no exit code."""
    said = code.replace("the command", "Apprise") if isinstance(code, str) else failure(code)
    return Sent(failure=said)


def send(asked: Mapping[str, str]) -> int:
    """Deliver one message; an exit code."""
    try:
        import apprise
    except ImportError:
        return NOT_INSTALLED
    told = apprise.Apprise()
    if not told.add(asked["addresses"]):
        return NOT_UNDERSTOOD
    kinds = {
        "success": apprise.NotifyType.SUCCESS,
        "warning": apprise.NotifyType.WARNING,
        "failure": apprise.NotifyType.FAILURE,
    }
    kind = kinds.get(asked["level"], apprise.NotifyType.INFO)
    body_format = apprise.NotifyFormat.TEXT
    done = told.notify(body=asked["text"], title=asked["title"], notify_type=kind, body_format=body_format)
    return 0 if done else NOT_DELIVERED


if __name__ == "__main__":
    sys.exit(send(json.loads(sys.stdin.buffer.read())))
