"""How a command line is read, and what is said to somebody who mistyped it."""

from typing import Any

import click

from migrator.cli.common import said
from migrator.cli.options import FAULT_PROFILES


class Commands(click.Group):
    """All commands. What is wrong with a command line is said on one line, whatever it repeats."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which a newcomer meets them

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first, *rest = [*args, ""]
        known = {"--help", "-h", "--version"}
        if first.startswith("-") and first.partition("=")[0] not in known:
            name = next((word for word in rest if word in self.commands), None)
            if name is not None:
                ctx.fail(
                    f"{said(first)} stands before the command; options come behind it: "
                    f"{ctx.info_name} {name} ... {said(first)}"
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):
                error.message = said(message)  # type: ignore[attr-defined]
            raise


class RehearsableCommand(click.Command):
    """A command whose --simulate may stand alone; what follows is its value only if it is a fault profile."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        complete = list(args)
        for index in range(end):
            following = args[index + 1] if index + 1 < end else ""
            if args[index] == "--simulate" and following not in FAULT_PROFILES:
                _no_near_miss(ctx, following, others=[*args[:index], *args[index + 2 :]])
                complete[index] = f"--simulate={FAULT_PROFILES[0]}"
        return super().parse_args(ctx, complete)


def _no_near_miss(ctx: click.Context, word: str, *, others: list[str]) -> None:
    """Say what --simulate takes to somebody who mistyped it; the word would be one plan too many."""
    from migrator.domain.text import did_you_mean

    a_plan = any(not one.startswith("-") for one in others)
    if word and not word.startswith("-") and a_plan and (likely := did_you_mean(word, FAULT_PROFILES)):
        ctx.fail(f"--simulate {said(word)}: {likely} There are {', '.join(FAULT_PROFILES)}.")
