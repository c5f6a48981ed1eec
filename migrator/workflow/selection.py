"""Which images are selected: the small language of `--only`.

    name ~ "web-*" and label.owner == li.wei and not (status == succeeded or wave == pilot)

    what      name  key  target  wave  machine  type  os  status  label.NAME
    compare   ==  !=  ~      the last with * for any characters, ? for one, [abc] for one of these
    combine   and  or  not  ( )      not binds closest, then and, then or

A value with spaces or signs in it stands in quotes, "..." or '...'; so does a label's name. Capitals count.
What an image does not have is empty: label.owner == "" finds those without one. `os` is the operating system
of a system disk ("CentOS 7.6 64bit") and the family of a data disk ("Linux"); `machine` is label.machine.
"""

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migrator.domain.errors import UsageError
from migrator.domain.image import Image, ImageType
from migrator.domain.text import did_you_mean, escaped, shown
from migrator.workflow.states import Phase, State

Selector = Callable[[Image, State], bool]
"""Whether an image is selected."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A selector, and what it was made of."""

    expression: str
    matches: Selector
    asked: tuple[tuple[str, "_Getter"], ...]
    """What its comparisons ask for, with its getter."""

    def __call__(self, image: Image, state: State) -> bool:
        return self.matches(image, state)

    def check(self, images: Sequence[Image]) -> None:
        """Raise UsageError where no image can match, whatever becomes of it."""
        states = [State(key="", phase=phase) for phase in Phase]
        if any(self.matches(image, state) for image in images for state in states):
            return
        there = []
        for what, get in dict(self.asked).items():
            if what in CHOICES:
                continue
            values = sorted({get(image, states[0]) for image in images})
            some = ", ".join(shown(value) for value in values[:_NAMED])
            more = f" and {len(values) - _NAMED:,} more" if len(values) > _NAMED else ""
            there.append(f"{what} is {some}{more}")
        hint = f"In this plan {'; '.join(there)}." if there else ""
        raise UsageError(f"no image of the plan can match {shown(self.expression)}", hint=hint)


_Getter = Callable[[Image, State], str]

FIELDS: dict[str, _Getter] = {
    "name": lambda image, _: image.name,
    "key": lambda image, _: image.key,
    "target": lambda image, _: image.target,
    "wave": lambda image, _: image.wave or "",
    "machine": lambda image, _: image.machine,
    "type": lambda image, _: image.type.value,
    "os": lambda image, _: image.os_version or image.os_type or "",
    "status": lambda _, state: state.phase.value,
}
"""What can be asked about an image, beside its labels."""

CHOICES = {"status": [phase.value for phase in Phase], "type": [kind.value for kind in ImageType]}
"""Values that there are, where there are no others."""

HINT = (
    "Ask for name, key, target, wave, machine, type, os, status or label.NAME, with ==, != or ~ (* and ? "
    "stand for anything), and combine with and, or, not and parentheses."
)

_NAMED = 10
"""Values that are named where none matched."""

_LONGEST = 10_000
_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<sign>[()])
      | (?P<operator>==|!=|~)
      | (?P<label>labels?\.(?:"[^"]*"|'[^']*'|[^\s()"'=!~]+))
      | (?P<quoted>"[^"]*"|'[^']*')
      | (?P<word>[^\s()"'=!~]+)
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int
    """0 is the first."""


def selector(expression: str) -> Selection:
    """The selector that an expression describes. Raises UsageError, which points at the column at fault."""
    if len(expression) > _LONGEST:
        raise UsageError(f"the expression has more than {_LONGEST} characters", hint=HINT)
    parser = _Parser(expression)
    return Selection(expression, parser.selector(), tuple(parser.asked))


class _Parser:
    """Reads an expression from left to right, one method for each level of binding."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._depth = 0
        self._tokens = self._split()
        self._next = 0
        self.asked: list[tuple[str, _Getter]] = []
        """What was asked for so far."""

    def selector(self) -> Selector:
        found = self._or_expression()
        if self._token.kind != "end":
            raise self._wrong(
                self._token, f"{self._current()} does not belong here", "join two conditions by and, or or"
            )
        return found

    def _or_expression(self) -> Selector:
        found = [self._and_expression()]
        while self._skip("or"):
            found.append(self._and_expression())
        return found[0] if len(found) == 1 else lambda image, state: any(one(image, state) for one in found)

    def _and_expression(self) -> Selector:
        found = [self._condition()]
        while self._skip("and"):
            found.append(self._condition())
        return found[0] if len(found) == 1 else lambda image, state: all(one(image, state) for one in found)

    def _condition(self) -> Selector:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(self._token, "there are too many conditions inside each other")
        if self._skip("not"):
            inner = self._condition()
            found: Selector = lambda image, state: not inner(image, state)  # noqa: E731
        elif self._token.text == "(" and self._token.kind == "sign":
            opening = self._take()
            found = self._or_expression()
            if self._token.text != ")" or self._token.kind != "sign":
                if self._token.kind == "end":
                    raise self._wrong(opening, "this parenthesis is not closed")
                raise self._wrong(
                    self._token,
                    f"{self._current()} does not belong here",
                    "join two conditions by and, or or",
                )
            self._take()
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Selector:
        what = self._take()
        get = self._getter(what)
        self.asked.append((what.text, get))
        operator = self._take()
        if operator.kind != "operator":
            said = "" if operator.kind == "end" else f", not {shown(operator.text)}"
            raise self._wrong(operator, f"after {shown(what.text)} comes ==, != or ~{said}")
        value = self._take()
        if value.kind not in ("word", "quoted", "label"):
            raise self._wrong(
                value, f"after {operator.text} comes a value", "put it in quotes if it has signs in it"
            )
        text = value.text[1:-1] if value.kind == "quoted" else value.text
        if operator.text == "~":
            matches = re.compile(fnmatch.translate(text)).match
            return lambda image, state: matches(get(image, state)) is not None
        choices = CHOICES.get(what.text)
        if choices is not None and text not in choices:
            remedy = did_you_mean(text, choices) or f"there are {', '.join(choices)}"
            raise self._wrong(value, f"{shown(text)} is no {what.text}", remedy)
        if operator.text == "==":
            return lambda image, state: get(image, state) == text
        return lambda image, state: get(image, state) != text

    def _getter(self, what: _Token) -> _Getter:
        if what.kind == "label":
            name = what.text.partition(".")[2]
            label = name[1:-1] if name[0] in "\"'" else name
            return lambda image, _: image.labels.get(label, "")
        if what.kind == "end":
            raise self._wrong(what, "here a condition is missing", 'such as name~"web-*"')
        if what.kind != "word" or what.text not in FIELDS:
            remedy = (
                did_you_mean(what.text, [*FIELDS, "label.NAME"])
                or f"ask for {', '.join(FIELDS)} or label.NAME"
            )
            raise self._wrong(what, f"{shown(what.text)} is nothing that an image has", remedy)
        return FIELDS[what.text]

    # --- Tokens ---

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next = min(self._next + 1, len(self._tokens) - 1)  # the end may be taken again and again
        return token

    def _skip(self, word: str) -> bool:
        """Take the next token if it is this word."""
        if self._token.kind == "word" and self._token.text == word:
            self._take()
            return True
        return False

    def _current(self) -> str:
        return shown(self._token.text)

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            found = _TOKEN.match(self._text, at)
            if found is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                sign = self._text[at]
                token = _Token("sign", sign, at)
                if sign in "\"'":
                    raise self._wrong(token, "this quote is not closed")
                remedy = "equal is ==, unequal !=, alike ~" if sign in "=!" else ""
                raise self._wrong(token, f"{shown(sign)} is not understood", remedy)
            kind = found.lastgroup
            assert kind is not None
            tokens.append(_Token(kind, found[kind], found.start(kind)))
            at = found.end()
        return tokens

    def _wrong(self, token: _Token, reason: str, remedy: str = "") -> UsageError:
        before = escaped(self._text[: token.column])
        width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in before)
        said = f"column {token.column + 1}: {reason}" + (f"; {remedy}" if remedy else "")
        return UsageError(f"{said}\n  {escaped(self._text)}\n  {' ' * width}^", hint=HINT)
