"""Error bodies of every shape, waiting times of every spelling, and one replay at most."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from migrator.domain.cloud import Fault, RateHint
from migrator.domain.errors import (
    CloudError,
    CredentialsError,
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
    Unreachable,
)
from migrator.domain.http import Request, Response
from migrator.domain.secrets import SECRETS
from migrator.ims.answers import (
    document,
    failure,
    identifier,
    moment,
    number,
    optional_text,
    rate_hint,
    read_fault,
    redacted,
    retry_after,
    text,
    text_hint,
    unreadable,
)
from migrator.ims.exchange import ask, exchange
from tests.ims.scripted import CountingSigner, ScriptedHttp, answer

GET = Request(method="GET", url="https://ims.example/v1/cloudimages/quota")
LOST = OutcomeUnknown(Fault(code="MIG.timeout", message="no answer within 60 s"))


@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        pytest.param(
            answer(400, {"error": {"message": "The image name already exists.", "code": "IMG.0009"}}),
            "IMG.0009",
            "The image name already exists.",
            id="image service",
        ),
        pytest.param(
            answer(429, {"error_msg": "threshold", "error_code": "APIGW.0308", "request_id": "1a2b"}),
            "APIGW.0308",
            "threshold",
            id="gateway",
        ),
        pytest.param(
            answer(401, {"error": {"code": 401, "message": "wrong password.", "title": "Unauthorized"}}),
            "",
            "HTTP 401: wrong password.",
            id="identity service, whose code is the status",
        ),
        pytest.param(
            answer(400, {"error": {"code": 1109, "message": "no such user"}}),
            "1109",
            "no such user",
            id="identity service, whose code is a number",
        ),
        pytest.param(answer(403, {"errorCode": "X.1", "errorMsg": "no"}), "X.1", "no", id="another spelling"),
        pytest.param(answer(400, {"code": "X.2", "message": "no"}), "X.2", "no", id="at the top"),
        pytest.param(
            answer(400, {"a": [{"b": {"error_code": "IMG.0001", "error_msg": "deep"}}]}),
            "IMG.0001",
            "deep",
            id="nested",
        ),
        pytest.param(
            answer(
                403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
            ),
            "AccessDenied",
            "No.",
            id="object storage",
        ),
        pytest.param(
            answer(502, b"<html>\r\n<h1>Bad Gateway</h1>\x00</html>"),
            "",
            "HTTP 502: a web page, Bad Gateway",
            id="a proxy's page",
        ),
        pytest.param(answer(503), "", "HTTP 503: Service unavailable.", id="nothing"),
        pytest.param(
            answer(500, b'{"error":' * 5000), "", "HTTP 500: " + '{"error":' * 54 + '{"err…', id="no JSON"
        ),
    ],
)
def test_a_fault_is_found_in_every_shape_of_error_body(response, code, message):
    fault = read_fault(response)

    assert (fault.code, fault.status) == (code, response.status)
    assert fault.message == message[:500] if not message.endswith("…") else fault.message.endswith("…")
    assert fault.remedy


def test_the_request_id_comes_from_the_header_or_else_from_the_body():
    body = {"error_msg": "x", "error_code": "APIGW.0308", "request_id": "from-body"}

    assert read_fault(answer(429, body)).request_id == "from-body"
    assert read_fault(answer(429, body, x_request_id="from-header")).request_id == "from-header"
    assert read_fault(answer(404, x_obs_request_id="from-obs")).request_id == "from-obs"


def test_a_message_is_one_short_line_that_any_file_can_hold():
    body = json.dumps({"error": {"code": "IMG.0061", "message": "a\r\nb\x1b[31m\u202e\ud800" + "x" * 900}})

    message = read_fault(answer(400, body.encode())).message

    assert len(message) == 500
    assert message.startswith("a b [31m ")
    message.encode()


def test_a_report_never_shows_an_access_key_or_what_a_service_repeats_of_our_secrets():
    shown = redacted(
        "Get secretKey failed,ak:AKEXAMPLE0000000TEST,err:ak not exist; signature=abcdef0123456789"
    )

    assert shown == "Get secretKey failed,ak:AKEX…ST,err:ak not exist; signature=…"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "error_code", "error_msg", "request_id"]), inner
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-request-id", "x-apig-ratelimit-api"]), st.text(max_size=40)
)


@given(st.integers(100, 700), HEADERS, BODIES, st.booleans())
def test_whatever_the_answer_it_becomes_one_of_our_errors(status, headers, body, submit):
    error = failure(Response(status=status, headers=headers, body=body), submit=submit)

    assert isinstance(error, CloudError)
    assert submit or not isinstance(error, OutcomeUnknown)
    error.fault.message.encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'{"error":' + b"9" * 50_000 + b"}", id="a huge number"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b"x" * 10_000_000, id="huge"),
    ],
)
def test_a_hostile_body_is_survived(body):
    assert read_fault(answer(500, body)).message.startswith("HTTP 500")
    assert document(body) is None


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(
            answer(400, {"error": {"code": "IMG.0015", "message": ""}}), TargetHaltedError, id="quota"
        ),
        pytest.param(answer(400, {"error": {"code": "IMG.0009", "message": ""}}), NameTaken, id="name"),
        pytest.param(
            answer(400, {"error": {"code": "IMG.0057", "message": ""}}), RejectedError, id="no file"
        ),
        pytest.param(answer(400, {"error": {"code": "IMG.0060", "message": ""}}), RetryableError, id="busy"),
        pytest.param(answer(503), OutcomeUnknown, id="503"),
        pytest.param(answer(403), TargetHaltedError, id="403"),
    ],
)
def test_the_kind_of_error_says_how_certain_we_are(response, kind):
    error = failure(response, submit=True)

    assert type(error) is kind
    assert not isinstance(error, TargetHaltedError) or error.quota == ("IMG.0015" in str(error))


def test_a_throttle_says_how_long_to_wait_in_a_header_or_what_it_allows_in_its_text():
    text_ = "The throttling threshold has been reached: policy user over ratelimit,limit:10,time:1 minute"
    body = {"error_code": "APIGW.0308", "error_msg": text_}

    by_text, by_header = failure(answer(429, body)), failure(answer(429, body, retry_after="3"))

    assert isinstance(by_text, RetryableError)
    assert (by_text.throttled, by_text.retry_after) == (True, None)
    assert by_text.allows == RateHint(limit=10, period=60.0)
    assert isinstance(by_header, RetryableError)
    assert (by_header.throttled, by_header.retry_after) == (True, 3.0)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        pytest.param("120", "", 120.0, id="seconds"),
        pytest.param("0", "", 0.0, id="at once"),
        pytest.param("9" * 400, "", 600.0, id="absurdly long"),
        pytest.param(
            "Wed, 21 Oct 2015 07:28:10 GMT",
            "Wed, 21 Oct 2015 07:28:00 GMT",
            10.0,
            id="a date, by their clock",
        ),
        pytest.param("Wed, 21 Oct 2015 07:00:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0, id="past"),
        pytest.param("Wed, 21 Oct 2015 07:28:10 GMT", "", None, id="a date without a clock"),
        pytest.param("soon", "", None, id="words"),
        pytest.param("-5", "", None, id="negative"),
        pytest.param("٣", "", None, id="digits of another script"),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, date, seconds):
    assert retry_after({"retry-after": value, "date": date}) == seconds


def test_no_header_asks_for_no_waiting():
    assert retry_after({}) is None
    assert rate_hint({}) is None


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        pytest.param(
            "remain:92,limit:100,time:1 minute", RateHint(limit=100, period=60.0, remain=92), id="one"
        ),
        pytest.param(
            "remain:5,limit:10,time:10 second", RateHint(limit=10, period=10.0, remain=5), id="seconds"
        ),
        pytest.param("limit:0,time:1 minute", None, id="a limit of nothing"),
        pytest.param("nonsense", None, id="nonsense"),
    ],
)
def test_a_rate_header_is_read(value, hint):
    assert rate_hint({"x-apig-ratelimit-api": value}) == hint


def test_of_several_rates_the_tightest_counts():
    headers = {
        "x-apig-ratelimit-api": "remain:92,limit:100,time:1 minute",
        "x-apig-ratelimit-user": "remain:3,limit:30,time:1 minute",
    }

    hint = rate_hint(headers)

    assert hint is not None
    assert (hint.limit, hint.period) == (30, 60.0)


def test_the_identity_service_writes_its_rate_in_words():
    assert text_hint("Threshold: 10 times per 60 seconds") == RateHint(limit=10, period=60.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("2025-01-02T03:05:11.204Z", datetime(2025, 1, 2, 3, 5, 11, 204000, UTC), id="current"),
        pytest.param("2025-01-02T03:05:11Z", datetime(2025, 1, 2, 3, 5, 11, 0, UTC), id="without parts"),
        pytest.param("04-Jun-2015 18:11:06:586", datetime(2015, 6, 4, 18, 11, 6, 586000, UTC), id="legacy"),
        pytest.param("2025-01-02 03:05:11", datetime(2025, 1, 2, 3, 5, 11, 0, UTC), id="without a zone"),
        pytest.param("", None, id="not yet"),
        pytest.param("yesterday evening", None, id="words"),
        pytest.param(None, None, id="null"),
        pytest.param(1735787111, None, id="a number"),
    ],
)
def test_both_spellings_of_a_time_are_read_and_others_are_no_error(value, expected):
    assert moment(value) == (expected.timestamp() if expected else None)


@given(st.text(max_size=40) | st.none() | st.integers())
def test_no_text_is_a_time_that_fails(value):
    moment(value)
    text(value).encode()
    assert number(value) is None or isinstance(number(value), float)


# --- Asking ---------------------------------------------------------------------------------------------

EXPIRED = answer(401, {"error_code": "APIGW.0307", "error_msg": "The token must be updated."})


@pytest.mark.anyio
async def test_a_refused_token_is_renewed_and_the_request_replayed_once():
    http, signer = ScriptedHttp(EXPIRED, answer(200, {})), CountingSigner(renewals=5)

    response = await exchange(http, signer, GET)

    assert response.status == 200
    assert [sent.headers["X-Auth-Token"] for sent in http.sent] == ["token-number-1", "token-number-2"]
    assert signer.renewed == http.sent[:1]


@pytest.mark.anyio
async def test_a_request_is_never_replayed_twice():
    http = ScriptedHttp(EXPIRED, EXPIRED)

    response = await exchange(http, CountingSigner(renewals=5), GET)

    assert response.status == 401
    assert len(http.sent) == 2


@pytest.mark.anyio
async def test_without_better_credentials_nothing_is_replayed():
    http = ScriptedHttp(EXPIRED)

    assert (await exchange(http, CountingSigner(), GET)).status == 401
    assert len(http.sent) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("response", "renewals"),
    [
        pytest.param(answer(400, {"error": {"code": "IMG.0087", "message": ""}}), 1, id="token, as a 400"),
        pytest.param(answer(400, {"error_code": "IAM.1108", "error_msg": ""}), 1, id="temporary key expired"),
        pytest.param(answer(403), 0, id="no permission: another token has no more"),
        pytest.param(answer(500), 0, id="a 5xx says nothing about credentials"),
        pytest.param(answer(400, {"error": {"code": "IMG.0057", "message": ""}}), 0, id="no such file"),
    ],
)
async def test_only_what_fresh_credentials_may_cure_asks_for_them(response, renewals):
    signer = CountingSigner(renewals=0)

    await exchange(ScriptedHttp(response), signer, GET)

    assert len(signer.renewed) == renewals


@pytest.mark.anyio
async def test_a_question_without_an_answer_may_be_asked_again_but_a_submission_may_not():
    with pytest.raises(RetryableError):
        await ask(ScriptedHttp(LOST), CountingSigner(), GET)
    with pytest.raises(OutcomeUnknown):
        await exchange(ScriptedHttp(LOST), CountingSigner(), GET)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        pytest.param(LOST, RetryableError, id="the login got no answer"),
        pytest.param(Unreachable(LOST.fault), Unreachable, id="the login never left"),
        pytest.param(CredentialsError("wrong password"), TargetHaltedError, id="the login was refused"),
    ],
)
async def test_a_request_that_could_not_be_signed_never_happened(trouble, kind):
    class Unsigned(CountingSigner):
        async def sign(self, request: Request) -> Request:
            raise trouble

    http = ScriptedHttp()

    with pytest.raises(kind) as caught:
        await exchange(http, Unsigned(), GET)

    assert type(caught.value) is kind
    assert http.sent == []


@pytest.mark.anyio
async def test_a_submission_whose_renewal_failed_was_refused_and_never_happened():
    class Unlucky(CountingSigner):
        async def renew(self, rejected: Request) -> bool:
            raise LOST

    with pytest.raises(RetryableError):
        await exchange(ScriptedHttp(EXPIRED), Unlucky(), GET)


@pytest.mark.anyio
async def test_a_token_that_the_service_repeats_does_not_come_back():
    def echo(request: Request) -> Response:
        return answer(403, f"you sent {request.headers['X-Auth-Token']}".encode())

    response = await exchange(ScriptedHttp(echo), CountingSigner(), GET)

    assert "token-number-1" not in response.body.decode()


# --- Secrets --------------------------------------------------------------------------------------------

ECHO = "AKEXAMPLE0000000TEST"


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(400, {"error": {"code": "IMG.0001", "message": f"bad {ECHO}"}}), id="message"),
        pytest.param(answer(400, {"error": {"code": f"IMG.{ECHO}", "message": "bad"}}), id="code"),
        pytest.param(
            answer(400, {"error_code": "X.1", "error_msg": "bad", "request_id": ECHO}), id="request id"
        ),
        pytest.param(answer(400, b"bad", x_request_id=ECHO), id="request id in a header"),
        pytest.param(
            answer(403, f"<Error><Code>No</Code><Message>{ECHO}</Message></Error>".encode()), id="XML"
        ),
        pytest.param(answer(502, f"<p>{ECHO}</p>".encode()), id="a proxy's page"),
        pytest.param(answer(502, ("x" * 485 + ECHO).encode()), id="where it is cut"),
    ],
)
def test_no_part_of_a_fault_repeats_a_secret(response):
    SECRETS.register(ECHO)

    fault = read_fault(response)

    assert ECHO[:8] not in repr(fault)


def test_neither_does_an_answer_that_cannot_be_used():
    SECRETS.register(ECHO)

    assert str(unreadable(answer(200, {"said": ECHO}), "a job id")).endswith("said: ***")


def test_a_secret_is_no_id_and_no_name():
    SECRETS.register(ECHO)

    assert not identifier(ECHO)
    assert not identifier(f"job-{ECHO}")
    assert identifier("job-1")
    assert optional_text(f"image of {ECHO}") == "image of ***"


def test_a_name_of_the_plan_is_compared_as_it_is_though_the_password_begins_like_it():
    SECRETS.register("web-server-2024!")
    SECRETS.spare(lambda: ["web-server-01", "migrator_plan"])

    assert optional_text("web-server-01") == "web-server-01"


@pytest.mark.anyio
async def test_a_signature_is_not_repeated_by_any_answer():
    class Signing(CountingSigner):
        async def sign(self, request: Request) -> Request:
            return replace(request, headers={"Authorization": "SDK-HMAC-SHA256 Signature=0123456789abcdef"})

    for status in (200, 400):
        response = await exchange(ScriptedHttp(answer(status, b"0123456789abcdef")), Signing(), GET)
        assert b"0123456789" not in response.body


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(
            "ak AKFOREIGN0000000TEST not exist", "ak AKFO…ST not exist", id="as the gateway says it"
        ),
        pytest.param('access key "AKFOREIGN0000000TEST"', 'access key "AKFO…ST"', id="in full"),
        pytest.param("AccessKeyId: AKFOREIGN0000000TEST", "AccessKeyId: AKFO…ST", id="as a name"),
        pytest.param("an access key is missing", "an access key is missing", id="none"),
    ],
)
def test_a_key_of_somebody_else_is_shortened(said, shown):
    assert redacted(said) == shown
