"""The report as CSV, for spreadsheets: one row for each image.

- The columns are COLUMNS, always in this order; then `label.KEY` for each label key, sorted. A new column is
  only ever added at the end of COLUMNS.
- UTF-8 with a byte order mark, because without it Excel takes the bytes for the local code page; CRLF.
- Moments are ISO 8601 in UTC; minutes and seconds are numbers; yes and no are words; unknown is empty.
- Text that a spreadsheet would calculate (it begins with = + - @ or one of their full-width twins) gets an
  apostrophe in front (OWASP, "CSV Injection"), and control characters are taken out. Numbers stay numbers.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import BinaryIO

from migrator.core.causes import one_line, plain
from migrator.core.summary import Row, Summary
from migrator.model import Fault
from migrator.render.words import iso

COLUMNS = (
    "key",
    "name",
    "target",
    "wave",
    "status",
    "type",
    "os",
    "min_disk_gb",
    "image_url",
    "image_id",
    "job_id",
    "progress_percent",
    "submitted_at",
    "finished_at",
    "minutes",
    "seconds",
    "attempts",
    "error_code",
    "error_message",
    "remedy",
    "request_id",
    "removed",
    "drifted",
    "held",
)
"""What each row says before its labels."""

_ROWS = 512
"""Rows between two writes."""

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    labels = summary.label_keys
    stream.write(codecs.BOM_UTF8 + _line((*COLUMNS, *(cell(f"label.{label}") for label in labels))).encode())
    rows = iter(summary.images)
    while lines := [_line(_cells(row, labels)) for row in islice(rows, _ROWS)]:
        stream.write("".join(lines).encode("utf-8", "replace"))


def cell(text: str | None) -> str:
    """Text that a spreadsheet shows as it is: on one line, and never a formula. Empty for None."""
    if not text:
        return ""
    if text.isprintable() and text[0].isalnum():
        return text  # most are: worth not looking at twice
    line = one_line(text)
    return f"'{line}" if _FORMULA.match(line) else line


_word = lru_cache(maxsize=4096)(cell)
"""A cell for text that many images share."""


def _line(cells: Sequence[str]) -> str:
    line = ",".join(cells)
    if line.count(",") < len(cells) and '"' not in line:
        return line + "\r\n"  # no cell needs quotes, which the csv module would look for one by one
    quoted = io.StringIO(newline="")
    csv.writer(quoted, lineterminator="\r\n").writerow(cells)
    return quoted.getvalue()


def _cells(row: Row, labels: Sequence[str]) -> tuple[str, ...]:
    image, state, drifted = row
    progress, seconds = row.progress, row.seconds
    return (
        cell(state.key),
        cell(image.name),
        _word(image.target),
        _word(image.wave),
        state.phase,
        image.type,
        _word(row.os),
        str(image.min_disk),
        cell(image.image_url),
        cell(state.image_id),
        cell(state.job_id),
        "" if progress is None else repr(round(progress * 100, 1)),
        "" if state.submitted_at is None else iso(state.submitted_at),
        "" if state.finished_at is None else iso(state.finished_at),
        "" if seconds is None else repr(round(seconds / 60, 2)),
        "" if seconds is None else repr(seconds),
        str(len(state.attempts)),
        *(_NO_ERROR if state.fault is None else _error(state.fault)),
        _WORDS[state.removed],
        _WORDS[drifted],
        _WORDS[state.held],
        *[_word(image.labels.get(label)) for label in labels],
    )


_NO_ERROR = ("", "", "", "")
_WORDS = ("no", "yes")


def _error(fault: Fault) -> tuple[str, ...]:
    fault = plain(fault)
    return cell(fault.code), cell(fault.message), cell(fault.remedy), cell(fault.request_id)
