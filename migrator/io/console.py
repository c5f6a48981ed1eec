"""stdout and stderr, whatever becomes of them: a reader hangs up, a terminal is closed, a disk is full.

Neither ever raises: a run is worth more than its messages. stderr also knows the live lines of a
terminal, so that logs and messages do not tear it.
"""

import codecs
import os
import re
import shutil
import sys

_SGR = re.compile(r"\x1b\[[\d;]*m")


class Stream:
    """A standard stream by name, looked up anew each time, so that a test may swap it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._gone: object = None
        """The stream that failed; it is left alone from then on."""

        self.failure: OSError | None = None
        """Why text was lost, unless its reader just hung up."""

    def write(self, text: str) -> int:
        """Write `text`, or drop it when nobody can take it any more."""
        stream = getattr(sys, self._name)
        if stream is not None and stream is not self._gone:
            try:
                try:
                    stream.write(text)
                except UnicodeEncodeError:
                    stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
            except (OSError, ValueError) as error:
                self._give_up(stream, error)
        return len(text)

    def flush(self) -> None:
        """Bring what was written to its reader."""
        stream = getattr(sys, self._name)
        if stream is not None and stream is not self._gone:
            try:
                stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(stream, error)

    def isatty(self) -> bool:
        """Whether a person watches."""
        stream = getattr(sys, self._name)
        try:
            return stream is not None and bool(stream.isatty())
        except (OSError, ValueError):
            return False

    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal that it is; of a usual one if it is none."""
        stream = getattr(sys, self._name)
        try:
            columns, rows = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError, AttributeError):
            columns = rows = 0
        usual = shutil.get_terminal_size()
        return columns or usual.columns, rows or usual.lines

    @property
    def encoding(self) -> str:
        """What characters it can take; ASCII where nobody knows."""
        name = getattr(getattr(sys, self._name), "encoding", None) or "ascii"
        try:
            return codecs.lookup(name).name
        except LookupError:
            return "ascii"

    @property
    def moving(self) -> bool:
        """Whether lines may be drawn over others on it."""
        return self.isatty() and os.environ.get("TERM") != "dumb"

    def line(self, text: str) -> None:
        """One line, at once."""
        self.write(text + "\n")
        self.flush()

    def _give_up(self, stream: object, error: OSError | ValueError) -> None:
        self._gone = stream
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.failure = error


class Terminal(Stream):
    """stderr, with live lines at its bottom while some are shown."""

    def __init__(self) -> None:
        super().__init__("stderr")
        self._live = ""
        self._drawn = ""
        """What stands at the bottom now; empty while something unfinished was written there."""

    def live(self, text: str) -> None:
        """Show the lines of `text` in place of the last live ones; "" shows none."""
        wipe = self._wipe()
        self._live = self._drawn = text
        super().write(wipe + text)
        self.flush()

    def keep_live(self) -> None:
        """Leave the live lines where they are, and go on below them."""
        if self._live:
            self._live = self._drawn = ""
            super().write("\n")
            self.flush()

    def write(self, text: str) -> int:
        """Write `text` above the live lines."""
        if self._live and text:
            wipe = self._wipe() if self._drawn else ""
            self._drawn = self._live if text.endswith("\n") else ""
            super().write(wipe + text + self._drawn)
            return len(text)
        return super().write(text)

    def _wipe(self) -> str:
        """What brings the cursor to where the live lines begin, and clears them."""
        rows = self._rows() if self._drawn else 1
        return "\r\x1b[K" if rows == 1 else f"\x1b[{rows - 1}A\r\x1b[J"

    def _rows(self) -> int:
        """Rows that the live lines take now: a window made narrower since has wrapped them."""
        from rich.cells import cell_len  # which only a live line needs

        columns = self.size()[0]
        lines = _SGR.sub("", self._drawn).split("\n")
        return sum(max(1, -(-cell_len(line) // columns)) for line in lines)


STDOUT = Stream("stdout")
STDERR = Terminal()
