"""The manual's five minutes, typed as they stand: real terminals, a real Ctrl-C, a real `kill -9`.

Nothing in the blocks is changed but the port, which another program may hold here. What a reader does by the
clock ("in the middle", `sleep 5`) waits for what the cloud has imported so far: no machine is too slow.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMPT = "[your turn] "
PATIENCE = 60.0
"""Seconds to wait for anything; a machine that is this slow has other troubles."""

IN_THE_MIDDLE = 8
"""Imports that make a run one that is under way."""

SLEEP = """\
# Sleeps until the cloud has taken in {more} imports more.
import json, time, urllib.request

def accepted():
    with urllib.request.urlopen("{url}/_sim/ledger", timeout=10) as answer:
        return len(json.load(answer)["accepted"])

enough, end = accepted() + {more}, time.monotonic() + {patience}
while accepted() < enough and time.monotonic() < end:
    time.sleep(0.02)
"""

NEEDED = ("bash", "curl", "python3")


# --- The manual -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code of the manual."""

    language: str
    text: str

    @property
    def serves(self) -> bool:
        """Whether it is for terminal one."""
        return self.text.startswith("migrator simulate ")


def five_minutes() -> str:
    after = README.split("\n## Five minutes against the simulator\n", 1)[1]
    return after.split("\n### Then the real cloud\n", 1)[0]


def blocks(text: str) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(language=language, text=inside) for language, inside in found]


def quoted(line: str) -> re.Pattern[str]:
    """What a quoted line stands for: numbers and moments differ from run to run, words do not."""
    pattern = re.escape(line)
    pattern = re.sub(r"today\\ \d+:\d+\\ \w+", ".+", pattern)
    # Whether the last ones ended before the kill is chance.
    pattern = re.sub(r"(;\\ \d+\\ job)s(\\ may\\ still\\ run[^;]*)", r"(\1s?\2)?", pattern)
    return re.compile(re.sub(r"(?<![\w:.])\d+(?![\w:.])", r"\\d+", pattern))


def missing(text: str, said: str) -> list[str]:
    """The lines of `text` that were not said, or not in this order."""
    absent, at = [], 0
    for line in text.splitlines():
        found = quoted(line.strip()).search(said, at)
        if found is None:
            absent.append(line)
        else:
            at = found.end()
    return absent


# --- Terminals ------------------------------------------------------------------------------------------


def wait_for(true: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


@dataclass(kw_only=True)
class Terminal:
    """A bash that believes that a person sits in front of it."""

    folder: Path
    env: dict[str, str]
    shown: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        name = os.ttyname(theirs)

        def sit_down() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            fcntl.ioctl(os.open(name, os.O_RDWR), termios.TIOCSCTTY, 0)

        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=self.folder,
            env=self.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=sit_down,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(lambda: self.said().endswith(PROMPT), self.said)

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._ours, 65536)
            except OSError:  # Linux says so when the last program has let go of the other side
                return
            if not some:
                return
            self.shown += some

    def said(self, since: int = 0) -> str:
        """What it showed, without colours and movements."""
        text = bytes(self.shown[since:]).decode(errors="replace").replace("\r", "")
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)

    def key(self, key: str) -> None:
        os.write(self._ours, key.encode())

    def begin(self, line: str) -> Callable[[], tuple[str, int]]:
        """Type a line; what is returned waits for the prompt, and gives what was said and the exit code."""
        since = len(self.shown)
        self.key(line + "\n")

        def finish() -> tuple[str, int]:
            wait_for(lambda: self.said(since).endswith(PROMPT), lambda: self.said(since))
            said, asked = self.said(since), len(self.shown)
            self.key("echo code=$?\n")
            code = re.compile(r"^code=(\d+)$", re.MULTILINE)
            wait_for(lambda: self.said(asked).endswith(PROMPT), lambda: self.said(asked))
            found = code.search(self.said(asked))
            assert found is not None
            return said, int(found[1])

        return finish

    def close(self) -> None:
        """Close the window: the shell hangs up on every program in it, and goes."""
        self.shell.send_signal(signal.SIGHUP)
        try:
            self.shell.wait(PATIENCE)
        finally:
            self.shell.kill()
            self.shell.wait()
            self._reader.join(PATIENCE)
            os.close(self._ours)


@dataclass(kw_only=True)
class Reader:
    """Who follows the manual: in a folder of their own, with two terminals."""

    folder: Path
    url: str
    env: dict[str, str]
    one: Terminal
    two: Terminal
    serving: Callable[[], tuple[str, int]] | None = None

    def accepted(self) -> int:
        with urllib.request.urlopen(f"{self.url}/_sim/ledger", timeout=10) as answer:
            return len(json.load(answer)["accepted"])

    def serve(self, block: Block) -> str:
        """Begin, or begin anew, what terminal one does; what it says."""
        self.end_serving()
        since = len(self.one.shown)
        self.serving = self.one.begin(block.text.strip())
        wait_for(lambda: "/_sim/ledger" in self.one.said(since), lambda: self.one.said(since))
        return self.one.said(since)

    def end_serving(self) -> None:
        if self.serving is not None:
            self.one.key("\x03")
            assert self.serving()[1] == 0
            self.serving = None

    def interrupt(self, line: str, *, after: int = IN_THE_MIDDLE) -> tuple[str, int]:
        """Type a line, and press Ctrl-C when the cloud has taken in so many imports more."""
        enough = self.accepted() + after
        finish = self.two.begin(line)
        wait_for(lambda: self.accepted() >= enough, self.two.said)
        self.two.key("\x03")
        return finish()


@pytest.fixture
def free_port() -> int:
    """A port that is free, and that nobody is given who asks the system for any free one."""
    for port in range(10_000 + os.getpid() % 20_000, 32_000):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")


@pytest.fixture
def reader(tmp_path: Path, free_port: int) -> Iterator[Reader]:
    url = f"http://127.0.0.1:{free_port}"
    folder, path = tmp_path / "migrator", tmp_path / "bin"
    shutil.copytree(ROOT / "plans", folder / "plans")
    plan = folder / "plans/sixty.toml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("8080", str(free_port)), encoding="utf-8")
    path.mkdir()
    sleep = tmp_path / "sleep.py"
    sleep.write_text(SLEEP.format(url=url, more=IN_THE_MIDDLE, patience=PATIENCE))
    for name, what in {"migrator": '-m migrator "$@"', "sleep": f'"{sleep}"'}.items():
        (path / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {what}\n')
        (path / name).chmod(0o755)
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    env = kept | {
        "HOME": str(tmp_path),
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm",
        "PS1": PROMPT,
    }
    one = Terminal(folder=folder, env=env)
    two = Terminal(folder=folder, env=env)
    yield Reader(folder=folder, url=url, env=env, one=one, two=two)
    two.close()
    one.close()


# --- Five minutes ---------------------------------------------------------------------------------------


@pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"the manual's five minutes need {', '.join(NEEDED)}"
)
def test_the_five_minutes_go_as_the_manual_says_word_for_word(reader, free_port):
    run = "migrator run plans/sixty.toml"
    said, runs, codes = "", list[str](), list[int]()
    for block in blocks(five_minutes().replace("8080", str(free_port))):
        if block.language == "text":
            assert missing(block.text, said) == [], said
        elif block.serves:
            said = reader.serve(block)
        else:
            said = ""
            for line in block.text.splitlines():
                first = line == run and not runs
                heard, code = reader.interrupt(line) if first else reader.two.begin(line)()
                said += heard
                if line.startswith(run):
                    runs.append(line)
                    codes.append(code)
                else:
                    assert code == 0, heard
                if line.startswith("rm "):
                    assert not (reader.folder / "reports/sixty").exists()
                    assert reader.accepted() == 60

    # Interrupted, killed (the shell's `wait` for all gives 0), finished, with nothing left.
    assert [line == run for line in runs] == [True, False, True, True]
    assert codes == [130, 0, 0, 0]
    # Terminal one has begun anew, on a busy day, and remembers nothing.
    assert reader.accepted() == 0
    assert reader.interrupt(run, after=1)[1] == 130
    reader.end_serving()
