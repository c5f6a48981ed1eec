"""The tests on each Python that migrator supports and this machine has: `make test-all`.

Each version gets an environment of its own. A version that is not found is left out, and said to be.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
STARTS = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
"""What an interpreter has to be able to do; a name on the path may be a mere shim that starts nothing."""


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter of this version may be, the likeliest place first."""
    yield sys.executable
    if (found := shutil.which(f"python{version}")) is not None:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
    yield from map(str, sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True))


def interpreter(version: str) -> str | None:
    """An interpreter of this version that starts."""
    for path in candidates(version):
        told = subprocess.run([path, "-c", STARTS], capture_output=True, text=True, check=False)
        if told.returncode == 0 and told.stdout.strip() == version:
            return path
    return None


def main() -> int:
    """Test on each version in turn; 1 if the tests of any failed, or none was found."""
    became: dict[str, str] = {}
    for version in VERSIONS:
        path = interpreter(version)
        if path is None:
            became[version] = "SKIPPED: no interpreter found"
        else:
            words = ["make", "pytest", f"PYTHON={path}", f"VENV=.venv/{version}"]
            code = subprocess.run(words, cwd=ROOT, check=False).returncode
            became[version] = "passed" if code == 0 else "FAILED"
        print(f"Python {version}: {became[version]}", flush=True)
    print("; ".join(f"{version} {how}" for version, how in became.items()))
    return 0 if "passed" in became.values() and "FAILED" not in became.values() else 1


if __name__ == "__main__":
    sys.exit(main())
