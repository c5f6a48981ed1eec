"""The door for every text from outside: what this process must not repeat is taken out before it is a value.

A service, a gateway or a proxy may repeat anything that it was sent, in any answer and in any wording, so
what is secret is known here by itself and not by the words around it. The rules:

1. A secret is found as it is, percent-encoded, escaped as in JSON or HTML, and in Base64 at any place of a
   longer text.
2. Cut short it counts from LEAST characters on; what is shorter than that counts as a whole, from FEWEST on.
3. What the plan and the program say themselves is no secret: a name that begins like a password is still
   the name by which an image is found again. A prefix that stands in such a word must go on beyond it.

There is one `SECRETS` for the process, because that is what it is about: the secrets that are anywhere in its
memory. Whoever reads one registers it; the readers of answers are plain functions, and one that had to be
handed the secrets could be called without them. It lives in memory only, and shows nothing of itself.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

LEAST = 8
"""Characters of a secret's prefix that are taken for the secret."""

FEWEST = 4
"""Characters of the shortest secret that is looked for."""

MASK = "***"

_MOST = 256
"""Secrets that are remembered; the oldest goes first, an outdated token."""

_BETWEEN = re.compile(r"(?:[\s\x00-\x20\x7f-\x9f\u200b-\u200f\ufeff]|\\[rnt])+")
"""What may part a long secret that was wrapped."""

_LAST = re.compile(r"(?:[\w+/-]|%2[BF])?(?:=|%3D){0,2}", re.ASCII | re.IGNORECASE)
"""The last character of Base64 that depends on what comes next, and the filling."""

Words = Callable[[], Iterable[str]]


@lru_cache(maxsize=1024)
def _spelled(char: str) -> str:
    """A pattern of all the ways in which one character may be written."""
    from html import escape  # two thousand entities, which only a secret needs

    code = ord(char)
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    ways = [f"(?i:{percent})", rf"(?i:\\u{code:04x})", rf"(?i:\\x{code:02x})"]
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        ways.append(rf"(?i:\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x})")
    if char in "\"'\\/":
        ways.append(r"\\" + re.escape(char))
    ways.append(rf"(?i:&#(?:0*{code}|x0*{code:x});)")
    if (named := escape(char)) != char:
        ways.append(re.escape(named))
    if char == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join([*ways, re.escape(char)])})"  # itself last: a "%" begins its own "%25"


@lru_cache(maxsize=1024)
def _one(char: str, base64_: bool) -> re.Pattern[str]:
    return re.compile(_of_base64(char) if base64_ else _spelled(char))


def _of_base64(char: str) -> str:
    """The same for a character of Base64, which has two alphabets."""
    other = {"+": "-", "/": "_"}.get(char)
    return f"(?:{_spelled(char)}|{other})" if other else _spelled(char)


class _Form:
    """One way in which a secret may be written, as its characters."""

    def __init__(self, characters: str, least: int, *, base64_: bool = False) -> None:
        self.characters = characters
        self.base64 = base64_
        self._least = least
        self._enough: int | None = None
        """How many characters betray it, once that was asked for."""

    def prefix(self, *, encoded: bool) -> str:
        """A pattern of its first characters; where nothing is `encoded` a plainer one will do."""
        first = self.characters[: self._least]
        if encoded:
            return "".join(_of_base64(char) if self.base64 else _spelled(char) for char in first)
        if self.base64:
            return "".join({"+": "[+-]", "/": "[/_]"}.get(char) or char for char in first)
        return re.escape(first).replace(r"\ ", "[ +]")  # a form without a "%" has its "+" all the same

    def end(self, text: str, start: int, words: Iterable[Words]) -> int | None:
        """Where it ends in `text`, in which it begins at `start`; None when that is not enough of it."""
        position, count = start, 0
        for char in self.characters:
            found = _one(char, self.base64).match(text, position)
            if found is None and count and (gap := _BETWEEN.match(text, position)):
                found = _one(char, self.base64).match(text, gap.end())
            if found is None:
                break
            position, count = found.end(), count + 1
        if count < self._least or count < self._betraying(words):
            return None
        if self.base64 and count == len(self.characters) and (rest := _LAST.match(text, position)):
            position = rest.end()
        return position

    def _betraying(self, words: Iterable[Words]) -> int:
        if self._enough is None:
            enough = self._least
            for word in (word for source in words for word in source()):
                while enough <= len(self.characters) and self.characters[:enough] in word:
                    enough += 1
            self._enough = enough
        return self._enough

    def reconsider(self) -> None:
        """There are other words now."""
        self._enough = None


def _forms(secret: str) -> Iterator[_Form]:
    yield _Form(secret, min(LEAST, len(secret)))
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):  # bytes of the last group of three, which mix with its first characters
        whole = base64.b64encode(b"\0" * before + raw).decode()
        start, stop = -(-4 * before // 3), 4 * (before + len(raw)) // 3
        enough = 4 * (before + min(LEAST, len(raw))) // 3 - start
        yield _Form(whole[start:stop], enough, base64_=True)


class Secrets:
    """What must not be repeated, and the door that takes it out of a text."""

    def __init__(self) -> None:
        self._words: tuple[Words, ...] = ()
        self._known: dict[str, tuple[_Form, ...]] = {}
        self._forms: tuple[_Form, ...] = ()
        self._plain: re.Pattern[str] | None = None
        self._encoded: re.Pattern[str] | None = None
        self.version = 0
        """Another one whenever `masked` may answer otherwise than before."""

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)})"

    def register(self, *texts: str | None) -> None:
        """From now on each of these is secret; nothing, or what is too short to be told apart, is passed
        over."""
        fresh = {text: None for text in texts if text and len(text) >= FEWEST and text not in self._known}
        if not fresh:
            return
        known = self._known | {text: tuple(_forms(text)) for text in fresh}
        self._known = dict(list(known.items())[-_MOST:])
        forms = tuple(form for one in self._known.values() for form in one)
        plain, encoded = (
            re.compile("|".join(form.prefix(encoded=either) for form in forms)) for either in (False, True)
        )
        self._forms, self._plain, self._encoded = forms, plain, encoded
        self.version += 1

    def spare(self, words: Words) -> Callable[[], None]:
        """What `words` gives, when it is called, is our own to say. It is called only where it matters.

        Returns what takes that back: whoever works on one plan after the other would keep them all.
        """
        self._spared((*self._words, words))
        return lambda: self._spared(tuple(one for one in self._words if one is not words))

    def _spared(self, words: tuple[Words, ...]) -> None:
        self._words = words
        for form in self._forms:
            form.reconsider()
        self.version += 1

    def forget(self) -> None:
        """All of it; for a test that comes after another."""
        self._words, self._known, self._forms, self._plain, self._encoded = (), {}, (), None, None
        self.version += 1

    def masked(self, text: str) -> str:
        """`text` without any secret: each becomes "***"."""
        # Without one of these it holds nothing that is escaped character by character.
        escaped = "%" in text or "\\" in text or "&" in text
        begins = self._encoded if escaped else self._plain
        if begins is None or (found := begins.search(text)) is None:
            return text
        kept, position = [], 0
        start = 0
        while found is not None:
            ends = [form.end(text, found.start(), self._words) for form in self._forms]
            end = max((end for end in ends if end is not None), default=None)
            if end is None:
                start = found.start() + 1
            else:
                kept += [text[position : found.start()], MASK]
                start = position = end
            found = begins.search(text, start)
        return "".join([*kept, text[position:]])


SECRETS = Secrets()
"""Those of this process."""
