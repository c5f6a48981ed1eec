"""stdout and stderr, whatever becomes of them: a reader hangs up, a terminal is closed, a disk is full.

Neither ever raises: a run is worth more than the words about it. stderr also knows the live line of a
terminal, so that logs and messages do not tear it.
"""

import sys


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

    def line(self, text: str) -> None:
        """One line, at once."""
        self.write(text + "\n")
        self.flush()

    def _give_up(self, stream: object, error: OSError | ValueError) -> None:
        self._gone = stream
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.failure = error


class Terminal(Stream):
    """stderr, with a live line at its bottom while one is shown."""

    def __init__(self) -> None:
        super().__init__("stderr")
        self._live = ""

    def live(self, text: str) -> None:
        """Show `text` in place of the last live line; "" shows none."""
        self._live = text
        super().write("\r\x1b[K" + text)
        self.flush()

    def settle(self) -> None:
        """Leave the live line where it is, and go on below it."""
        if self._live:
            self._live = ""
            super().write("\n")
            self.flush()

    def write(self, text: str) -> int:
        """Write `text` above the live line."""
        if self._live and text:
            super().write("\r\x1b[K" + text)
            if text.endswith("\n"):
                super().write(self._live)
            return len(text)
        return super().write(text)


STDOUT = Stream("stdout")
STDERR = Terminal()
