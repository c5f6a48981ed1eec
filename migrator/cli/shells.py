"""Completion in a shell: its script, shown or installed."""

import os
from pathlib import Path

import click

from migrator.domain.text import visible

PROGRAM = "migrator"
SHELLS = ("bash", "zsh", "fish")

_PLACES = {
    "bash": (".bash_completions/migrator.sh", ".bashrc", "source '{script}'"),
    "zsh": (".zfunc/_migrator", ".zshrc", "fpath+=~/.zfunc; autoload -Uz compinit; compinit"),
    "fish": (".config/fish/completions/migrator.fish", None, ""),
}
"""By shell, in the home folder: the script's file, the file that has to read it, and its line for that."""


def _shell() -> str:
    """The shell that asks: whoever started this process, else the person's own. Raises UsageError."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        parent = ""
    own = Path(os.environ.get("SHELL", "")).name
    for name in (parent, own):
        if name in SHELLS:
            return name
    raise click.UsageError(
        f"no completion for the shell {visible(own)!r}; there is one for {', '.join(SHELLS)}"
    )


def script_of(shell: str, program: click.Command) -> str:
    """What a shell has to read to complete the command lines of a program."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    part = kind(program, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    # Not source(): of bash it asks the version, in a process of its own.
    return part.source_template % part.source_vars()


def install(shell: str, program: click.Command, home: Path) -> Path:
    """Write the script below `home`, and let the shell read it. Returns where it lies; raises OSError."""
    place, start, line = _PLACES[shell]
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script_of(shell, program), encoding="utf-8")
    if start is not None:
        line = line.format(script=path)
        with (home / start).open("a+", encoding="utf-8", errors="surrogateescape") as file:
            file.seek(0)
            if line not in file.read().splitlines():
                file.write(f"\n{line}\n")
    return path


def _show(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(script_of(_shell(), ctx.command))
        ctx.exit()


def _install(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    shell = _shell()
    try:
        path = install(shell, ctx.command, Path.home())
    except OSError as error:
        raise click.ClickException(f"{visible(str(error.filename))}: {error.strerror}") from None
    click.echo(f"{shell} completion installed in {path}; it takes effect in the next terminal")
    ctx.exit()


install_completion = click.option(
    "--install-completion",
    is_flag=True,
    expose_value=False,
    callback=_install,
    help="Install completion for the current shell.",
)
show_completion = click.option(
    "--show-completion",
    is_flag=True,
    expose_value=False,
    callback=_show,
    help="Show completion for the current shell, to copy it or customize the installation.",
)
