"""How an event is drawn: one JSON object for a machine, logfmt for a file, words for a person who watches."""

import json
from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any

from migrator.domain.cells import cell_len, chopped
from migrator.domain.text import visible

Event = MutableMapping[str, Any]


def as_json(event: Event) -> str:
    """One JSON object: time stamp, level and event first."""
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return visible(json.dumps(first | dict(event), ensure_ascii=False))


_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}


class LogfmtLine:
    """One line for a person: when, how bad, what happened, and the rest as name=value."""

    def __init__(self, *, colours: bool = False) -> None:
        self.colours = colours

    def __call__(self, event: Event) -> str:
        rest = dict(event)
        level, trace = str(rest.pop("level", "")), rest.pop("exception", None)
        line = " ".join(
            [
                self.painted(visible(str(rest.pop("timestamp", ""))), "2"),
                self.painted(f"{level:<7}", _COLOURS.get(level, "0")),
                self.painted(visible(str(rest.pop("event", ""))), "1"),
                *(f"{self.painted(visible(name), '36')}={_quoted(value)}" for name, value in rest.items()),
            ]
        )
        if trace is None:
            return line
        # A trace is the one thing that may take lines of its own; the bar tells them from events.
        return "\n".join([line, *(f"    | {visible(part)}" for part in str(trace).split("\n"))])

    def painted(self, text: str, colour: str) -> str:
        """The text in a colour, where there are colours."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colours else text


_SAID = {
    "migration.failed": "failed",
    "migration.submitted": "submitted",
    "migration.succeeded": "imported",
    "job.succeeded": "job ended well",
    "job.overdue": "overdue",
    "attempt.in_doubt": "in doubt",
    "attempt.held": "held for a person",
    "attempt.not_found": "not found, so it may be sent again",
    "image.adopted": "found in the cloud",
    "image.skipped": "there before",
    "target.halted": "stopped submitting to",
    "target.unavailable": "no answer from",
    "target.quota_used_up": "quota used up in",
    "wave.waiting": "waiting:",
    "clock.jumped": "the clock jumped, noticed at",
    "report.stale": "a report cannot be written:",
    "run.began": "run began:",
    "run.ended": "run ended:",
    "run.stopping": "stopping:",
}
"""What a person is told of an event; others are told by their name."""

_SUBJECTS = ("key", "target", "file", "plan")


class SpokenLine:
    """An event for a person who watches: "23:12 failed north/app-0009: status killed, not active".

    By the clock of this machine, wrapped at words to the terminal's width, without what the progress view
    shows at the same time (remedies).
    """

    def __init__(self, *, colours: bool = False, width: Callable[[], int]) -> None:
        self._logfmt = LogfmtLine(colours=colours)
        self._width = width

    def __call__(self, event: Event) -> str:
        rest = {name: value for name, value in event.items() if name not in ("remedy", "exception")}
        level, name = str(rest.pop("level", "")), str(rest.pop("event", ""))
        words = [_at_here(str(rest.pop("timestamp", ""))), visible(_SAID.get(name, name))]
        words += [visible(str(rest.pop(one))) for one in _SUBJECTS if one in rest][:1]
        reason = visible(str(rest.pop("reason"))) if rest.get("reason") else ""
        others = " ".join(f"{visible(one)}={_quoted(value)}" for one, value in rest.items())
        text = " ".join(filter(None, words)) + (f": {reason}" if reason else "")
        text += f" ({others})" if others else ""
        lines = _wrapped(text, max(self._width(), 20))
        shown = "\n".join(self._logfmt.painted(line, _COLOURS.get(level, "0")) for line in lines)
        trace = event.get("exception")
        if trace is None:
            return shown
        return "\n".join([shown, *(f"    | {visible(part)}" for part in str(trace).split("\n"))])


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of so many cells, of which wide characters take two; all but the first indented."""
    lines, indent = [""], ""
    for word in text.split(" "):
        if lines[-1].strip() and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1].strip():
            indent = "      "
            lines.append(indent)
        first, *rest = chopped(word, width - len(indent) - len(lines[-1].strip())) or [""]
        lines[-1] += first
        lines += [f"      {piece}" for piece in rest]
    return lines


def _at_here(stamp: str) -> str:
    """The minute of an ISO 8601 moment, by the clock of this machine."""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%H:%M}"
    except ValueError:
        return visible(stamp)


def _quoted(value: Any) -> str:
    text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if isinstance(value, str) and (not text or any(mark in text for mark in " \"'=")):
        return f'"{text.replace(chr(34), chr(92) + chr(34))}"'
    return text
