"""How much room a text takes on a terminal, in cells: Chinese takes two for each sign, an accent none."""

from collections.abc import Iterator


def cell_len(text: str) -> int:
    """Cells of a text that holds no control codes."""
    if text.isascii():
        return len(text)
    from wcwidth import iter_graphemes, wcswidth  # its tables are for those who need them

    # Sign by sign, so that the pieces of a text are together as long as the text.
    return sum(max(wcswidth(sign), 0) for sign in iter_graphemes(text))


def fitted(text: str, cells: int) -> str:
    """The text in exactly so many cells: cut off, or filled up with spaces."""
    if text.isascii():
        return text[: max(cells, 0)].ljust(cells)
    kept = next(_rows(text, cells), "") if cells > 0 else ""
    return kept + " " * (cells - cell_len(kept))


def chopped(text: str, cells: int) -> list[str]:
    """The text in pieces of at most so many cells, and of at least one sign each."""
    if text.isascii():
        step = max(cells, 1)
        return [text[start : start + step] for start in range(0, len(text), step)]
    return [row for row in _rows(text, cells) if row]


def _rows(text: str, cells: int) -> Iterator[str]:
    """Pieces that fit, between signs as people see them; empty ones where a sign is too wide by itself."""
    from wcwidth import iter_graphemes

    row, taken = "", 0
    for sign in iter_graphemes(text):
        size = cell_len(sign)
        if taken + size > cells:
            yield row
            row, taken = "", 0
        row, taken = row + sign, taken + size
    yield row
