"""Makes a release in dist/, and tries each part of it as its user would: `make release`. Publishes nothing.

What is built is the commit, not the folder: twice, in folders of their own, and both have to be the same to
the byte. It runs in an environment of its own (requirements/release.txt) and needs no package of the program.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.changelog import released
from tests.sbom import addresses, canonical, completed

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
NEEDED = (
    "migrator/py.typed",
    "migrator/data/os-versions.json",
    "migrator/data/demo.toml",
    "migrator/reports/formats/report.schema.json",
    "migrator/reports/formats/html/report.html.j2",
    "migrator/reports/formats/html/plotly.min.js",
    "migrator/reports/formats/html/plotly.packed",
    "migrator/reports/formats/html/compiled.py",
    "migrator/serving/site/base.html.j2",
)
"""Files that a wheel has to bring besides its modules, one of each kind."""

COMPILED = """
from migrator.reports.formats import as_html, page_template
template = as_html._assets().template
assert template.root_render_func.__module__ == page_template.MODULE, "each run compiles the page's template"
"""
"""That a run of the wheel, with what run.txt pins, takes the template that its build compiled."""

NOBODY = 10001
"""The user of the container file."""

CONTAINED = r"""
reports=$1 user=$2 bin=$3 python=$4 closed=$5 commands=$6
mount --make-rprivate /
if [ -n "$closed" ]; then
    mount --bind "$python" /mnt
    mount -t tmpfs -o mode=0755 tmpfs "$closed"
    mkdir -p "$python"
    mount --move /mnt "$python"
fi
mount -t tmpfs -o mode=0755 tmpfs "$reports"
chown "$user:$user" "$reports"
mount -o remount,bind,ro /
cd "$reports"
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all \
    env -i PATH="$bin:/usr/bin:/bin" MIGRATOR_REPORTS_DIR="$reports" PYTHONDONTWRITEBYTECODE=1 \
    sh -euc "$commands"
"""
"""As the container file has it: nobody, in a tree that cannot be written but for one folder, without a HOME.

All of it in a view of the file system of its own. An interpreter below a folder that is closed to others, as
that of root often is, is shown there at its place.
"""


class Refused(Exception):
    """Why there is no release."""


def run(
    *words: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)
) -> str:
    """What a program said on stdout. Raises Refused with all that it said, if it ended in another way."""
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode not in codes:
        raise Refused(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def git(*words: str) -> str:
    return run("git", *words).strip()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sums(files: dict[str, Path]) -> dict[str, str]:
    return {name: sha256(path) for name, path in files.items()}


@contextmanager
def step(what: str) -> Iterator[None]:
    """One line for each step: what it is, and how long it took."""
    began = time.monotonic()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"ok ({time.monotonic() - began:.0f} s)", flush=True)


# --- Before ---------------------------------------------------------------------------------------------


def version() -> str:
    """The version, where it stands: in `migrator/__init__.py`."""
    found = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "migrator/__init__.py").read_text("utf-8"), re.MULTILINE
    )
    assert found is not None
    return found[1]


def check_commit(number: str, *, rehearsal: bool) -> None:
    """Refuse what could not be made again from git, and a version of which nobody is told."""
    if dirty := git("status", "--porcelain"):
        raise Refused(f"the folder is not what git has:\n{dirty}\ncommit it, or put it away: git stash -u")
    if not released((ROOT / "CHANGELOG.md").read_text("utf-8"), number):
        raise Refused(f"CHANGELOG.md has no heading for it: ## [{number}] - YYYY-MM-DD")
    tagged = git("tag", "--list", f"v{number}") and git("rev-list", "-n1", f"v{number}")
    if tagged and tagged != git("rev-parse", "HEAD") and not rehearsal:
        raise Refused(f"v{number} is {tagged[:7]} already: give migrator/__init__.py another version")


# --- Building -------------------------------------------------------------------------------------------


def build(folder: Path, mask: int) -> dict[str, Path]:
    """Source distribution, and from that the wheel, of the commit; by their names."""
    source, out = folder / "source", folder / "out"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    run("git", "archive", "--output", archive, "HEAD")
    previous = os.umask(mask)
    try:
        run("tar", "-xf", archive, "-C", source)
        env = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, env=env)
    finally:
        os.umask(previous)
    return {path.name: path for path in sorted(out.iterdir())}


def build_twice(folder: Path) -> list[Path]:
    """What is the same both times, in dist/."""
    one, two = build(folder / "one", 0o022), build(folder / "two", 0o077)
    differ = sorted(name for name in one | two if sums(one).get(name) != sums(two).get(name))
    if differ:
        raise Refused(f"built twice, and not the same: {', '.join(differ)}")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    return [Path(shutil.copy2(path, DIST)) for path in one.values()]


# --- Trying ---------------------------------------------------------------------------------------------


def empty_environment(folder: Path) -> Path:
    """A new environment with nothing in it, not even pip; its interpreter."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    return folder / "bin/python"


def install(python: Path, *words: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check", *words)


def clean_env(python: Path) -> dict[str, str]:
    """What a shell has in which nothing was set: no HOME, no PYTHONPATH."""
    return {"PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}


def install_wheel(wheel: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """The wheel over what requirements/run.txt pins; the interpreter, and the hash of each package's file."""
    python = empty_environment(folder)
    report = folder / "report.json"
    install(python, "--no-deps", "--require-hashes", "-r", ROOT / "requirements/run.txt", "--report", report)
    install(python, "--no-deps", wheel)
    run(sys.executable, "-m", "pip", "--python", python, "check")
    read = json.loads(report.read_text("utf-8"))["install"]
    hashes = {
        canonical(one["metadata"]["name"]): one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in read
    }
    return python, hashes


def install_oldest(wheel: Path, folder: Path) -> Path:
    """The wheel with the lowest versions that pyproject.toml allows; the interpreter."""
    python = empty_environment(folder)
    text = (ROOT / "requirements/oldest.txt").read_text("utf-8")
    pins = re.findall(r"^[a-z0-9-]+==\S+", text, re.MULTILINE)
    lowest = folder / "lowest.txt"
    lowest.write_text("".join(f"{pin}\n" for pin in pins))
    install(python, "--constraint", lowest, wheel)
    return python


def try_program(python: Path, folder: Path, number: str) -> None:
    """The commands of somebody who has just installed it, in an empty folder."""
    folder.mkdir()
    env, program = clean_env(python), python.with_name("migrator")
    if (said := run(program, "--version", cwd=folder, env=env)) != f"migrator {number}\n":
        raise Refused(f"--version says {said!r}")
    run(program, "init", "plan.toml", cwd=folder, env=env)
    run(program, "validate", "plan.toml", cwd=folder, env=env)
    run(program, "run", "plan.toml", "--simulate", cwd=folder, env=env)
    run(program, "schema", "report", cwd=folder, env=env)
    (site,) = python.parent.parent.glob("lib/python3.*/site-packages")
    if missing := [name for name in NEEDED if not (site / name).is_file()]:
        raise Refused(f"not installed: {', '.join(missing)}")
    manual = python.parent.parent / "share/man/man1/migrator.1"
    if f'"migrator {number}"' not in manual.read_text("utf-8"):
        raise Refused("migrator(1) is of another version: python -m tests.manual")


def try_demo(python: Path, folder: Path) -> None:
    """The demo to its end, and its reports, with charts in the page."""
    run(python.with_name("migrator"), "demo", cwd=folder, env=clean_env(python))
    (reports,) = (folder / "reports").iterdir()
    check_reports(reports)


def check_reports(reports: Path) -> None:
    for name in ("report.json", "report.csv", "report.xlsx", "report.html", "report.md", "journal.db"):
        if not (reports / name).stat().st_size:
            raise Refused(f"{name} is empty")
    if (reports / "report.html").stat().st_size < 10**6:
        raise Refused("report.html has no script to draw charts with")


def try_contained(python: Path, folder: Path) -> str:
    """The same as the container file has it; why not, where this user or system cannot."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return "left out: needs root, unshare and setpriv"
    reports = folder / "reports-volume"
    reports.mkdir()
    base = Path(sys.base_prefix).resolve()
    closed = [str(parent) for parent in reversed(base.parents) if not parent.stat().st_mode & 0o001]
    commands = (
        'test ! -w /; test ! -w /usr; if touch /var/tmp/x 2>/dev/null; then exit 9; fi; test -z "${HOME:-}";'
        "test $(id -u) != 0; migrator init plan.toml; migrator validate plan.toml;"
        "migrator demo 2>&1 | tail -3;"
        "set -- demo-*; test -s $1/report.html; test -s $1/journal.db"
    )
    words = (reports, NOBODY, python.parent, base, "".join(closed[:1]), commands)
    said = run("unshare", "--mount", "sh", "-euc", CONTAINED, "contained", *map(str, words))
    if "finished" not in said:
        raise Refused(f"the demo did not come to its end:\n{said}")
    return "the demo came to its end"


# --- What is in it --------------------------------------------------------------------------------------


def bill_of_materials(number: str, python: Path, wheel: Path, hashes: dict[str, str]) -> Path:
    """CycloneDX 1.6 of what the environment of the wheel really holds; validated."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    place = DIST / f"migrator-{number}.cdx.json"
    words = (
        "environment",
        python,
        "--pyproject",
        ROOT / "pyproject.toml",
        "--output-reproducible",
        "--sv",
        "1.6",
    )
    env = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    raw = json.loads(run(Path(sys.executable).with_name("cyclonedx-py"), *words, env=env))
    script = next(
        python.parent.parent.glob("lib/*/site-packages/migrator/reports/formats/html/plotly.min.js")
    )
    bom = completed(
        raw,
        version=number,
        wheel=sha256(wheel),
        hashes=hashes,
        script=script.read_text("utf-8"),
        script_hash=sha256(script),
    )
    if found := addresses(bom):
        raise Refused(f"the bill of materials names places of this machine: {found}")
    if unknown := [part["name"] for part in bom["components"] if not part.get("licenses")]:
        raise Refused(f"nobody says what the licence is of {', '.join(unknown)}")
    text = json.dumps(bom, indent=2, ensure_ascii=False) + "\n"
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise Refused(f"the bill of materials is none: {wrong}")
    place.write_text(text, encoding="utf-8")
    return place


def write_sums() -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    files = sorted(path for path in DIST.iterdir() if path.name != "SHA256SUMS")
    (DIST / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in files))


# --- All of it ------------------------------------------------------------------------------------------


def release(folder: Path, *, rehearsal: bool) -> None:
    number = version()
    with step(f"migrator {number}: commit and changelog"):
        check_commit(number, rehearsal=rehearsal)
    with step("the container file, linted (hadolint)"):
        run(Path(sys.executable).with_name("hadolint"), "docs/deploy/Containerfile")
    with step("source distribution and wheel, built twice from the commit, the same"):
        built = build_twice(folder)
        (wheel,) = (path for path in built if path.suffix == ".whl")
        (source,) = (path for path in built if path.suffix == ".gz")
    with step("metadata and description (twine)"):
        run(sys.executable, "-m", "twine", "check", "--strict", *built)
    with step("the wheel in an empty environment, with what run.txt pins"):
        python, hashes = install_wheel(wheel, folder / "wheel")
        try_program(python, folder / "of-wheel", number)
        run(python, "-c", COMPILED, cwd=folder, env=clean_env(python))
    with step("the bill of materials (CycloneDX)"):
        bill_of_materials(number, python, wheel, hashes)
    with step("the source distribution in another, with the newest that it allows"):
        other = empty_environment(folder / "sdist")
        install(other, source)
        try_program(other, folder / "of-sdist", number)
    with step("the wheel in one more, with the lowest that it allows"):
        lowest = install_oldest(wheel, folder / "lowest")
        try_program(lowest, folder / "of-lowest", number)
        try_demo(lowest, folder / "of-lowest")
    with step("the demo from the wheel, in an empty folder"):
        try_demo(python, folder / "of-wheel")
    with step("nobody, a tree that cannot be written, one volume"):
        print(try_contained(python, folder), end=", ")
    write_sums()
    size = sum(path.stat().st_size for path in python.parent.parent.rglob("*") if path.is_file())
    print(f"\n{size / 10**6:.0f} MB installed. In dist/, published nowhere:")
    for path in sorted(DIST.iterdir()):
        print(f"  {path.name}  {path.stat().st_size:,} bytes")
    print(f"Yours to do: git tag -s v{number}; then hand on what is in dist/ (CONTRIBUTING.md, A release).")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument(
        "--rehearsal", action="store_true", help="also where this version was released from another commit"
    )
    rehearsal = parser.parse_args().rehearsal
    with tempfile.TemporaryDirectory(prefix="migrator-release-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # somebody else has to be able to run what is in it
        try:
            release(folder, rehearsal=rehearsal)
        except Refused as error:
            print(f"\nno release: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
