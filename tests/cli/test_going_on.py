"""A run that goes on takes its images from the journal while lists are what they were, and says the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from migrator.cli import plan_read
from migrator.plan import parse_whole
from migrator.workflow.events import ImageVerified, RunBegan
from tests.cli.conftest import Desk, Result

ROWS = "".join(f"file-{number:02},file-{number:02}.zvhd2\n" for number in range(1, 5))
WAVES = '[[waves]]\nname = "pilot"\n[[waves]]\nname = "rest"\n'


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans that were read with all their images."""
    found: list[str] = []
    parse = parse_whole

    def counted(data: bytes, *, path: str, **more: Any) -> Any:
        found.append(path)
        return parse(data, path=path, **more)

    monkeypatch.setattr(plan_read, "parse_whole", counted)
    return found


def written(it: Desk, rows: str = ROWS, *, name: str = "dc-east", more: str = "") -> Path:
    """A plan of two images and those of a list."""
    (it.folder / f"{name}.csv").write_text(f"name,object\n{rows}")
    path = it.plan(2, name=name, more=f'{WAVES}[[inventory]]\nfile = "{name}.csv"\n{more}')
    path.write_text(path.read_text().replace("[[images]]", '[[images]]\nwave = "pilot"'))
    return path


def begun(it: Desk, whole: list[str], rows: str = ROWS, **more: Any) -> Path:
    """The same plan, of which one image was imported."""
    path = written(it, rows, **more)
    assert it("run", path, "--limit", "1").code == 7
    whole.clear()
    return path


def done(it: Desk, count: int = 6) -> bool:
    """Whether each image was imported, and once."""
    return len(it.accepted) == count and set(it.accepted.values()) == {1}


def test_a_run_that_goes_on_reads_the_lists_no_more_while_they_are_what_they_were(desk, whole):
    it = desk()
    path = begun(it, whole)

    first, second = it("run", path, "--limit", "2"), it("run", path)

    assert (first.code, second.code, whole) == (7, 0, [])
    assert done(it)
    assert "resuming dc-east: 3 of 6 images to do" in second.err


@pytest.mark.parametrize("options", [(), ("--wave", "rest"), ("--retry-failed", "--limit", "2")])
def test_what_a_run_says_does_not_depend_on_where_its_images_come_from(desk, whole, monkeypatch, options):
    said = {}
    for name in ("known", "unread"):
        it = desk()
        # Worth a second look whatever the images are, and so said each time.
        path = begun(it, whole, name=name, more="[targets.north.limits]\nmax_jobs = 50\n")
        edited = ROWS.replace("file-01.zvhd2", "file-1.zvhd2")
        (it.folder / f"{name}.csv").write_text(f"name,object\n{edited}")
        path.write_text(path.read_text().replace("web-01.zvhd2", "web-1.zvhd2"))
        it("run", path, "--limit", "1")
        whole.clear()
        with monkeypatch.context() as patched:
            if name == "unread":
                patched.setattr(plan_read, "_recorded", lambda path, options: None)
            said[name] = told(it, name, it("run", path, "--json", *options))
        assert bool(whole) is (name == "unread")

    assert said["known"] == said["unread"]
    assert "limits.max_jobs: 50 is more than the 40" in said["known"][1]
    assert "1 image was edited in the plan after import" in said["known"][1]


BY_THE_WAY = ("JobProgressed", "VisibilityLearned")
"""Events that come or not as time passes."""


def told(it: Desk, name: str, result: Result) -> tuple[int, str, list[tuple[str, str]], Any]:
    """Exit code, stderr, events and images of a run, but for its name, what the service chose, and what goes
    by the clock."""

    def plain(text: str) -> str:
        text = text.replace(it.url, "URL").replace(name, "NAME")
        text = re.sub(r"^\d+/\d+ done.*\n", "", text, flags=re.MULTILINE)
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "TIME", text)

    report = json.loads((it.reports / name / "report.json").read_text())
    images = [
        {
            key: value
            for key, value in image.items()
            if not re.search(r"_at$|_id$|seconds|attempts|progress", key)
        }
        for image in report["images"]
    ]
    events = [(line.get("event", ""), line.get("key", "")) for line in result.objects]
    lines = sorted(event for event in events if event[0] not in BY_THE_WAY)
    return result.code, plain(result.err), lines, json.loads(plain(json.dumps(images)))


def edit_list(it: Desk, path: Path) -> None:
    list_ = it.folder / "dc-east.csv"
    list_.write_text(list_.read_text().replace("file-04,", "file-04 ,"))


def edit_plan(it: Desk, path: Path) -> None:
    path.write_text(f"{path.read_text()}# as told\n")


def append(it: Desk, path: Path) -> None:
    list_ = it.folder / "dc-east.csv"
    list_.write_text(f"{list_.read_text()}file-05,file-05.zvhd2\n")


@pytest.mark.parametrize(("change", "images"), [(edit_list, 6), (edit_plan, 6), (append, 7)])
def test_whatever_changed_is_read_and_known_from_then_on(desk, whole, change, images):
    it = desk()
    path = begun(it, whole)

    change(it, path)
    first, then = it("run", path, "--limit", "1"), len(whole)
    second = it("run", path)

    assert (first.code, second.code) == (7, 0)
    assert (then, len(whole)) == (1, 1)
    assert done(it, images)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("__version__", "9.9.9"),
        ("_version", lambda package: f"{package} 9"),
        ("_code", lambda: "patched"),
    ],
)
def test_another_program_reads_the_plan_by_itself(desk, whole, monkeypatch, what, other):
    it = desk()
    path = begun(it, whole)
    monkeypatch.setattr(plan_read, what, other)

    result = it("run", path)

    assert (result.code, len(whole), done(it)) == (0, 1, True)


def test_a_program_is_told_from_another_of_its_version_by_what_reads_plans(tmp_path, monkeypatch):
    for part in ("cli", "plan", "data"):
        (tmp_path / part).mkdir()
    rule, other = tmp_path / "plan" / "rules.py", tmp_path / "cli" / "plan_read.py"
    monkeypatch.setattr(plan_read, "__file__", str(other))

    def code(**texts: str) -> str:
        rule.write_text(texts.get("rule", "as it was"))
        (tmp_path / "data" / "systems.json").write_text(texts.get("data", "{}"))
        other.write_text(texts.get("other", ""))
        plan_read._code.cache_clear()
        return plan_read._code()

    try:
        same, rules, data = code(other="output"), code(rule="patched"), code(data="[]")
        assert code() == same
        assert len({same, rules, data}) == 3
    finally:
        plan_read._code.cache_clear()


def test_a_plan_without_one_of_its_images_is_read(desk, whole):
    it = desk()
    path = begun(it, whole)
    (it.folder / "dc-east.csv").write_text(f"name,object\n{ROWS.splitlines()[0]}\n")

    codes = [it("run", path).code, it("run", path).code]

    assert (codes, len(whole), done(it, 3)) == ([0, 0], 2, True)
    assert it("run", path).err.count("starting") == 0


def test_an_image_that_comes_back_is_no_image_that_left(desk, whole):
    it = desk()
    path = begun(it, whole)
    (it.folder / "dc-east.csv").write_text(f"name,object\n{ROWS.splitlines()[0]}\n")
    it("run", path)
    (it.folder / "dc-east.csv").write_text(f"name,object\n{ROWS}")

    codes = [it("run", path, "--limit", "1").code, it("run", path).code]

    assert (codes, done(it)) == ([7, 0], True)


def test_what_is_worth_a_second_look_about_images_is_said_each_time(desk, whole):
    it = desk()
    path = begun(it, whole, f"{ROWS}twice,file-04.zvhd2\n")

    said = [it("run", path).err for _ in range(2)]

    assert len(whole) == 2
    assert all("is imported twice" in one for one in said)


@pytest.mark.parametrize(
    "options", [("--only", "name~'file-*'"), ("--again", "north/web-01"), ("--dry-run",), ("--simulate",)]
)
def test_options_that_look_at_images_first_have_them_read(desk, whole, options):
    it = desk()
    path = begun(it, whole)

    it("run", path, *options)

    assert len(whole) >= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--only", "name==nobody"), "no image of the plan can match"), (("--wave", "x"), "no such wave")],
)
def test_what_no_image_matches_is_an_error_in_a_run_that_goes_on(desk, whole, options, said):
    it = desk()
    path = begun(it, whole)

    result = it("run", path, *options)

    assert (result.code, said in result.err, len(it.accepted)) == (2, True, 1)


def test_a_journal_that_says_nothing_of_its_images_has_them_compared_and_is_told(desk, whole, monkeypatch):
    it = desk()
    with monkeypatch.context() as before:
        before.setattr("migrator.cli.run_began.provenance", lambda *given: None)
        path = begun(it, whole)

    first, then = it("run", path, "--limit", "1"), len(whole)
    second = it("run", path)

    assert (first.code, second.code, then, len(whole)) == (7, 0, 1, 1)
    began = [event.provenance is not None for event in it.events() if isinstance(event, RunBegan)]
    assert began == [False, True, True]
    assert done(it)


def test_a_list_that_is_gone_is_missed_as_ever(desk, whole):
    it = desk()
    path = begun(it, whole)
    (it.folder / "dc-east.csv").unlink()

    result = it("run", path)

    assert (result.code, "is not there; looked for" in result.err, len(it.accepted)) == (2, True, 1)


@pytest.mark.parametrize("harm", [None, "broken"])
def test_a_journal_that_another_run_changed_meanwhile_has_the_plan_read_after_all(
    desk, whole, monkeypatch, harm
):
    it = desk()
    path = begun(it, whole, more="[targets.north.limits]\nmax_jobs = 50\n")

    def changed(*given: object) -> None:
        if harm:
            (it.folder / "dc-east.csv").write_text("name,object\nfile 01,file-01.vmdk\n")

    monkeypatch.setattr(plan_read, "images_as_planned", changed)
    result = it("run", path)

    assert len(whole) == 1
    assert result.err.count("limits.max_jobs: 50 is more than the 40") == 1
    if harm:
        assert (result.code, "is a vmdk file" in result.err, len(it.accepted)) == (2, True, 1)
    else:
        assert (result.code, done(it)) == (0, True)


def test_the_digests_are_all_that_is_recorded(desk, whole):
    it = desk()
    path = begun(it, whole)
    it("run", path)

    began = [event for event in it.events() if isinstance(event, RunBegan)]

    assert sum(isinstance(event, ImageVerified) for event in it.events()) == 6
    assert [set(event.provenance.__struct_fields__) for event in began if event.provenance] == [
        {"plan", "lists", "images", "events"}
    ] * 2
    assert all(
        re.fullmatch("[0-9a-f]{32}", text)
        for event in began
        if event.provenance
        for text in (event.provenance.plan, event.provenance.lists, event.provenance.images)
    )
