"""`python -m migrator`."""

import os
import sys


def main() -> None:
    """The program. `--version` alone is answered before anything is imported."""
    _open_what_is_closed()
    if sys.argv[1:] == ["--version"]:
        from migrator import __version__

        print(f"migrator {__version__}")  # noqa: T201 - the answer is data
        return
    from migrator.cli.app import app

    app()


def _open_what_is_closed() -> None:
    """Give the three standard streams a place: libuv aborts when it closes a file that took theirs."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


if __name__ == "__main__":
    main()
