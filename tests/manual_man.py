"""migrator(1), made from the commands themselves; `tests/manual.py` writes it, and the wheel brings it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from migrator import __version__
from migrator.cli.app import app

_COMMANDS = Path(__file__).parent.parent / "docs/commands.md"


def man_page() -> str:
    """The page, in the man macros that every man and mandoc reads."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    program: Any = app
    commands = program.commands
    shared = set.intersection(*(set(map(_names, _options(command))) for command in commands.values()))
    yield r".\" Made by python -m tests.manual from the commands of the program."
    yield f'.TH MIGRATOR 1 "" "migrator {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"migrator \- {_text(program.help[0].lower() + program.help[1:].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    for number, (name, command) in enumerate(commands.items()):
        if number:
            yield ".br"
        yield ".B migrator"
        yield f"{_text(name)} [\\fIoption\\fR ...]{''.join(_arguments(command))}"
    yield ".SH DESCRIPTION"
    yield _text(
        "A plan, a file in TOML, lists images and targets. `migrator run PLAN` imports them, and the same "
        "command goes on after anything: Ctrl-C, a lost connection, kill -9, a power cut. No image is "
        "imported twice, and none counts as done before it was read back."
    )
    yield ".SH COMMANDS"
    for name, command in commands.items():
        yield ".TP"
        yield f"\\fBmigrator {_text(name)}\\fR{''.join(_arguments(command))}"
        yield _text(" ".join((command.help or "").split()))
        own = [option for option in _options(command) if _names(option) not in shared]
        if own:
            yield ".RS"
            for option in own:
                yield from _option(option)
            yield ".RE"
    yield ".SH OPTIONS OF EVERY COMMAND"
    first = next(iter(commands.values()))
    for option in [one for one in _options(first) if _names(one) in shared] + _options(program):
        yield from _option(option)
    yield ".SH EXIT STATUS"
    for code, meaning, then in _exit_codes():
        yield ".TP"
        yield code
        yield _text(f"{meaning}{f'; {then}' if then else ''}.")
    yield ".SH FILES"
    for path, what in (
        ("reports/PLAN/journal.db", "Every fact of a plan's runs. Never delete it."),
        ("reports/PLAN/report.{json,csv,html,xlsx,md}", "What became of each image."),
        ("reports/PLAN/run.json", "That a run began, for a journal that is put back from an older copy."),
        ("reports/PLAN/service.json", "What the service was seen to do; no names, ids or secrets."),
    ):
        yield ".TP"
        yield f"\\fI{_text(path)}\\fR"
        yield _text(what)
    yield ".SH ENVIRONMENT"
    yield _text(
        "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK are the keys, unless the plan names others; HTTPS_PROXY "
        "and NO_PROXY are honoured. A MIGRATOR_ variable above stands in for its option."
    )
    yield ".SH EXAMPLES"
    for line, what in (
        ("migrator demo", "A small plan against a simulator of its own; no account."),
        ("migrator preflight plan.toml", "Asks for all that a run would need, and changes nothing."),
        ("migrator run plan.toml --max-duration 4h", "Begins, or goes on, for four hours."),
        ("migrator run plan.toml --retry-failed", "Tries failed images again."),
    ):
        yield ".TP"
        yield f"\\fB{_text(line)}\\fR"
        yield _text(what)


def _options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option"]


def _names(option: Any) -> str:
    return ", ".join(sorted(option.opts, key=len))


def _arguments(command: Any) -> Iterator[str]:
    for param in command.params:
        if param.param_type_name == "argument":
            word = f"\\fI{_text(param.metavar.strip('[]'))}\\fR"
            yield f" {word}" if param.required else f" [{word}]"


def _option(option: Any) -> Iterator[str]:
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in sorted(option.opts, key=len))
    value = "" if option.is_flag or option.count else f" \\fI{_text(option.metavar or _choices(option))}\\fR"
    variable = f" (${option.envvar})" if option.envvar else ""
    yield ".TP"
    yield f"{names}{value}"
    yield _text(f"{' '.join((option.help or '').split())}{variable}")


def _choices(option: Any) -> str:
    return "|".join(option.type.choices) if isinstance(option.type, click.Choice) else "VALUE"


def _exit_codes() -> Iterator[tuple[str, str, str]]:
    """As the manual has them, which a test holds against the program."""
    part = _COMMANDS.read_text(encoding="utf-8").split("\n## Exit codes\n", 1)[1]
    for code, meaning, then in re.findall(r"(?m)^\| (\d+) \| (.+?) \|(?: (.*?))? \|$", part):
        yield code, meaning.replace("`", ""), then.replace("`", "")


def _text(text: str) -> str:
    """Text that is nothing else to roff: no escapes, no requests, hyphens that can be copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga").replace("'", r"\(aq")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
