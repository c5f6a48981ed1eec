"""Lines with colours, as values: whoever writes them knows whether a terminal takes colours."""

from collections.abc import Sequence
from typing import Literal

import click
from msgspec import Struct

from migrator.domain.cells import cell_len, fitted

Style = Literal["", "bold", "dim", "green", "cyan", "yellow", "red"]
"""How a piece is shown; "" as the terminal shows what nobody coloured."""


class Line(Struct, frozen=True):
    """One line: pieces of text, each in a style."""

    parts: tuple[tuple[str, Style], ...]

    @property
    def plain(self) -> str:
        """What it says."""
        return "".join(text for text, _ in self.parts)

    def cut(self, width: int, more: str) -> "Line":
        """The line in at most so many cells; where something is left out, `more` stands at its end."""
        plain = self.plain
        if cell_len(plain) <= width:
            return self
        left = len(fitted(plain, max(width - len(more), 0)).rstrip())
        if cell_len(plain[:left] + more) > width:
            return Line(())
        kept: list[tuple[str, Style]] = []
        for text, style in self.parts:
            if left >= len(text):
                kept.append((text, style))
                left -= len(text)
            else:
                kept.append((text[:left] + more, style))
                break
        return Line(tuple(kept))


def painted(lines: Sequence[Line], *, colored: bool) -> list[str]:
    """The lines as they are written: with SGR codes, or without any control code."""
    if not colored:
        return [line.plain for line in lines]
    return ["".join(_painted(text, style) for text, style in line.parts if text) for line in lines]


def _painted(text: str, style: Style) -> str:
    match style:
        case "":
            return text
        case "bold":
            return click.style(text, bold=True)
        case "dim":
            return click.style(text, dim=True)
        case colour:
            return click.style(text, fg=colour)
