"""What `init` writes: files that are not there yet, and the example with every key."""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from migrator.domain.errors import UsageError


def full_example(plan: Path) -> dict[Path, bytes]:
    """The example with every key there is, as `plan`, and the list that it reads beside it."""
    data = resources.files("migrator").joinpath("data")
    return {
        plan: data.joinpath("full.toml").read_bytes(),
        plan.parent / "full.xlsx": data.joinpath("full.xlsx").read_bytes(),
    }


def write_new(files: Mapping[Path, bytes]) -> None:
    """Write files that are not there yet: all, or none. Raises UsageError."""
    for path in files:
        if os.path.lexists(path):
            raise UsageError(f"{path} is there already", hint="Name another file; nothing was changed.")
    for path, content in files.items():
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}", hint="Name another file."
            ) from None
