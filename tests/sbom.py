"""What a bill of materials lacks, as `cyclonedx-py` makes it: versions, hashes, what the wheel brings."""

import re
from typing import Any

Document = dict[str, Any]


def completed(
    bom: Document, *, version: str, wheel: str, hashes: dict[str, str], script: str, script_hash: str
) -> Document:
    """The same bill with the program's version and wheel, each package's file, and what the wheel brings.

    `wheel` and the values of `hashes`, by canonical name, are SHA-256 in hex; `script` is plotly.js' text.
    Raises KeyError for a package whose file nobody saw.
    """
    root = bom["metadata"]["component"]
    root |= {"version": version, "purl": f"pkg:pypi/migrator@{version}", "hashes": _sha256(wheel)}
    components = [
        component | {"hashes": _sha256(hashes[canonical(component["name"])])}
        for component in bom["components"]
    ]
    plotly = {
        "type": "library",
        "bom-ref": "plotly.js",
        "name": "plotly.js",
        "version": plotly_version(script),
        "purl": f"pkg:npm/plotly.js@{plotly_version(script)}",
        "description": "Draws the charts of the HTML report; one file of the wheel.",
        "licenses": [{"license": {"id": "MIT", "acknowledgement": "declared"}}],
        "hashes": _sha256(script_hash),
    }
    dependencies = [
        {**entry, "dependsOn": sorted([*entry.get("dependsOn", []), "plotly.js"])}
        if entry["ref"] == root["bom-ref"]
        else entry
        for entry in bom["dependencies"]
    ]
    return {
        **bom,
        "components": [*components, plotly],
        "dependencies": [*dependencies, {"ref": "plotly.js"}],
    }


def canonical(name: str) -> str:
    """How an index spells a name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def plotly_version(script: str) -> str:
    """The version that plotly.js says it is, in its first lines. Raises ValueError where it says none."""
    found = re.search(r"plotly\.js v(\d+\.\d+\.\d+)", script[:300])
    if found is None:
        raise ValueError("plotly.min.js does not begin with its version")
    return found[1]


def addresses(bom: Document) -> list[str]:
    """Addresses of files on this machine, which say where it was made and nothing of what is in it."""
    return re.findall(r"file:[^\s\"']+", repr(bom))


def _sha256(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]
