"""`migrator reconcile`: what nobody owns is shown, and goes only when somebody said so."""

import os
import pty
import signal
import subprocess

import pytest

from tests.cli.conftest import ended, wait_until


@pytest.fixture
def finished(desk):
    """A desk whose plan is done: web-02 failed and left a wreck behind, the others stand."""
    it = desk(fates={"web-02": "IMG.0057"}, fail_leaves_killed=1.0)
    it.path = it.plan(3)
    assert it("run", it.path).code == 3
    return it


def images(desk) -> dict[str, str]:
    """Name by id, of every image that is in the cloud."""
    now = desk.running.now()
    return {
        record.id: record.name
        for project in desk.running.simulator.projects.values()
        for record in project.records
        if record.status(now) is not None
    }


def second_image_of(desk, name: str) -> str:
    """Let somebody import a done image once more, with the same marker; the new image's id."""
    project = next(iter(desk.running.simulator.projects.values()))
    now = desk.running.now() - 60
    job, _ = project.accept(project.by_name[name][0].asked, 1, now)
    return str(job.record.id)


def test_a_plan_in_good_order_has_nothing_left_over(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)

    result = it("reconcile", path)

    assert (result.code, result.out) == (0, "")
    assert "nothing is left over" in result.err


def test_left_overs_are_listed_with_their_reason_and_stay(finished):
    second = second_image_of(finished, "web-01")
    before = images(finished)

    result = finished("reconcile", finished.path)

    assert result.code == 3
    assert f"left over: north {second} web-01 (active; a second image of north/web-01" in result.out
    assert "web-02 (killed; left by a failed import of north/web-02)" in result.out
    assert len(result.out.splitlines()) == 2
    assert images(finished) == before


def test_an_image_that_somebody_deleted_is_reported_as_gone_with_what_to_do(finished):
    project = next(iter(finished.running.simulator.projects.values()))
    lost = project.by_name["web-01"][0]
    project.delete(lost, finished.running.now())

    result = finished("reconcile", finished.path, "--json")

    assert result.code == 3
    assert {"gone": lost.id, "key": "north/web-01"} in result.objects
    assert "--again 'north/web-01'" in result.err


def test_an_image_that_lost_its_tags_is_not_gone(finished):
    project = next(iter(finished.running.simulator.projects.values()))
    record = project.by_name["web-01"][0]
    for key in list(record.tags):
        project.untag(record, key)

    result = finished("reconcile", finished.path, "--json")

    assert [line for line in result.objects if "gone" in line] == []


def test_deleting_without_a_terminal_needs_yes(finished):
    before = images(finished)

    result = finished("reconcile", finished.path, "--delete")

    assert result.code == 2
    assert "--yes" in result.err
    assert images(finished) == before


def test_yes_deletes_what_is_left_over_and_nothing_else(finished):
    second = second_image_of(finished, "web-03")
    before = images(finished)
    wreck = next(image for image, name in before.items() if name == "web-02")

    result = finished("reconcile", finished.path, "--delete", "--yes")

    assert result.code == 0
    assert f"deleted: north {wreck} web-02" in result.out
    assert f"deleted: north {second} web-03" in result.out
    assert before.keys() - images(finished).keys() == {wreck, second}
    assert finished("reconcile", finished.path).code == 0


def test_a_deletion_that_is_refused_does_not_stop_the_rest(finished):
    second = second_image_of(finished, "web-01")
    simulator = finished.running.simulator
    project = next(iter(simulator.projects.values()))
    wreck = project.by_name["web-02"][0].id
    answer = simulator.answer

    def refuse_one(call, now):
        if call.method == "DELETE" and wreck in call.path:
            simulator.change(simulator.settings.model_copy(update={"forbidden": frozenset({"delete"})}))
            try:
                return answer(call, now)
            finally:
                simulator.change(simulator.settings.model_copy(update={"forbidden": frozenset()}))
        return answer(call, now)

    simulator.answer = refuse_one

    result = finished("reconcile", finished.path, "--delete", "--yes", "--json")

    assert result.code == 3
    assert [line["failed"] for line in result.objects if "failed" in line] == [wreck]
    assert [line["deleted"] for line in result.objects if "deleted" in line] == [second]
    assert wreck in images(finished)


def test_an_image_that_came_into_somebodys_hands_meanwhile_is_kept(finished):
    second = second_image_of(finished, "web-01")
    simulator = finished.running.simulator
    project = next(iter(simulator.projects.values()))
    answer, asked = simulator.answer, []

    def lose_the_marker(call, now):
        if call.method == "GET" and ("id", second) in call.query:
            asked.append(call)
            project.untag(project.by_id[second], "migrator_item")
        return answer(call, now)

    simulator.answer = lose_the_marker

    result = finished("reconcile", finished.path, "--delete", "--yes")

    assert asked
    assert result.code == 3
    assert f"kept: north {second} web-01 (it is not left over any more)" in result.out
    assert second in images(finished)


def test_nothing_is_deleted_while_a_run_goes_on(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(2)
    child = it.start("run", path)
    it.wait_for_imports(2)

    result = it("reconcile", path, "--delete", "--yes")
    listed = it("reconcile", path)

    assert result.code == 8
    assert str(child.pid) in result.err
    assert listed.code == 0
    child.send_signal(signal.SIGINT)
    assert ended(child).code == 130


def test_a_plan_that_never_ran_is_refused_because_nobody_could_tell_whose_is_whose(desk):
    it = desk()

    result = it("reconcile", it.plan(1), "--delete", "--yes")

    assert result.code == 2
    assert "journal" in result.err
    assert not it.reports.exists()


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 2), ("\n", 3, 3)], ids=["yes", "no"])
def test_a_person_at_a_terminal_is_asked_once_with_the_list(finished, answer, code, left):
    ours, theirs = pty.openpty()
    child = finished.start(
        "reconcile", finished.path, "--delete", stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    shown = b""

    def asked() -> bool:
        nonlocal shown
        shown += os.read(ours, 4096)
        return b"[y/N]" in shown

    wait_until(asked)
    os.write(ours, answer.encode())
    done = ended(child)
    os.close(ours)

    assert b"Delete this image for good?" in shown
    assert done.code == code
    assert done.out.startswith("left over: north ")
    assert len(images(finished)) == left
