"""Commands that are told, and Apprise in a process of its own; with real processes."""

import json
import os
import shlex
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from migrator.domain.notify import Level, Message, Sent
from migrator.io import apprise_sender
from migrator.io.notify_command import Command, carried_out, spared
from tests.cli.conftest import wait_until
from tests.io.test_http import answering

pytestmark = pytest.mark.anyio

MESSAGE = Message(id="id-1", level=Level.WARNING, title="p: wave", text="done & <b>", body=b'{"id":"id-1"}')


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return ("asyncio", {"use_uvloop": request.param})


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_the_event_is_on_stdin_and_nothing_goes_through_a_shell(tmp_path):
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + sys.argv[2])"
    strange = "; echo $HOME `id` && *"

    done = await Command([*script(code), str(tmp_path / "out"), strange], os.environ, 10.0)(MESSAGE)

    assert done == Sent()
    assert (tmp_path / "out").read_text() == '{"id":"id-1"}' + strange


async def test_an_exit_code_is_a_refusal_and_what_is_printed_is_not_repeated():
    done = await Command(script("import sys; print('swordfish', file=sys.stderr); sys.exit(3)"), {}, 10.0)(
        MESSAGE
    )

    assert done == Sent(failure="the command ended with exit code 3", refused=True)


async def test_a_command_that_does_not_read_is_no_failure():
    large = Message(id="i", level=Level.INFO, title="t", text="t", body=b"x" * 2_000_000)

    assert await Command(script("pass"), {}, 10.0)(large) == Sent()


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    pids = tmp_path / "pids"
    command = ["/bin/sh", "-c", f"sleep 600 & echo $$ $! > {shlex.quote(str(pids))}; sleep 600"]

    done = await Command(command, os.environ, 1.0)(MESSAGE)

    assert done == Sent(failure="the command did not end within 1 s, and was ended")
    both = [int(pid) for pid in pids.read_text().split()]
    assert len(both) == 2
    wait_until(lambda: not any(map(_runs, both)))


async def test_cancelling_ends_it_too(tmp_path):
    pids = tmp_path / "pids"
    code = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    async with anyio.create_task_group() as group:
        group.start_soon(Command(script(code), {}, 60.0), MESSAGE)
        await anyio.to_thread.run_sync(wait_until, lambda: pids.exists() and bool(pids.read_text()))
        group.cancel_scope.cancel()

    assert not _runs(int(pids.read_text()))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_program_that_is_not_there_is_said():
    done = await Command(["/nowhere/at/all"], {}, 1.0)(MESSAGE)

    assert done.failure == "the command cannot be started: No such file or directory"


def test_the_environment_of_a_command_has_none_of_our_credentials():
    environ = {
        "PATH": "/bin",
        "HOME": "/root",
        "HUAWEICLOUD_SDK_SK": "secret-key-of-the-cloud",
        "HW_ACCESS_KEY": "access",
        "NORTH_AK": "north-key",
        "NORTH_SK": "north-secret-key",
        "NORTHERN": "light",
        "OPS_URL": "https://hooks.example/token",
        "PGPASSWORD": "of-the-journal",
        "COPY": "has secret-key-of-the-cloud in it",
        "TEAMS_TOKEN": "of the command itself",
    }

    left = spared(environ, ["NORTH"], ["OPS_URL"])

    assert sorted(left) == ["HOME", "NORTHERN", "PATH", "TEAMS_TOKEN"]


# --- Apprise --------------------------------------------------------------------------------------------


async def by_apprise(addresses: str) -> Sent:
    given = apprise_sender.given(MESSAGE, SecretStr(addresses))
    return apprise_sender.sent(await carried_out(apprise_sender.command(), given, os.environ, 60.0))


async def test_apprise_delivers_title_text_and_how_bad_it_is():
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").listening() as wire:
        done = await by_apprise(f"json://127.0.0.1:{wire.port}/hook")

    assert done == Sent()
    body = json.loads(wire.bodies[0])
    assert (body["title"], body["message"], body["type"]) == ("p: wave", "done & <b>", "warning")


async def test_no_module_of_the_folder_that_we_stand_in_is_taken_for_apprise(tmp_path, monkeypatch):
    (tmp_path / "apprise.py").write_text("open('taken', 'w')\n")
    monkeypatch.chdir(tmp_path)

    await by_apprise("nonsense")

    assert not (tmp_path / "taken").exists()


async def test_an_address_that_apprise_does_not_understand_is_said_and_not_repeated():
    assert await by_apprise("nonsense") == Sent(failure="Apprise does not understand one of the addresses")
