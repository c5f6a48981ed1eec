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
from collections.abc import Iterable
from typing import BinaryIO

from migrator.core.causes import one_line
from migrator.core.summary import Row, Summary
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

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    labels = summary.label_keys
    stream.write(codecs.BOM_UTF8)
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([*COLUMNS, *(cell(f"label.{label}") for label in labels)])
        writer.writerows(_cells(row, labels) for row in summary.images)
    finally:
        text.detach()


def cell(text: str | None) -> str:
    """Text that a spreadsheet shows as it is: on one line, and never a formula. Empty for None."""
    if not text:
        return ""
    if text.isprintable() and text[0].isalnum():
        return text  # most are: worth not looking at twice
    line = one_line(text)
    return f"'{line}" if _FORMULA.match(line) else line


def _cells(row: Row, labels: Iterable[str]) -> list[str | int | float | None]:
    error = row.error
    return [
        cell(row.key),
        cell(row.name),
        cell(row.target),
        cell(row.wave),
        row.status.value,
        row.type.value,
        cell(row.os),
        row.min_disk,
        cell(row.image_url),
        cell(row.image_id),
        cell(row.job_id),
        None if row.progress is None else round(row.progress * 100, 1),
        None if row.submitted_at is None else iso(row.submitted_at),
        None if row.finished_at is None else iso(row.finished_at),
        row.minutes,
        row.seconds,
        len(row.attempts),
        cell(error.code) if error else "",
        cell(error.message) if error else "",
        cell(error.remedy) if error else "",
        cell(error.request_id) if error else "",
        "yes" if row.removed else "no",
        "yes" if row.drifted else "no",
        "yes" if row.held else "no",
        *[cell(row.labels.get(label)) for label in labels],
    ]
