"""However a secret is written down, and however little of it, it does not come through the door."""

import base64
import html
import json
import random
import string
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from migrator.domain.secrets import LEAST, Secrets

PASSWORD = 'pass-wörd §$%&/()=?"\\ 1'
TOKEN = "MIIDkgYJ" + "KoZIhvcNAQcCoIIDgz+/" * 40
KEY = "AKEXAMPLE0000000TEST"

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded, in small letters": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "a form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON without ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with every character escaped": lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
    "HTML": html.escape,
    "XML by numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 after one byte": lambda text: base64.b64encode(b":" + text.encode()).decode(),
    "Base64 after two bytes": lambda text: base64.b64encode(b"u:" + text.encode()).decode(),
    "Base64 inside a text": lambda text: base64.b64encode(b'{"x":"' + text.encode() + b'"}').decode(),
    "Base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "Base64, percent-encoded": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
}


def door(*secrets: str) -> Secrets:
    known = Secrets()
    known.register(*secrets)
    return known


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", [PASSWORD, TOKEN, KEY], ids=["password", "token", "key"])
def test_a_whole_secret_leaves_nothing_of_itself(secret, way):
    written = WAYS[way](secret)

    shown = door(secret).masked(f"before {written} after")

    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown
    # What stands around it in one Base64 stays, at most eight characters on each side.
    assert len(shown) - len("before  after") <= len("***") + 16
    assert all(written[at : at + 6] not in shown for at in range(8, len(written) - 14))


@pytest.mark.parametrize("text", ["my+pass+word", "name=a my+pass+word", "my+pass word", "my pass word"])
def test_a_space_in_a_form_is_a_plus(text):
    assert "pass" not in door("my pass word").masked(text)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", [PASSWORD, TOKEN, KEY], ids=["password", "token", "key"])
@pytest.mark.parametrize("length", [LEAST, LEAST + 1, LEAST + 2, 15])
def test_so_does_its_beginning(secret, way, length):
    written = WAYS[way](secret[:length])

    shown = door(secret).masked(f"it said {written}")

    assert "***" in shown
    assert written not in shown
    assert len(shown) <= len("it said ***") + 16


def test_less_than_that_is_let_through():
    assert door(KEY).masked("AKEXAMP is not a key") == "AKEXAMP is not a key"


def test_a_short_secret_counts_as_a_whole():
    assert door("hunter2").masked("hunter2, hunter") == "***, hunter"


def test_what_is_too_short_to_be_told_apart_is_let_through():
    assert door("", "abc").masked("abc") == "abc"


def test_several_secrets_in_one_text():
    assert door(KEY, TOKEN).masked(f"{KEY}:{TOKEN} {KEY}") == "***:*** ***"


def test_the_longest_of_those_that_begin_alike_is_taken_out():
    longer = KEY + "-and-more"

    assert door(KEY, longer).masked(f"{longer}!") == "***!"


# --- Our own words --------------------------------------------------------------------------------------


def test_a_name_of_the_plan_that_begins_like_a_secret_stays_as_it_is():
    known = door("web-server-2024!")
    known.spare(lambda: ["north/web-server-01", "web-server-02"])

    assert known.masked("web-server-01 and web-server-02") == "web-server-01 and web-server-02"
    assert known.masked("wrong password web-server-2024!") == "wrong password ***"
    assert known.masked("wrong password web-server-2") == "wrong password ***"


def test_what_the_plan_says_in_full_is_no_secret():
    known = door("web-server-01")
    known.spare(lambda: ["web-server-01.zvhd2"])

    assert known.masked("web-server-01") == "web-server-01"


def test_words_that_come_later_count_as_well():
    known = door("web-server-2024!")
    assert known.masked("web-server-01") == "***01"

    known.spare(lambda: ["web-server-01"])

    assert known.masked("web-server-01") == "web-server-01"


def test_words_are_asked_for_only_where_something_is_found():
    asked = []

    def words() -> Iterable[str]:
        asked.append(1)
        return []

    known = door(KEY)
    known.spare(words)

    known.masked("nothing of the kind")
    assert asked == []
    known.masked(KEY)
    known.masked(KEY)
    assert asked == [1]


# --- Itself ---------------------------------------------------------------------------------------------


def test_it_shows_nothing_of_itself():
    known = door(KEY)

    assert KEY not in repr(known)
    assert KEY not in str(known)


def test_it_remembers_the_latest():
    known = door(*(f"token-number-{number:05}" for number in range(300)))

    assert known.masked("token-number-00299") == "***"
    assert len(known._known) == 256


def test_forgotten_secrets_are_none():
    known = door(KEY)
    known.forget()

    assert known.masked(KEY) == KEY


@given(
    st.text(min_size=LEAST, max_size=40), st.text(max_size=20), st.text(max_size=20), st.sampled_from([*WAYS])
)
def test_any_secret_in_any_place(secret, before, after, way):
    assume(not any(0xD800 <= ord(char) < 0xE000 for char in secret))
    written = WAYS[way](secret)
    assume(written not in before + after)

    shown = door(secret).masked(before + written + after)

    assert "***" in shown
    assert written not in shown


@given(st.text(alphabet=string.printable, max_size=200))
def test_a_text_without_one_stays_as_it_is(text):
    random.seed(0)
    known = door(*("".join(random.choices("\u4e00\u4e01\u4e02", k=20)) for _ in range(3)))

    assert known.masked(text) == text


def test_what_was_spared_can_be_taken_back_and_is_not_kept():
    secrets = Secrets()
    secrets.register("north-secret-word")
    take_back = secrets.spare(lambda: iter(["north-secret-words"]))
    with_words = secrets._words

    take_back()

    assert len(with_words) == 1
    assert secrets._words == ()
    assert "north-secret-word" not in secrets.masked("it is north-secret-word")
