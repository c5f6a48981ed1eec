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
_RUN = re.compile(rb"[\x80-\xff]+")
_BESIDE = re.compile(rb"([\x00-\x7f]?)([\x80-\xff]+)(?=([\x00-\x7f]?))")
_PAIRS = re.compile(rb"(?:[\xa1-\xa3\xb0-\xf7][\xa1-\xfe])+")
"""GB 2312 without what Chinese text has no use for: the kana of Japanese, Greek and Cyrillic."""

_LONGEST_RUN = 2
"""Letters with accents in a row, in words of languages that Windows-1252 is made for."""

_SYMBOLS = frozenset("°§€–„“”’…«»²³µ\xa0")
"""What stands between words of such texts; no proof by itself."""

_MANY_BYTES = ("gb18030", "gbk", "big5", "shift_jis", "euc-kr")

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
        _contradict(data, named)
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


def _contradict(data: bytes, named: str) -> None:
    """Raise Unreadable where the form of the bytes says UTF-8, and the plan something else.

    Text of one byte a character is never UTF-8 by chance. Of two bytes it may be, when it is short; never
    with characters of three.
    """
    proof = rb"[\xe0-\xf4]" if named in _MANY_BYTES else rb"[\x80-\xff]"
    if named in ("utf-8", "utf-16") or not re.search(proof, data) or _fault(data, "utf-8") is not None:
        return
    line, row = _telling(data)
    read, as_utf8 = (shown(line.decode(one, "replace").strip()[:_SHOWN]) for one in (named, "utf-8"))
    raise Unreadable(
        f"is to be read as {named}, and is UTF-8: {as_utf8}, not {read}", "take encoding out", row=row
    )


def _weighed(data: bytes) -> Decided:
    possible, likely = _is_chinese(data)
    western = _is_western(data) and _fault(data, "windows-1252") is None
    line, row = _telling(data)
    readings = {
        encoding: line.decode(encoding, "replace").strip()[:_SHOWN]
        for encoding in ("gb18030", "windows-1252")
    }
    if likely is western or (western and possible):
        raise Unreadable(
            "is not UTF-8, and what it is its text does not tell: "
            + " or ".join(f"{shown(said)} ({encoding})" for encoding, said in readings.items()),
            'save it as CSV UTF-8, or write encoding = "gb18030", "windows-1252" or another below file',
            row=row,
        )
    encoding = "gb18030" if likely else "windows-1252"
    return Decided(encoding, f"is not UTF-8, and was read as {encoding}: {shown(readings[encoding])}")


def _is_chinese(data: bytes) -> tuple[bool, bool]:
    """(Whether all that is not ASCII may be characters of GB 2312, whether they are used as in Chinese text).

    Korean, Russian and Japanese text can have the same form. But GB 2312 has its common characters in the
    order of their sound and rare ones behind them: Korean text reads as common ones from A to Q, Russian
    as many rare ones, and Japanese has kana.
    """
    late = rare = every = 0
    seen: set[bytes] = set()
    for found in _RUN.finditer(data):
        run = found[0]
        if run in seen:
            continue
        if _PAIRS.fullmatch(run) is None:
            return False, False
        seen.add(run)
        leads = run[::2]
        every += sum(lead >= _FIRST for lead in leads)
        late += sum(_LATE <= lead < _RARE for lead in leads)
        rare += sum(lead >= _RARE for lead in leads)
    return True, every > 0 and late * 8 >= every and rare * 4 <= every


_FIRST, _LATE, _RARE = 0xB0, 0xC9, 0xD8
"""Where GB 2312 begins with characters, with those that sound from R on, and with rare ones."""


def _is_western(data: bytes) -> bool:
    """Whether what is beyond ASCII are letters of words, few in a row and beside plain ones, and symbols."""
    letters = False
    seen: set[tuple[bytes, ...]] = set()
    for found in _BESIDE.finditer(data):
        if (groups := found.groups()) in seen:
            continue
        seen.add(groups)
        run = groups[1].decode("windows-1252", "replace")
        word = [char for char in run if char not in _SYMBOLS]
        if any(unicodedata.category(char) not in ("Lu", "Ll") for char in word) or len(run) > _LONGEST_RUN:
            return False
        beside = any(side.isalpha() for side in (groups[0], groups[2]))
        if word and not beside:
            return False
        letters = letters or bool(word)
    return letters


def _telling(data: bytes) -> tuple[bytes, int]:
    """The first line that is not ASCII, and its row."""
    found = _LINE.search(data)
    if found is None:
        return b"", 1
    return found[0], data.count(b"\n", 0, found.start()) + 1


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
