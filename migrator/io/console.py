"""stdout and stderr, whatever becomes of them: a reader hangs up, a terminal is closed, a disk is full.

Neither ever raises: a run is worth more than its messages. stderr also knows the live lines of a
terminal, so that logs and messages do not tear it.

What lasts writes `beside` itself: a thread waits for the reader, be it a pipe that nobody reads or a terminal
on which somebody pressed Ctrl-S. What is written meanwhile is queued up to a bound, beyond it lines are left
out and counted; of the live lines only the last ones are kept.
"""

import codecs
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from migrator.domain.cells import cell_len

MOST = 8 * 1024 * 1024
"""Characters that wait for a reader before lines are left out: some 25,000 events."""

AT_ONCE = 64 * 1024
"""Characters that are handed over in one piece."""

_SGR = re.compile(r"\x1b\[[\d;]*m")


class Stream:
    """A standard stream by name, looked up anew each time, so that a test may swap it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.gap: Callable[[int], str] = _lines_left_out
        """One line in place of so many that were left out."""

        self._gone: object = None
        """The stream that failed; it is left alone from then on."""

        self._beside: Beside | None = None
        """Who writes in this one's place, while somebody does."""

        self.failure: OSError | None = None
        """Why text was lost, unless its reader just hung up."""

    def write(self, text: str) -> int:
        """Write `text`, or drop it when nobody can take it any more."""
        if self._beside is not None:
            self._beside.put(text)
        else:
            self.write_now(text)
        return len(text)

    def write_now(self, text: str) -> None:
        """The same in this thread, however long it takes."""
        stream = getattr(sys, self._name)
        if stream is not None and stream is not self._gone:
            try:
                try:
                    stream.write(text)
                except UnicodeEncodeError:
                    for line in text.splitlines(keepends=True):
                        stream.write(_writable(line, stream.encoding))
            except (OSError, ValueError) as error:
                self._leave(stream, error)

    def write_bytes(self, content: bytes) -> None:
        """Write `content` as it is, whatever characters the stream takes, or drop it."""
        self.flush()
        stream = getattr(sys, self._name)
        if stream is not None and stream is not self._gone:
            try:
                stream.buffer.write(content)
                stream.buffer.flush()
            except (OSError, ValueError) as error:
                self._leave(stream, error)

    def flush(self) -> None:
        """Bring what was written to its reader."""
        if self._beside is None:
            self.flush_now()

    def flush_now(self) -> None:
        """The same in this thread."""
        stream = getattr(sys, self._name)
        if stream is not None and stream is not self._gone:
            try:
                stream.flush()
            except (OSError, ValueError) as error:
                self._leave(stream, error)

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
        import shutil  # which brings three ways to compress with it

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

    def write_beside(self, most: int = MOST) -> None:
        """From now on writing waits for nobody, until `end_beside`."""
        self._beside = Beside(self, most)

    def end_beside(self, patience: float | None = None) -> bool:
        """Write in the caller's thread again, once all that waits was written (Beside.end).

        When that fails, a thread still waits for the reader, and only os._exit ends this process in time.
        """
        if self._beside is not None:
            if not self._beside.end(patience):
                return False
            self._beside = None
        return True

    def give_up(self, error: Exception) -> None:
        """Write nothing more to what the name stands for now."""
        self._leave(getattr(sys, self._name), error)

    def _leave(self, stream: object, error: Exception) -> None:
        self._gone = stream
        _discard(stream)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.failure = error


def _lines_left_out(count: int) -> str:
    return f"({count} lines were left out here, because nobody read them)"


def _discard(stream: object) -> None:
    """Let what the stream still holds go nowhere: the interpreter would flush it at its end, and exit 120."""
    with suppress(OSError, ValueError, AttributeError):  # it is no file, or is closed
        number = stream.fileno()  # type: ignore[attr-defined]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _writable(line: str, encoding: str) -> str:
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return line.encode("ascii", "backslashreplace").decode("ascii")
    return line


class Terminal(Stream):
    """stderr, with live lines at its bottom while some are shown."""

    def __init__(self) -> None:
        super().__init__("stderr")
        self._live = ""
        self._drawn = ""
        """What stands at the bottom now; empty while something unfinished was written there."""

    def live(self, text: str) -> None:
        """Show the lines of `text` in place of the last live ones; "" shows none."""
        if self._beside is not None:
            self._beside.put(text, live=True)
        else:
            self.live_now(text)

    def live_now(self, text: str) -> None:
        """The same in this thread."""
        wipe = self._wipe()
        self._live = self._drawn = text
        super().write_now(wipe + text)
        self.flush_now()

    def keep_live(self) -> None:
        """Leave the live lines where they are, and go on below them."""
        if self._beside is not None:
            self._beside.put(None, live=True)
        else:
            self.keep_live_now()

    def keep_live_now(self) -> None:
        """The same in this thread."""
        if self._live:
            self._live = self._drawn = ""
            super().write_now("\n")
            self.flush_now()

    def write_now(self, text: str) -> None:
        """Write `text` above the live lines."""
        if self._live and text:
            wipe = self._wipe() if self._drawn else ""
            self._drawn = self._live if text.endswith("\n") else ""
            text = wipe + text + self._drawn
        super().write_now(text)

    def _wipe(self) -> str:
        """What brings the cursor to where the live lines begin, and clears them."""
        rows = self._rows() if self._drawn else 1
        return "\r\x1b[K" if rows == 1 else f"\x1b[{rows - 1}A\r\x1b[J"

    def _rows(self) -> int:
        """Rows that the live lines take now: a window made narrower since has wrapped them."""
        columns = self.size()[0]
        lines = _SGR.sub("", self._drawn).split("\n")
        return sum(max(1, -(-cell_len(line) // columns)) for line in lines)


@dataclass(slots=True)
class _Piece:
    text: str | None
    """None leaves the live lines where they are."""

    live: bool = False


class Beside:
    """Writes to one stream in a thread of its own, in the order in which it was asked to."""

    def __init__(self, stream: Stream, most: int = MOST) -> None:
        self._stream = stream
        self._most = most
        self._waiting: deque[_Piece] = deque()
        self._held = 0
        """Characters that wait, or are just being written."""

        self._full = False
        self._left_out = 0
        self._frame: _Piece | None = None
        """Live lines that nobody has seen yet; newer ones take their place."""

        self._changed = threading.Condition()
        self._moved_at = monotonic()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="output", daemon=True)
        self._thread.start()

    def put(self, text: str | None, *, live: bool = False) -> None:
        """Have it written as soon as its reader takes it. Never waits."""
        with self._changed:
            if live and text is not None and self._frame is not None:
                self._held += len(text) - len(self._frame.text or "")
                self._frame.text = text
                return
            if not live:
                # Once it is full, it has to be half empty again: one gap, and not one after every line.
                self._full = self._held > (self._most // 2 if self._full else self._most)
                if self._full:
                    self._left_out += 1
                    return
                self._say_what_is_left_out()
            self._add(_Piece(text, live))
            self._changed.notify_all()

    def end(self, patience: float | None = None) -> bool:
        """Whether all is written: as long as it takes, or until nothing was taken for `patience` seconds."""
        with self._changed:
            self._say_what_is_left_out()
            self._ending = True
            self._moved_at = monotonic()
            self._changed.notify_all()
            while self._held:
                self._changed.wait(0.1)
                if patience is not None and monotonic() - self._moved_at > patience:
                    self._ending = False
                    return False
        self._thread.join()
        return True

    def _say_what_is_left_out(self) -> None:
        if self._left_out:
            self._add(_Piece(self._stream.gap(self._left_out) + "\n"))
            self._left_out = 0

    def _add(self, piece: _Piece) -> None:
        self._waiting.append(piece)
        self._held += len(piece.text or "") + 1
        # What comes after a line may not come before it.
        self._frame = piece if piece.live and piece.text is not None else None

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._ending:
                        return
                    self._changed.wait()
                piece, size = self._next()
            self._write(piece)
            with self._changed:
                self._held -= size
                self._moved_at = monotonic()
                self._changed.notify_all()

    def _next(self) -> tuple[_Piece, int]:
        """The next piece, with the text of those after it that are of the same kind; and how much that is."""
        piece = self._waiting.popleft()
        size = len(piece.text or "") + 1
        if piece.live:
            if piece is self._frame:
                self._frame = None
            return piece, size
        texts = [piece.text or ""]
        while size < AT_ONCE and self._waiting and not self._waiting[0].live:
            texts.append(self._waiting.popleft().text or "")
            size += len(texts[-1]) + 1
        return _Piece("".join(texts)), size

    def _write(self, piece: _Piece) -> None:
        """Never raises: whoever waits for this thread would wait forever."""
        try:
            self._say(piece)
        except Exception as error:
            self._stream.give_up(error)

    def _say(self, piece: _Piece) -> None:
        stream, text = self._stream, piece.text
        if not piece.live or not isinstance(stream, Terminal):
            stream.write_now(text or "")
            stream.flush_now()
        elif text is None:
            stream.keep_live_now()
        else:
            stream.live_now(text)


STDOUT = Stream("stdout")
STDERR = Terminal()
