"""One event is one line, nobody's secret is in it, and nothing from outside can forge another."""

import io
import json
import logging
import os
import re
import stat
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.domain.cells import cell_len
from migrator.domain.errors import UsageError
from migrator.domain.secrets import SECRETS
from migrator.io import log
from migrator.io.log.lines import SpokenLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    log.configure(stream=io.StringIO())  # lets go of the log file
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def logged(**settings) -> tuple[structlog.typing.FilteringBoundLogger, io.StringIO]:
    out = settings.pop("stream", None) or io.StringIO()
    log.configure(stream=out, **settings)
    return structlog.get_logger(), out


# --- For a person, for a machine ------------------------------------------------------------------------


def test_a_machine_gets_one_json_object_for_each_event_with_a_utc_time():
    logger, out = logged(fmt="json")
    logger.bind(run="r1", key="north/镜像").info("migration.submitted", attempt=1, wait=None, tags=("a", "b"))

    event = json.loads(out.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("timestamp"))
    assert event == {
        "level": "info",
        "event": "migration.submitted",
        "run": "r1",
        "key": "north/镜像",
        "attempt": 1,
        "wait": None,
        "tags": ["a", "b"],
    }
    assert "镜像" in out.getvalue()


def test_a_person_gets_a_line_to_read():
    logger, out = logged(fmt="console")
    logger.warning(
        "attempt.in_doubt", key="north/web 01", attempt=2, why='said "no"', empty="", more={"a": 1}
    )

    assert re.sub(r"^\S+ ", "", out.getvalue()) == (
        'warning attempt.in_doubt key="north/web 01" attempt=2 why="said \\"no\\"" empty="" more={"a": 1}\n'
    )


@pytest.mark.parametrize(
    ("stream", "settings", "environment", "json_", "colours"),
    [
        pytest.param(Terminal, {}, {}, False, True, id="terminal"),
        pytest.param(io.StringIO, {}, {}, True, False, id="pipe"),
        pytest.param(Terminal, {}, {"NO_COLOR": "1"}, False, False, id="NO_COLOR"),
        pytest.param(Terminal, {}, {"NO_COLOR": ""}, False, True, id="NO_COLOR empty does not count"),
        pytest.param(Terminal, {}, {"TERM": "dumb"}, False, False, id="dumb terminal"),
        pytest.param(Terminal, {"color": "always"}, {"NO_COLOR": "1"}, False, True, id="asked for"),
        pytest.param(Terminal, {"color": "never"}, {}, False, False, id="never"),
        pytest.param(Terminal, {"fmt": "json"}, {}, True, False, id="json on a terminal"),
        pytest.param(io.StringIO, {"fmt": "console"}, {}, False, False, id="console in a pipe"),
        pytest.param(
            io.StringIO, {"fmt": "console", "color": "always"}, {}, False, True, id="colours in a pipe"
        ),
    ],
)
def test_the_form_follows_the_stream_unless_somebody_chose(
    stream, settings, environment, json_, colours, monkeypatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    logger, out = logged(stream=stream(), **settings)
    logger.info("run.began")

    assert out.getvalue().startswith("{") is json_
    assert ("\x1b[" in out.getvalue()) is colours


def test_events_below_the_level_cost_nothing_and_show_nothing():
    class Expensive:
        def __str__(self) -> str:
            raise AssertionError("nobody asked")

    for level in log.LEVELS:
        logger, out = logged(level=level, fmt="json")
        for name, number in log.LEVELS.items():
            getattr(logger, name)("event", value=Expensive() if number < log.LEVELS[level] else 1)
        shown = [json.loads(line)["level"] for line in out.getvalue().splitlines()]
        assert shown == [name for name, number in log.LEVELS.items() if number >= log.LEVELS[level]]


def test_stderr_is_looked_up_anew_for_each_line(monkeypatch):
    """A progress display puts its own stream there, so that logs do not tear it."""
    log.configure("json")
    swapped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", swapped)
    structlog.get_logger().info("run.began")

    assert "run.began" in swapped.getvalue()


def test_what_the_standard_librarys_loggers_say_goes_the_same_way():
    _, out = logged(fmt="json", level="warning")
    logging.getLogger("asyncio").error("Task %s was destroyed, X-Auth-Token: %s", "t1", "abcdef")
    logging.getLogger("asyncio").info("too quiet")
    try:
        raise RuntimeError("password=hunter2")
    except RuntimeError:
        logging.getLogger("aiohttp").exception("oh")

    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["logger"]) == ("Task t1 was destroyed, X-Auth-Token: ***", "asyncio")
    assert "RuntimeError: password=***" in second["exception"]


# --- Secrets --------------------------------------------------------------------------------------------

SECRET = "kX9fQ2Lm7Rt4Vb8Zs1Wd"
HEX = "4ac9e5d0" * 8
BASE64 = "bWlncmF0b3IgaXMgYSBwcm9ncmFt="


@pytest.mark.parametrize("fmt", ["json", "console"])
@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "X-Auth-Token",
        "x_subject_token",
        "X-Security-Token",
        "securitytoken",
        "token",
        "password",
        "passwd",
        "adminPass" + "word",
        "secret",
        "secret_key",
        "SecretAccessKey",
        "client-secret",
        "sk",
        "SK",
        "HW_SK",
        "signature",
        "Set-Cookie",
        "api_key",
        "apikey",
    ],
)
def test_a_value_under_a_secret_name_is_masked_at_any_depth(name, fmt):
    logger, out = logged(fmt=fmt)
    logger.info("e", **{name: SECRET})
    logger.info("e", headers={"Host": "h", name: SECRET}, deep=[{"a": ({name: {"b": SECRET}},)}])

    assert SECRET not in out.getvalue()
    assert "***" in out.getvalue()


@pytest.mark.parametrize("fmt", ["json", "console"])
@pytest.mark.parametrize(
    "text",
    [
        f"SDK-HMAC-SHA256 Access={SECRET}, SignedHeaders=host;x-sdk-date, Signature={HEX}",
        f"Authorization: SDK-HMAC-SHA256 Access={SECRET}, SignedHeaders=host, Signature={HEX}",
        f"Authorization: OBS {SECRET}:{BASE64}",
        f"{{'Authorization': 'OBS AK:{BASE64}', 'Host': 'h'}}",
        f"x-auth-token: {SECRET}",
        f"{{'X-Auth-Token': '{SECRET}'}}",
        f'{{"auth": {{"password": "{SECRET} with spaces {SECRET}"}}}}',
        f'"{{\\"secret\\": \\"{SECRET} {SECRET}\\"}}"',
        f"securitytoken={SECRET}&x=1",
        f"https://b.example.com/k?AccessKeyId=AK&Signature={BASE64}",
        f"proxy http://someone:{SECRET}@10.0.0.1:3128 refused",
        f"Bearer {SECRET}",
        f"Authorization: Basic {BASE64}",
        "MII" + SECRET * 10,
    ],
)
def test_a_secret_is_known_by_its_form_wherever_it_stands(text, fmt):
    class Odd:
        def __str__(self) -> str:
            return str(text)

    logger, out = logged(fmt=fmt)
    logger.info(text)
    logger.info("e", reason=text, inner=[text], odd=Odd())
    try:
        raise ValueError(text)
    except ValueError as error:
        logger.exception("e", error=error)

    for secret in (SECRET, HEX, BASE64):
        assert secret not in out.getvalue()


def test_secret_values_of_pydantic_are_masked_whatever_their_name():
    logger, out = logged(fmt="json")
    logger.info("e", value=SecretStr(SECRET), values={"a": SecretStr(SECRET)})

    assert SECRET not in out.getvalue()
    assert json.loads(out.getvalue())["values"] == {"a": "***"}


@pytest.mark.parametrize(
    "text",
    [
        "IMG.0057: the object mig-bucket:images/web-01.zvhd2 does not exist",
        "no token was found",
        "https://ims.cn-north-4.myhuaweicloud.com/v2/cloudimages?name=web%2001",
        "the signature does not match",
        "ff8080814dbd65d7014dbe0d84db0013",
        "target north: 3 of 40 jobs",
    ],
)
def test_ordinary_words_stay_as_they_are(text):
    logger, out = logged(fmt="json")
    logger.info("e", reason=text, key="north/web-01", ak_name="x", credentials="env:HW", task="t", ask="k")

    event = json.loads(out.getvalue())
    assert event["reason"] == text
    assert "***" not in out.getvalue()


# --- Forged lines ---------------------------------------------------------------------------------------

NASTY = "a\nb\r\x1b[2J\x1b]0;t\x07\x00\x7f\x9b31m\u2028\u2029\u202eevil\u2066\ufeff\ud800\u061c"


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_control_characters_and_turned_text_never_reach_the_line(fmt):
    logger, out = logged(fmt=fmt, color="never")
    logger.info(NASTY, **{NASTY: NASTY}, nested={NASTY: [NASTY]})

    assert out.getvalue().count("\n") == 1
    assert len(out.getvalue().splitlines()) == 1
    assert not set(out.getvalue()[:-1]) & set(NASTY.replace("a", "").replace("b", "")) - set("[]evil2J0;t31m")


def test_a_json_line_gives_back_exactly_what_was_said():
    logger, out = logged(fmt="json")
    logger.info(NASTY, value=NASTY)

    event = json.loads(out.getvalue())
    assert (event["event"], event["value"]) == (NASTY, NASTY)


def test_the_lines_of_a_trace_cannot_be_taken_for_events():
    logger, out = logged(fmt="console", color="never")
    try:
        raise ValueError("x\n2026-01-01T00:00:00Z info    migration.succeeded key=forged\x1b[1A")
    except ValueError:
        logger.exception("boom")

    first, *rest = out.getvalue().splitlines()
    assert first.endswith("error   boom")
    assert all(line.startswith("    | ") for line in rest)
    assert "\x1b" not in out.getvalue()


AWKWARD = [
    *(
        "self",
        "event",
        "level",
        "timestamp",
        "exception",
        "exc_info",
        "stack_info",
        "logger",
        "method",
        "name",
    ),
    *(
        "name",
        "method_name",
        "event_kw",
        "_logger",
        "args",
        "kwargs",
        "context",
        "message",
        "text",
        "cls",
        "",
    ),
]
"""Names that a method, a processor or the line itself might take for its own."""

VALUES = st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary(), st.lists)
CONTEXTS = st.dictionaries(st.sampled_from(AWKWARD) | st.text(max_size=8), VALUES, max_size=4)


def everything_awkward(value: object) -> dict[str, object]:
    return dict.fromkeys(AWKWARD, value)


@given(CONTEXTS)
@example({"self": 1})
@example({"event": "another", "event_": 1, "event__": 2})
@example({"exc_info": "text"})
@example({"exc_info": ["a", None, 1]})
@example(everything_awkward("text"))
@example(everything_awkward(True))
def test_whatever_is_logged_is_one_line_of_valid_json_and_one_line_for_a_person(values):
    for fmt in ("json", "console"):
        logger, out = logged(fmt=fmt, color="never")
        logger.info("e", **values)
        assert len(out.getvalue().splitlines()) == 1
        assert not {unicodedata.category(mark) for mark in out.getvalue()[:-1]} & {"Cc", "Cs", "Zl", "Zp"}
        if fmt == "json":
            json.loads(out.getvalue(), parse_constant=pytest.fail)


def said_by(logger, way: str, values: dict[str, object]) -> None:
    """Say "the message" with `values` beside it."""
    match way:
        case "bound":
            logger.bind().bind(**values).info("the message")
        case "anew":
            logger.bind(old="gone").new(**values).info("the message")
        case "for all of a task":
            with structlog.contextvars.bound_contextvars(**values):
                logger.info("the message")
        case "log":
            logger.log(20, "the message", **values)
        case _:
            getattr(logger, way)("the message", **values)


WAYS = ("debug", "info", "warning", "error", "critical", "log", "bound", "anew", "for all of a task")


@given(CONTEXTS, st.sampled_from(WAYS))
@example({"self": 1}, "bound")
@example({"self": 1}, "anew")
@example({"level": 1, "level_": 2}, "for all of a task")
@example(everything_awkward("text"), "error")
@example(everything_awkward("text"), "bound")
@example(everything_awkward("text"), "for all of a task")
def test_no_name_of_what_is_logged_takes_the_place_of_the_message_and_nothing_is_lost(values, way):
    logger, out = logged(fmt="json", level="debug")
    said_by(logger, way, values)

    event = json.loads(out.getvalue())
    assert event["event"] == "the message"
    assert event["level"] == (way if way in ("debug", "warning", "error", "critical") else "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", event["timestamp"])
    instructions = sum(name == "exc_info" and value in (None, True, False) for name, value in values.items())
    assert len(event) - ("exception" in event) == 3 + len(values) - instructions


def test_a_name_that_the_line_needs_gets_an_underscore():
    logger, out = logged(fmt="json")
    names = {"event": "a", "event_": "b", "level": "c", "timestamp": "d", "exception": "f", "exc_info": "g"}
    logger.info("e", self="h", **names)

    event = json.loads(out.getvalue())
    del event["timestamp"]
    assert event == {
        "event": "e",
        "level": "info",
        "event__": "a",
        "event_": "b",
        "level_": "c",
        "timestamp_": "d",
        "exception_": "f",
        "exc_info_": "g",
        "self": "h",
    }


@pytest.mark.parametrize("way", ["debug", "info", "log", "bound"])
def test_names_cost_nothing_below_the_level_either(way):
    logger, out = logged(level="error")
    said_by(logger, way, everything_awkward("text"))

    assert out.getvalue() == ""


def test_an_error_may_be_given_in_every_form_of_the_standard_library():
    try:
        raise RuntimeError("boom")
    except RuntimeError as error:
        for given_as in (True, error, sys.exc_info()):
            logger, out = logged(fmt="json")
            logger.error("e", exc_info=given_as)
            assert "RuntimeError: boom" in json.loads(out.getvalue())["exception"]
        logger, out = logged(fmt="json")
        logger.exception("e", self=1)
        assert "RuntimeError: boom" in json.loads(out.getvalue())["exception"]


@pytest.mark.parametrize("exc_info", [None, (None, None, None), True, "text", ("a", "b", "c")])
def test_a_record_of_the_standard_library_is_never_lost_over_its_error(exc_info):
    _, out = logged(fmt="json")
    record = logging.LogRecord("aiohttp", logging.ERROR, "x.py", 1, "50% of %s", ("it", "self"), None)
    record.exc_info = exc_info
    bridge = logging.getLogger().handlers[-1]  # not the others: pytest's raise what they cannot format
    bridge.handle(record)

    event = json.loads(out.getvalue())
    assert (event["event"], event["logger"]) == ("50% of %s", "aiohttp")


def test_a_value_that_cannot_be_shown_does_not_stop_the_run():
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("broken")

    logger, out = logged(fmt="json")
    logger.info("e", value=Broken())

    assert "Broken that cannot be shown" in out.getvalue()


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "part",
    [
        "token",
        "token ",
        "://",
        "://a:",
        "://a:b",
        "MII",
        "-MII",
        "OBS a",
        "OBS ",
        'token="',
        "token:\\",
        "Bearer ",
    ],
)
def test_a_long_hostile_text_is_searched_in_no_time(part):
    assert log.mask_text(part * 20_000)


# --- Where it goes --------------------------------------------------------------------------------------


def test_a_log_file_is_appended_to_and_new_ones_are_for_their_owner_only(tmp_path):
    path = tmp_path / "run.log"
    for number in range(2):
        logger, out = logged(fmt="auto", stream=Terminal(), log_file=path)
        logger.info("run.began", number=number)
        assert "run began" in out.getvalue()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [0, 1]


def test_a_log_file_may_be_for_a_person_too_and_is_never_coloured(tmp_path):
    logger, out = logged(fmt="console", color="always", log_file=tmp_path / "run.log")
    logger.info("run.began", key="a")

    assert "\x1b" in out.getvalue()
    assert (tmp_path / "run.log").read_text().endswith("info    run.began key=a\n")


def test_a_log_file_that_cannot_be_opened_is_a_clear_error(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "run.log", tmp_path / "a\0b"):
        with pytest.raises(UsageError, match="log file") as caught:
            log.configure(stream=io.StringIO(), log_file=path)
        assert "--log-file" in caught.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_log_file_is_said_once_and_stops_nothing(tmp_path):
    link = tmp_path / "run.log"
    link.symlink_to("/dev/full")
    logger, out = logged(fmt="json", log_file=link)
    for number in range(3):
        logger.info("e", number=number)

    assert out.getvalue().count("No space left on device") == 1
    assert out.getvalue().count('"event": "e"') == 3


def test_a_reader_that_went_away_stops_nothing():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    logger, _ = logged(fmt="json", stream=Gone())
    logger.info("e")
    closed = io.StringIO()
    logger, _ = logged(fmt="json", stream=closed)
    closed.close()
    logger.info("e")


def test_a_stream_that_knows_no_chinese_gets_escapes():
    raw = io.BytesIO()
    logger, stream = logged(fmt="json", stream=io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    logger.info("e", name="镜像")

    assert b'"name": "\\u955c\\u50cf"' in raw.getvalue()
    stream.detach()


def test_a_logger_bound_before_the_file_was_closed_never_writes_to_who_got_its_number(tmp_path):
    logger, _ = logged(fmt="json", log_file=tmp_path / "run.log")
    bound = logger.bind(key="a")
    log.configure(stream=io.StringIO())
    victim = os.open(tmp_path / "journal.db", os.O_CREAT | os.O_RDWR)  # the lowest free number: the log's
    try:
        bound.info("e")
    finally:
        os.close(victim)

    assert (tmp_path / "journal.db").read_bytes() == b""


def test_importing_it_does_not_load_structlog():
    code = "import sys, migrator.io.log; sys.exit('structlog' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_secret_of_this_process_is_masked_in_any_wording():
    SECRETS.register("AKEXAMPLE0000000TEST")
    logger, out = logged(fmt="json")
    try:
        raise RuntimeError("no AKEXAMPLE0000000TEST")
    except RuntimeError:
        logger.exception(
            "ak AKEXAMPLE0000000TEST not exist", said=["AKEXAMPLE"], more={"x": b"AKEXAMPLE0000000TEST"}
        )

    assert "AKEXAMPL" not in out.getvalue()
    assert out.getvalue().count("***") >= 4


# --- For a person who watches ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param(
            {"event": "migration.failed", "key": "north/app-0009", "reason": "status killed, not active"},
            "failed north/app-0009: status killed, not active",
            id="a failure",
        ),
        pytest.param(
            {"event": "target.halted", "target": "north", "reason": "IMG.0155: no quota", "remedy": "Ask."},
            "stopped submitting to north: IMG.0155: no quota",
            id="without what the view shows beside it",
        ),
        pytest.param(
            {"event": "something.new", "count": 3, "where": "over there"},
            'something.new (count=3 where="over there")',
            id="an event without words of its own",
        ),
        pytest.param(
            {"event": "migration.failed", "key": "north/a\x1b[31mb", "reason": "x\ny"},
            "failed north/a\\u001b[31mb: x\\ny",
            id="names that would be orders",
        ),
    ],
)
def test_a_person_is_told_in_words_and_by_the_clock_here(event, said):
    moment = datetime(2026, 12, 1, 22, 12, tzinfo=UTC)

    line = SpokenLine(width=lambda: 200)({"timestamp": moment.isoformat(), "level": "warning", **event})

    assert line == f"{moment.astimezone():%H:%M} {said}"


def test_wide_characters_are_counted_as_the_two_cells_they_take():
    event = {"timestamp": "2026-12-01T22:12:00Z", "event": "migration.failed", "reason": "数据库" * 40}

    lines = SpokenLine(width=lambda: 60)(event).split("\n")

    assert max(map(cell_len, lines)) <= 60
    assert "".join(line.strip() for line in lines[1:]).endswith("数据库" * 30)


def test_a_long_line_is_wrapped_at_words():
    event = {
        "timestamp": "2026-12-01T22:12:00Z",
        "event": "migration.failed",
        "key": "north/web",
        "reason": "so " * 60,
    }

    lines = SpokenLine(width=lambda: 60)(event).split("\n")

    assert max(map(len, lines)) <= 60
    assert all(line.startswith("      so") for line in lines[1:])
