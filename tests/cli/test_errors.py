"""What a user will meet: each error says where, what and what to do next, and loses nothing."""

import resource
import signal
import socket
import sqlite3
import time

import pytest
import trustme

from migrator.simulator.settings import Odds
from migrator.simulator.wire import Reply
from migrator.workflow.states import Phase
from tests.cli.conftest import Desk, Result, ended

NO_IMAGES = b'[plan]\nname = "x"\n[targets.north]\nregion = "cn-north-4"\n'
NO_KEYS = {"HUAWEICLOUD_SDK_AK": None, "HUAWEICLOUD_SDK_SK": None}


def is_clear(result: Result, code: int, *texts: str) -> None:
    """The exit code is right, every text is there, what to do comes last, and nobody is shown a traceback."""
    assert result.code == code, result.err
    for text in texts:
        assert text in result.err, result.err
    assert "Traceback" not in result.err
    assert "internal error" not in result.err
    assert result.err.count("\n") <= 12


def continues(it: Desk, path, images: int = 3) -> None:
    """The next run brings it to its end, each image imported once."""
    result = it("run", path)
    assert result.code == 0, result.err
    assert it.phases() == [Phase.SUCCEEDED] * images
    assert it.duplicates == 0


# --- The plan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        pytest.param(None, ["there is no such file", "migrator init"], id="missing"),
        pytest.param(b"", ["empty"], id="empty"),
        pytest.param(b'[plan\nname = "x"\n', ["plan.toml:1"], id="not TOML"),
        pytest.param(
            b'[plan]\nname = "x"\n[targets.north]\nregion = "cn-north-4"\n', ["image"], id="no images"
        ),
        pytest.param(b"\xff\xfe[plan]", ["UTF-8"], id="not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_plan_that_cannot_be_run(desk, command, content, texts):
    it = desk()
    path = it.folder / "plan.toml"
    if content is not None:
        path.write_bytes(content)

    result = it(command, path)

    is_clear(result, 2, "plan.toml", *texts, "nothing was sent")
    assert not it.reports.exists()


def test_a_key_for_again_that_the_plan_does_not_have(desk):
    it = desk()
    path = it.plan(1)

    is_clear(it("run", path, "--again", "north/web-99"), 2, "north/web-99", "TARGET/NAME")
    is_clear(it("run", path, "--again", "web-01", "--dry-run"), 2, "web-01", "TARGET/NAME")
    assert not it.reports.exists()


def test_a_duration_that_is_none(desk):
    it = desk()

    is_clear(it("run", it.plan(1), "--max-duration", "soon"), 2, "--max-duration", "soon", "6h")


# --- Credentials ----------------------------------------------------------------------------------------


def test_no_credentials(desk):
    it = desk()
    it.env = {}

    result = it("run", it.plan(1))

    is_clear(result, 6, "no credentials", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")
    assert not it.reports.exists()


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"HUAWEICLOUD_SDK_SK": "wrong"}, id="wrong key"),
        pytest.param({"HUAWEICLOUD_SDK_AK": "NOSUCHACCESSKEY00000"}, id="unknown key"),
        pytest.param(
            {
                **NO_KEYS,
                "HW_USER_NAME": "simulator",
                "HW_USER_PASSWORD": "wrong",
                "HW_DOMAIN_NAME": "simulator",
            },
            id="wrong password",
        ),
        pytest.param(
            {
                "HUAWEICLOUD_SDK_AK": None,
                "HUAWEICLOUD_SDK_SK": None,
                "HW_AUTH_TOKEN": "stale-token-of-yesterday",
            },
            id="stale token",
        ),
    ],
)
def test_credentials_that_are_not_accepted(desk, env):
    it = desk()
    path = it.plan(3)

    result = it("run", path, "--no-preflight", **env)

    is_clear(result, 6, "target north stopped")
    assert it.phases() == [Phase.PENDING] * 3
    assert "wrong" not in result.err.replace("is wrong", "").replace("are wrong", "")
    assert it.running.simulator.stats.requests.total() <= 3
    continues(it, path)


def test_credentials_that_stop_being_accepted_halt_their_target_only(desk):
    it = desk()
    path = it.plan(
        2,
        target='credentials = "env:NORTH"\n',
        more=it.table("south").replace("region", 'credentials = "env:SOUTH"\nregion')
        + '[[images]]\nname = "db-01"\ntarget = "south"\nobject = "db-01.zvhd2"\n',
    )
    path.write_text(path.read_text().replace('object = "web', 'target = "north"\nobject = "web'))
    good = {"AK": it.env["HUAWEICLOUD_SDK_AK"], "SK": it.env["HUAWEICLOUD_SDK_SK"]}
    login = {"USER_NAME": "simulator", "USER_PASSWORD": "wrong", "DOMAIN_NAME": "simulator"}
    env = {f"NORTH_{name}": value for name, value in login.items()}
    env |= {f"SOUTH_{name}": value for name, value in good.items()}

    result = it("run", path, "--no-preflight", **env)

    is_clear(result, 6, "target north stopped")
    assert it.accepted == {"db-01": 1}
    assert it.phases() == [Phase.PENDING, Phase.PENDING, Phase.SUCCEEDED]


def test_no_permission(desk):
    it = desk(forbidden=frozenset({"import"}))
    path = it.plan(3)

    is_clear(it("run", path), 6, "target north stopped", "APIGW.0302")
    it.change(forbidden=frozenset())
    continues(it, path)


# --- The way to the service -----------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        pytest.param("http://127.0.0.1:PORT", "connection refused", id="nobody listens"),
        pytest.param("https://ims.cn-nroth-4.invalid", "cannot be resolved", id="no such host"),
    ],
)
def test_a_service_that_cannot_be_reached_ends_the_run_soon_and_it_may_be_continued(desk, endpoint, text):
    it = desk()
    endpoint = endpoint.replace("PORT", str(free_port()))
    path = it.plan(3, target=f'project_id = "{"0" * 32}"\nims_endpoint = "{endpoint}"\n')

    began = time.monotonic()
    result = it("run", path, "--no-preflight")

    assert time.monotonic() - began < 10
    is_clear(result, 7, "target north stopped", text, "Check the")
    continues(it, it.plan(3))


def test_an_endpoint_that_is_something_else(desk):
    it = desk()
    answer = it.running.simulator.answer

    def some_web_page(call, now):
        page = Reply(status=200, body=b"<html>Welcome!</html>")
        return page if "cloudimages" in call.path else answer(call, now)

    it.running.simulator.answer = some_web_page
    path = it.plan(3)

    result = it("run", path, "--no-preflight")

    is_clear(result, 7, "Welcome!", "Check ims_endpoint")
    del it.running.simulator.answer
    continues(it, path)


def test_a_certificate_that_nobody_vouches_for(desk, clouds):
    import ssl

    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    it = desk()
    it.running = clouds(tls=context)
    path = it.plan(3)

    result = it("run", path)

    is_clear(result, 7, "its certificate is not trusted", "SSL_CERT_FILE")
    authority.cert_pem.write_to_path(str(it.folder / "ca.pem"))
    it.env["MIGRATOR_CA_FILE"] = str(it.folder / "ca.pem")
    continues(it, path)


def test_a_storm_is_survived(desk):
    odds = Odds(error_before=0.1, error_after=0.1, reset_before=0.05, reset_after=0.05, throttle=0.1)
    it = desk(import_odds=odds, poll_odds=odds, other_odds=odds)

    continues(it, it.plan(10), 10)


# --- The journal and the disk ---------------------------------------------------------------------------


def test_a_journal_that_another_run_holds(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(2)
    child = it.start("run", path)
    it.wait_for_imports(2)

    result = it("run", path)

    is_clear(result, 8, f"process {child.pid} on {socket.gethostname()}", "migrator status")
    child.send_signal(signal.SIGINT)
    assert ended(child).code == 130
    it.finish_jobs()
    continues(it, path, 2)


def test_a_reports_folder_that_cannot_be_made(desk):
    it = desk()
    (it.folder / "file").write_text("in the way")

    result = it("run", it.plan(2), "--reports-dir", it.folder / "file/reports")

    is_clear(result, 1, "file", "Check the folder")
    assert it.accepted == {}


def test_reports_that_cannot_be_written_do_not_hide_how_the_run_ended(desk):
    it = desk()
    path = it.plan(2)
    (it.reports / "dc-east/report.json").mkdir(parents=True)

    result = it("run", path)

    is_clear(result, 1, "all images succeeded", "report.json", "A folder has that name")
    (it.reports / "dc-east/report.json").rmdir()
    assert it("report", path).code == 0


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(desk):
    it = desk()
    path = it.plan(40)

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    result = it.spawn("run", path, before=small_disk)

    is_clear(result, 1, "journal.db", "again")
    assert len(it.accepted) < 40
    continues(it, path, 40)


def test_a_journal_of_a_newer_version(desk):
    it = desk()
    path = it.plan(1)
    it("run", path)
    journal = it.reports / "dc-east/journal.db"
    with sqlite3.connect(journal) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    for command in ("run", "status", "report"):
        is_clear(it(command, path), 2, "journal.db", "version 999", "Upgrade")


@pytest.mark.parametrize("command", ["run", "status", "report", "reconcile"])
def test_a_damaged_journal(desk, command):
    it = desk()
    path = it.plan(1)
    it("run", path)
    journal = it.reports / "dc-east/journal.db"
    content = journal.read_bytes()
    journal.write_bytes(content[:100] + b"\x5a" * (len(content) - 100))

    is_clear(it(command, path), 1, "journal.db", "damaged", "good copy")
    assert sum(it.accepted.values()) == 1


def test_a_log_file_that_cannot_be_opened(desk):
    it = desk()

    is_clear(it("run", it.plan(1), "--log-file", it.folder / "no/such.log"), 2, "such.log", "--log-file")
    assert it.accepted == {}


def test_a_port_that_is_taken(desk):
    it = desk()
    port = it.url.rpartition(":")[2]

    is_clear(it("simulate", "--port", port), 2, port, "--port")


# --- Verbose --------------------------------------------------------------------------------------------


def test_verbose_shows_the_traceback(desk):
    it = desk()

    result = it("run", it.folder / "nowhere.toml", "-v")

    assert result.code == 2
    assert "Traceback" in result.err


def test_with_json_an_error_is_an_object_too(desk):
    it = desk()

    result = it("status", it.plan(1), "--json")

    assert result.objects[0]["exit_code"] == result.code == 2
    assert result.objects[0]["error"]
    assert result.objects[0]["hint"]


def test_a_bug_is_called_one_and_exits_1(desk, monkeypatch):
    it = desk()

    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("migrator.cli.status.summary", broken)
    path = it.plan(1)
    it("run", path)

    result = it("status", path)

    assert result.code == 1
    assert "internal error: ZeroDivisionError: oops" in result.err
    assert "run again with -v" in result.err
    assert "Traceback" not in result.err
