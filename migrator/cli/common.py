"""What every command shares: the common options, the console, and how errors are explained.

`--help` and `--version` come through here, so nothing large is imported before a command runs.
"""

import functools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, TypeVarTuple, cast

import click

from migrator.cli import beside
from migrator.cli.arguments import FILE, option
from migrator.domain import collector
from migrator.domain.secrets import SECRETS
from migrator.domain.text import visible
from migrator.io.console import STDERR, STDOUT, Stream

if TYPE_CHECKING:
    from migrator.domain.errors import MigratorError

RED, YELLOW = "1;31", "1;33"

Answer = TypeVar("Answer")
Given = TypeVarTuple("Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The output of a command: stdout is data, stderr is logs, progress and errors.

    Every text is one line, whatever is in it: what would act on a terminal is spelled out, and what is secret
    is taken out. Colours come after that, by `label` and `drawn`.
    """

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    log_format: str | None = None
    log_file: Path | None = None
    color: str = "auto"

    def out(self, text: str) -> None:
        """One line of data."""
        STDOUT.line(said(text))

    def many(self, texts: Iterable[str]) -> None:
        """Lines of data, so many that not each need be there at once."""
        for text in texts:
            STDOUT.write(said(text) + "\n")
        STDOUT.flush()

    def drawn(self, text: str) -> None:
        """One line of data that holds colours of ours, of texts that were made harmless before."""
        STDOUT.line(SECRETS.masked(text))

    def object(self, value: dict[str, Any]) -> None:
        """One line of machine-readable data."""
        self.out(as_json(value))

    def say(self, text: str, *, label: str = "", colour: str = "") -> None:
        """One line for a person, unless they asked for silence."""
        if not self.quiet:
            self.err(text, label=label, colour=colour)

    def err(self, text: str, *, label: str = "", colour: str = "") -> None:
        """One line that has to be said, after a label in a colour (an SGR code) where those may be shown."""
        if label:
            label = (f"\x1b[{colour}m{label}\x1b[0m" if self.colored else label) + " "
        STDERR.line(label + said(text))

    def warn(self, text: str) -> None:
        """One line about something that is probably a mistake."""
        self.say(text, label="warning:", colour=YELLOW)

    @property
    def person(self) -> bool:
        """Whether a person watches stderr."""
        return STDERR.isatty() and not self.quiet

    @property
    def colored(self) -> bool:
        """Whether stderr may show colours."""
        return self.colored_on(STDERR)

    def colored_on(self, stream: Stream) -> bool:
        """Whether a stream may show colours."""
        if self.color != "auto":
            return self.color == "always"
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def as_json(value: dict[str, Any]) -> str:
    """A value as one line, in characters that stdout can take."""
    return json.dumps(value, ensure_ascii=not _utf8(), separators=(",", ":"))


def said(text: str) -> str:
    """`text` on one line, without secrets and without anything that acts on a terminal."""
    return visible(SECRETS.masked(text))


def _utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


_COMMON = (
    option("--json", envvar="MIGRATOR_JSON", is_flag=True, help="Machine-readable output on stdout."),
    option("--quiet", "-q", envvar="MIGRATOR_QUIET", is_flag=True, help="Only errors on stderr."),
    option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        envvar="MIGRATOR_VERBOSE",
        help="More log lines; tracebacks. Twice: all.",
    ),
    option(
        "--log-format",
        envvar="MIGRATOR_LOG_FORMAT",
        metavar="console|json",
        help="Log lines for a person, or for a machine.",
    ),
    option(
        "--log-file",
        type=FILE,
        envvar="MIGRATOR_LOG_FILE",
        metavar="FILE",
        help="Append log lines there as well; as JSON, unless --log-format console.",
    ),
    option("--color", default="auto", envvar="MIGRATOR_COLOR", metavar="auto|always|never", help="Colours."),
)
"""The options of every command, which stand below its own; a console has an attribute for each."""


def command(function: Callable[..., int | None], *, lasting: bool = False) -> Callable[..., None]:
    """A command with the common options; its errors become a message, a hint and an exit code.

    It stands next to the function, below its own options, since help shows them from top to bottom.
    `function` takes a `console` and returns an exit code (None is 0). A `lasting` one does not wait for those
    who read what it says, until it has done its work.
    """

    @functools.wraps(function)
    def wrapper(**arguments: Any) -> None:
        collector.seldom()
        console = Console(**{name: arguments.pop(name) for name in Console.__slots__})
        if lasting:
            beside.begin(json=console.json)
        code = 1
        try:
            _check_choices(console)
            _start_log(console)
            code = function(console=console, **arguments) or 0
        except BaseException as error:
            code = explain(error, console)
        finally:
            if lasting:
                beside.end(code)
        if STDOUT.failure is not None:
            console.err(f"stdout cannot be written: {STDOUT.failure.strerror}", label="error:", colour=RED)
            code = code or 1
        raise click.exceptions.Exit(code)

    for add in reversed(_COMMON):
        add(wrapper)
    return wrapper


lasting_command = functools.partial(command, lasting=True)


def explain(error: BaseException, console: Console) -> int:
    """Say what went wrong and what to do, and return the exit code. Raises what is not an error at all."""
    from migrator.domain.errors import CloudError, MigratorError, PlanError
    from migrator.io.log import mask_text

    STDERR.keep_live()
    found = _leaf(error)
    if isinstance(found, (click.exceptions.Exit, SystemExit, GeneratorExit)):
        raise found
    if isinstance(found, KeyboardInterrupt):
        console.err("interrupted; nothing is lost, run again to continue")
        return 130
    if console.verbose:
        import traceback

        for line in mask_text("".join(traceback.format_exception(error)).rstrip()).split("\n"):
            console.err(line)
    if isinstance(found, PlanError):
        _explain_plan(found, console)
    elif isinstance(found, CloudError):
        _explain(console, "error:", str(found), found.fault.remedy or CloudError.hint, found.exit_code)
    elif isinstance(found, MigratorError):
        _explain(console, "error:", str(found), found.hint, found.exit_code)
    else:
        said = mask_text(f"{type(found).__name__}: {found}")
        _explain(console, "internal error:", said, MigratorError.hint, 1)
        return 1
    return found.exit_code


def _explain(console: Console, kind: str, message: str, hint: str, code: int) -> None:
    console.err(message, label=kind, colour=RED)
    console.err(hint)
    if console.json:
        console.object({"error": message, "hint": hint, "exit_code": code})


def _explain_plan(error: "MigratorError", console: Console) -> None:
    problems: list[str] = getattr(error, "problems", [])
    for problem in problems:
        console.err(problem)
    number: int = getattr(error, "count", len(problems))
    count = "one problem" if number == 1 else f"{number} problems"
    console.err(f"the plan has {count}", label="error:", colour=RED)
    console.err(error.hint)
    if console.json:
        console.object(
            {
                "error": f"the plan has {count}",
                "problems": list(getattr(error, "found", ())) or problems,
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
        )


def _leaf(error: BaseException) -> BaseException:
    """The error that matters of a group: one of ours if there is one."""
    from migrator.domain.errors import MigratorError

    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, MigratorError)), leaves[0])


def _check_choices(console: Console) -> None:
    from migrator.domain.errors import UsageError

    for name, value, allowed in (
        ("--log-format", console.log_format or "console", ("console", "json")),
        ("--color", console.color, ("auto", "always", "never")),
    ):
        if value not in allowed:
            raise UsageError(f"{name} is {value!r}", hint=f"Use one of: {', '.join(allowed)}.")


def _start_log(console: Console) -> None:
    from migrator.io import log

    level = "error" if console.quiet else ("warning", "info", "debug")[min(console.verbose, 2)]
    log.configure(
        "json" if console.log_format == "json" else "console",
        level,
        stream=cast("TextIO", STDERR),
        log_file=console.log_file,
        color="always" if console.colored else "never",
        file_fmt="console" if console.log_format == "console" else "json",
        width=lambda: STDERR.size()[0] - 1,
    )


def run_virtually(function: Callable[[*Given], Awaitable[Answer]], *arguments: *Given) -> Answer:
    """What a coroutine function returns, on a loop that simulated time can pass on."""
    from migrator.io.virtual_time import VirtualLoop

    return _found({"loop_factory": VirtualLoop}, function, *arguments)


def run_async(function: Callable[[*Given], Awaitable[Answer]], *arguments: *Given) -> Answer:
    """What a coroutine function returns, on the fastest loop that is installed."""
    try:
        import uvloop  # noqa: F401
    except ImportError:
        fast = False
    else:
        fast = True
    return _found({"use_uvloop": fast}, function, *arguments)


def _found(
    loop: dict[str, Any], function: Callable[[*Given], Awaitable[Answer]], *arguments: *Given
) -> Answer:
    import anyio

    found: list[Answer] = []

    async def ask() -> None:
        # Not what the task returns: asyncio describes it when it is over, what it returned included, and to
        # describe a ledger of 100,000 images takes three seconds and 250 MB.
        found.append(await function(*arguments))

    anyio.run(ask, backend_options=loop)
    return found[0]


def confirm(question: str) -> bool:
    """Whether the person at the terminal says yes; anything else is a no."""
    STDERR.write(f"{said(question)} [y/N] ")
    STDERR.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def can_confirm() -> bool:
    """Whether a person can answer."""
    return sys.stdin is not None and sys.stdin.isatty() and STDERR.isatty()


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """ "1 image", "2 images"."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
