"""Logs: colours for a person, JSON for a machine, secrets for nobody.

The rules:

1. One event is one line, or on a terminal one and what of it is indented below. Names and messages from
   outside cannot break it, colour it, or look like another.
2. What is a secret of this process, or looks like one by its name or by its form, is masked before anything
   is drawn or written.
3. A log that cannot be written never stops a run.
4. What is logged beside a message may have any name at all. A name that the line needs for itself gets an
   underscore at its end.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from migrator.domain.errors import UsageError
from migrator.domain.secrets import MASK, SECRETS
from migrator.io.log.lines import Event, LogfmtLine, SpokenLine, as_json

# structlog takes longer to import than all the rest, and `migrator schema` never logs: it is imported on use.

Format = Literal["auto", "console", "json"]
Colour = Literal["auto", "always", "never"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_log_file: "_LogFile | None" = None
"""What the last `configure` opened."""


def configure(
    fmt: Format = "auto",
    level: str = "info",
    stream: TextIO | None = None,
    log_file: Path | None = None,
    color: Colour = "auto",
    *,
    file_fmt: Format | None = None,
    width: Callable[[], int] = lambda: 79,
) -> None:
    """Send the events of structlog and of the standard library to `stream` (stderr), and to `log_file` too.

    "auto" is console on a terminal and JSON elsewhere; `log_file` gets JSON unless `file_fmt` (which is `fmt`
    where not given) is "console", is appended to, and is made readable for its owner only. NO_COLOR
    (no-color.org) counts where `color` is "auto". May be called again; the last call counts. Raises
    UsageError for a file that cannot be opened. `width` is that of the terminal, in cells.
    """
    import structlog

    global _log_file
    out = sys.stderr if stream is None else stream
    write = _to_stream(lambda: sys.stderr if stream is None else stream)  # a progress display may swap it
    person = fmt == "console" or (fmt == "auto" and _is_terminal(out))
    colours = color == "always" or (color == "auto" and _is_terminal(out) and _likes_colours())
    drawn: Callable[[Event], str] = as_json
    if person:
        spoken = SpokenLine(colours=colours, width=width)
        drawn = spoken if _is_terminal(out) else LogfmtLine(colours=colours)
    draw: list[tuple[Write, Callable[[Event], str]]] = [(write, drawn)]
    if _log_file is not None:
        _log_file.close()
        _log_file = None
    if log_file is not None:
        _log_file = _LogFile(log_file, write)
        draw.append((_log_file.write, LogfmtLine() if (file_fmt or fmt) == "console" else as_json))
    structlog.configure(
        processors=[
            _with_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            masked,
            _Drawn(draw),
        ],
        wrapper_class=_logger_class(LEVELS[level]),
        logger_factory=lambda *args: _Nothing(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(structlog.get_logger()))
    root.setLevel(logging.INFO)  # structlog drops what is below `level`


# --- Names from outside ---------------------------------------------------------------------------------

_OF_THE_LINE = frozenset({"timestamp", "level", "event", "exception"})
"""Names under which the line itself says something."""


def _named(context: Mapping[str, Any]) -> dict[str, Any]:
    """`context` without the names that the line needs for itself: they get an underscore, or more."""
    named = {}
    for asked, value in context.items():
        name = asked
        if name == "exc_info" and isinstance(value, tuple) and len(value) == 3:
            value = value[1]
        if name in _OF_THE_LINE or (name == "exc_info" and not _is_error(value)):
            name += "_"
            while name in context:
                name += "_"
        named[name] = value
    return named


def _is_error(value: object) -> bool:
    """Whether this is what `exc_info` may be."""
    return value is None or isinstance(value, (bool, BaseException))


def _with_context(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: the event, and what was bound for all events of this task."""
    import structlog

    return {**_named(structlog.contextvars.get_contextvars()), **event}


def _logger_class(least: int) -> type:
    """A structlog.typing.FilteringBoundLogger of the levels from `least` on.

    Not structlog's own: its methods take names such as `self`, `event` and `method_name` for their own
    parameters, and raise TypeError where something is logged under one of them.
    """
    import structlog

    def at(name: str, level: int, **always: Any) -> Callable[..., None]:
        def say(self: Any, event: object, /, *args: Any, **context: Any) -> None:
            if level >= least:
                with suppress(structlog.DropEvent):
                    text = event % args if args and isinstance(event, str) else event
                    self._process_event(name, text, {**always, **_named(context)})

        return say

    class Logger(structlog.BoundLoggerBase):
        debug = at("debug", 10)
        info = msg = at("info", 20)
        warning = warn = at("warning", 30)
        error = at("error", 40)
        exception = at("error", 40, exc_info=True)
        critical = fatal = at("critical", 50)

        def log(self, level: int, event: object, /, *args: Any, **context: Any) -> None:
            name = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}[level]
            getattr(self, name)(event, *args, **context)

        def bind(self, /, **context: Any) -> Self:
            return type(self)(self._logger, self._processors, {**self._context, **_named(context)})

        def new(self, /, **context: Any) -> Self:
            return type(self)(self._logger, self._processors, _named(context))

        def is_enabled_for(self, level: int) -> bool:
            return level >= least

        def get_effective_level(self) -> int:
            return least

    return Logger


# --- Secrets --------------------------------------------------------------------------------------------

_SECRET_NAME = re.compile(
    r"authorization|token|passw|passphrase|secret|signature|cookie|api_?key|(?:^|_)(?:sk|pwd)(?:$|_)"
)
_SECRET_TEXT = re.compile(
    r"""
      (?P<mark> \b (?: Signature | Access ) =) [^\s,;&"']+
    | (?P<scheme> \b (?: OBS | AWS ) [ ]) \w{1,64} : [A-Za-z0-9+/=]{20,}
    | (?P<bearer> \b (?: Bearer | Basic ) [ ]+) [A-Za-z0-9+/=._~-]{8,}
    | (?P<login> :// [^\s/:@]{0,200} :) [^\s/@]{1,200} (?=@)
    | (?P<name> (?i: authorization | token | passw(?:or)?d | passphrase | secret | signature ) [\w-]{0,40}
        \\? ["']? \s* [:=] \s* )
      (?! SDK-HMAC | OBS\b | AWS\b | Bearer\b | Basic\b )
      (?: \\? " [^"]* " | ' [^']* ' | [^\s"',;&)}\]]+ )
    | \b MII [A-Za-z0-9+/=-]{100,}
    """,
    re.VERBOSE,
)
"""Signatures, tokens and passwords inside a text, whatever it is a text of; what a group keeps is shown."""


def masked(_logger: object, _method: str, event: Event) -> Event:
    """A structlog processor: the event with everything that looks like a secret replaced by "***"."""
    return {name: MASK if _is_secret(name) else _clean(value) for name, value in event.items()}


def mask_text(text: str) -> str:
    """`text` without our own secrets, and without what the form of signatures, tokens and passwords gives
    away."""
    return _SECRET_TEXT.sub(_mask_match, SECRETS.masked(text))


def _mask_match(found: re.Match[str]) -> str:
    return (found[found.lastgroup] if found.lastgroup else "") + MASK


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name.lower().replace("-", "_")) is not None


def _clean(value: Any) -> Any:
    """`value` as JSON knows it, its secrets masked."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has neither infinity nor nan
    if isinstance(value, str):
        return mask_text(str(value))
    if hasattr(value, "get_secret_value"):
        return MASK
    if isinstance(value, Mapping):
        return {str(name): MASK if _is_secret(str(name)) else _clean(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner) for inner in value]
    try:
        return mask_text(str(value))
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


# --- Writing --------------------------------------------------------------------------------------------

Write = Callable[[str], None]


class _Drawn:
    """The last processor: draws the event for every sink, and tells structlog to do no more."""

    def __init__(self, sinks: Iterable[tuple[Write, Callable[[Event], str]]]) -> None:
        self.sinks = tuple(sinks)
        self.lock = threading.Lock()

    def __call__(self, _logger: object, _method: str, event: Event) -> Any:
        import structlog

        with self.lock:
            for write, draw in self.sinks:
                write(draw(event) + "\n")
        raise structlog.DropEvent


class _Nothing:
    """The logger under structlog's: everything was written before it is called."""


class _Bridge(logging.Handler):
    """Takes what the standard library's loggers say (asyncio, aiohttp) along the same road."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        method = self.log.error if record.levelno >= logging.ERROR else self.log.warning
        if record.levelno < logging.WARNING:
            method = self.log.info if record.levelno >= logging.INFO else self.log.debug
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        method(text, logger=record.name, exc_info=record.exc_info or None)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _likes_colours() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _to_stream(current: Callable[[], TextIO]) -> Write:
    def write(line: str) -> None:
        stream = current()
        try:
            try:
                stream.write(line)
            except UnicodeEncodeError:
                stream.write(line.encode("ascii", "backslashreplace").decode("ascii"))
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody is there to read it any more

    return write


class _LogFile:
    """A file that is appended to, a line at a time, readable for its owner only if it is new."""

    def __init__(self, path: Path, complain: Write) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor: int | None = os.open(path, flags, 0o600)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"cannot write the log file {str(path)!r}: {reason}", hint="Choose another --log-file."
            ) from error
        self._path = path
        self._complain: Write | None = complain

    def write(self, line: str) -> None:
        if self._descriptor is None:
            return
        rest = line.encode("utf-8", "backslashreplace")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            complain, self._complain = self._complain, None  # once: the disk may stay full for hours
            if complain is not None:
                complain(f"the log file {str(self._path)!r} cannot be written: {error.strerror}\n")

    def close(self) -> None:
        # A logger bound earlier may still write here when the number has become another file's: the journal's
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
