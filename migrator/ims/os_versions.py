"""The operating systems that the service is known to take; a hint, never a verdict: its own list decides."""

import json
from functools import cache
from importlib.resources import files


@cache
def known_systems() -> dict[str, str]:
    """Each known `os_version` with its family, "Linux", "Windows" or "Other".

    From migrator/data/os-versions.json, which names its sources (IMS API reference, "Values of Related
    Parameters"). Package data, read once.
    """
    table = json.loads(files("migrator").joinpath("data/os-versions.json").read_text(encoding="utf-8"))
    known = {entry["os_version"]: entry["os_type"] for entry in table["entries"] + table["other_values"]}
    known["Other Linux (64 bit)"] = "Linux"  # official text has it with and without the space
    known.update(dict.fromkeys(table["arm_public_image_names"]["names"], "Linux"))
    return known


def family(os_version: str) -> str:
    """ "Windows" for a Windows, known or not; "Linux" for everything else, which has the milder rules."""
    known = known_systems().get(os_version)
    return "Windows" if known == "Windows" or "windows" in os_version.lower() else "Linux"
