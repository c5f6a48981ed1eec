"""`python -m migrator`."""

import sys


def main() -> None:
    """The program. `--version` alone is answered before anything is imported."""
    if sys.argv[1:] == ["--version"]:
        from migrator import __version__

        print(f"migrator {__version__}")  # noqa: T201 - the answer is data
        return
    from migrator.cli.app import app

    app()


if __name__ == "__main__":
    main()
