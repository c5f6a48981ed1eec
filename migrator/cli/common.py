"""What every command has: the same options, one way to speak, one way to fail."""

import functools
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from migrator.errors import MigratorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a command speaks: stdout is data, stderr is logs, progress and errors."""

    json: bool = False
    quiet: bool = False
    verbose: int = 0
    log_format: str = "console"
    log_file: Path | None = None
    color: str = "auto"

    def out(self, text: str) -> None:
        """One line of data."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def object(self, value: dict[str, Any]) -> None:
        """One line of machine-readable data."""
        self.out(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def say(self, text: str) -> None:
        """One line for a person, unless they asked for silence."""
        if not self.quiet:
            self.err(text)

    def err(self, text: str) -> None:
        """One line that has to be said."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    @property
    def person(self) -> bool:
        """Whether a person watches stderr."""
        return sys.stderr.isatty() and not self.quiet

    @property
    def colored(self) -> bool:
        """Whether stderr may show colours."""
        if self.color != "auto":
            return self.color == "always"
        return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "json_output": (
        Annotated[
            bool, typer.Option("--json", envvar="MIGRATOR_JSON", help="Machine-readable output on stdout.")
        ],
        False,
    ),
    "quiet": (
        Annotated[
            bool, typer.Option("--quiet", "-q", envvar="MIGRATOR_QUIET", help="Only errors on stderr.")
        ],
        False,
    ),
    "verbose": (
        Annotated[
            int, typer.Option("--verbose", "-v", count=True, help="More log lines; tracebacks. Twice: all.")
        ],
        0,
    ),
    "log_format": (
        Annotated[
            str,
            typer.Option(
                "--log-format", envvar="MIGRATOR_LOG_FORMAT", metavar="console|json", help="Log lines."
            ),
        ],
        "console",
    ),
    "log_file": (
        Annotated[
            Path | None,
            typer.Option(
                "--log-file", envvar="MIGRATOR_LOG_FILE", help="Write the whole log there, as JSON."
            ),
        ],
        None,
    ),
    "color": (
        Annotated[
            str,
            typer.Option("--color", envvar="MIGRATOR_COLOR", metavar="auto|always|never", help="Colours."),
        ],
        "auto",
    ),
}


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """A command with the common options; its errors become a message, a hint and an exit code.

    `function` takes a `look` and returns an exit code (None is 0).
    """

    @functools.wraps(function)
    def wrapper(**arguments: Any) -> None:
        common = {name: arguments.pop(name) for name in _OPTIONS}
        look = Look(json=common.pop("json_output"), **common)
        try:
            _check_choices(look)
            _start_log(look)
            code = function(look=look, **arguments) or 0
        except BaseException as error:
            code = explain(error, look)
        raise typer.Exit(code)

    own = [p for p in inspect.signature(function).parameters.values() if p.name != "look"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    wrapper.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    return wrapper


def explain(error: BaseException, look: Look) -> int:
    """Say what went wrong and what to do, and return the exit code. Raises what is not an error at all."""
    found = _leaf(error)
    if isinstance(found, (typer.Exit, SystemExit, GeneratorExit)):
        raise found
    if isinstance(found, KeyboardInterrupt):
        look.err("interrupted; nothing is lost, run again to continue")
        return 130
    if isinstance(found, BrokenPipeError):
        # Whoever read our output is gone; so is the need to say anything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    if look.verbose:
        look.err("".join(traceback.format_exception(error)).rstrip())
    if isinstance(found, MigratorError):
        look.err(f"{_paint('error:', look)} {found}")
        look.err(found.hint)
        return found.exit_code
    look.err(f"{_paint('internal error:', look)} {type(found).__name__}: {found}")
    look.err(MigratorError.hint)
    return 1


def _leaf(error: BaseException) -> BaseException:
    """The error that matters of a group: one of ours if there is one."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, MigratorError)), leaves[0])


def _paint(text: str, look: Look) -> str:
    return f"\x1b[1;31m{text}\x1b[0m" if look.colored else text


def _check_choices(look: Look) -> None:
    from migrator.errors import UsageError

    for name, value, allowed in (
        ("--log-format", look.log_format, ("console", "json")),
        ("--color", look.color, ("auto", "always", "never")),
    ):
        if value not in allowed:
            raise UsageError(f"{name} is {value!r}", hint=f"Use one of: {', '.join(allowed)}.")


def _start_log(look: Look) -> None:
    from migrator.edges import log

    level = "error" if look.quiet else ("warning", "info", "debug")[min(look.verbose, 2)]
    log.configure(look.log_format, level, log_file=look.log_file, color=look.color)
