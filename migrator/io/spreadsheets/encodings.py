"""In which encoding a CSV file is written: by its mark, by what the plan says, or by what its text then says.

UTF-8 is told from everything else by its form. GB18030 and Windows-1252 are not: any German text is Chinese
to the one, and any Chinese text accented letters to the other. So both readings are weighed, and where
neither or both make sense, nobody guesses.
"""

import codecs
import re
import unicodedata
from typing import NamedTuple

from migrator.domain.sheets import Unreadable
from migrator.domain.text import did_you_mean, shown

_AT_ONCE = 1024 * 1024
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
NAMES = (
    "utf-8",
    "utf-16",
    "gb18030",
    "gbk",
    "big5",
    "shift_jis",
    "euc-kr",
    *(f"windows-125{number}" for number in range(9)),
    *(f"iso-8859-{number}" for number in (1, 2, 5, 7, 9, 15)),
)
"""What `encoding` may say."""

_LINE = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
_RUN = re.compile(r"[^\x00-\x7f]+")
_LONGEST_RUN = 2
"""Letters with accents in a row, in words of languages that Windows-1252 is made for."""

_SHOWN = 40


class Decided(NamedTuple):
    """An encoding, and how sure that is."""

    encoding: str
    """As Python calls it."""

    guess: str = ""
    """What was taken for granted, in a sentence; empty where the file or the plan says it."""


def decide(data: bytes, named: str | None) -> Decided:
    """How to read `data`; `named` is what the plan says, None for nothing. Raises Unreadable."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            _check(data, encoding)
            return Decided(encoding)
    if named is not None:
        if named not in NAMES:
            remedy = did_you_mean(named, NAMES) or f"the encodings are {', '.join(NAMES)}"
            raise Unreadable(f"is to be read as {shown(named)}, which is no encoding that is known", remedy)
        _check(data, named)
        return Decided(named)
    if (nul := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, nul) + 1
        raise Unreadable("holds a NUL byte, so it is no text", "is it the right file?", row=row)
    if (offset := _fault(data, "utf-8")) is None:
        return Decided("utf-8")
    if not data[:offset].isascii():
        row = data.count(b"\n", 0, offset) + 1
        raise Unreadable(
            "holds bytes that are not UTF-8, as all before them is", "save it as CSV UTF-8", row=row
        )
    return _weighed(data)


def _weighed(data: bytes) -> Decided:
    chinese = _decodes(data, "gb18030") and _is_chinese(data)
    western = _decodes(data, "windows-1252") and _is_western(data)
    line, row = _telling(data)
    readings = {
        encoding: line.decode(encoding, "replace").strip()[:_SHOWN]
        for encoding in ("gb18030", "windows-1252")
    }
    if chinese is western:
        raise Unreadable(
            "is not UTF-8, and what it is its text does not tell: "
            + " or ".join(f"{shown(said)} ({encoding})" for encoding, said in readings.items()),
            'save it as CSV UTF-8, or write encoding = "gb18030", "windows-1252" or another below file',
            row=row,
        )
    encoding = "gb18030" if chinese else "windows-1252"
    return Decided(encoding, f"is not UTF-8, and was read as {encoding}: {shown(readings[encoding])}")


def _is_chinese(data: bytes) -> bool:
    """Whether every character beyond ASCII is two bytes of GB 2312, as nearly all Chinese text is."""
    return re.fullmatch(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*", data) is not None


def _is_western(data: bytes) -> bool:
    """Whether what is beyond ASCII are letters of words: few in a row, and beside plain ones."""
    text = data.decode("windows-1252")
    for run in _RUN.finditer(text):
        letters = all(unicodedata.category(char) in ("Lu", "Ll") for char in run[0])
        beside = text[max(run.start() - 1, 0) : run.start()] + text[run.end() : run.end() + 1]
        if len(run[0]) > _LONGEST_RUN or not letters or not any(char.isalpha() for char in beside):
            return False
    return True


def _telling(data: bytes) -> tuple[bytes, int]:
    """The first line that is not ASCII, and its row."""
    found = _LINE.search(data)
    if found is None:
        return b"", 1
    return found[0], data.count(b"\n", 0, found.start()) + 1


def _decodes(data: bytes, encoding: str) -> bool:
    return _fault(data, encoding) is None


def _check(data: bytes, encoding: str) -> None:
    """Raise Unreadable for bytes that the encoding does not have."""
    if (offset := _fault(data, encoding)) is None:
        return
    row = data.count(b"\n", 0, offset) + 1
    said = encoding.removesuffix("-sig")
    raise Unreadable(f"holds bytes that are not {said}", "save it as CSV UTF-8", row=row)


def _fault(data: bytes, encoding: str) -> int | None:
    """The offset of the first byte that is not text; None where all is. Keeps nothing of it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(data), _AT_ONCE):
        held = len(decoder.getstate()[0])  # the first bytes of a character that the last piece cut
        try:
            decoder.decode(data[start : start + _AT_ONCE], final=start + _AT_ONCE >= len(data))
        except UnicodeDecodeError as error:
            return error.start + start - held
    return None
