"""Puts the one script of plotly that the HTML report draws with into what is built.

Who installs the program needs neither plotly's Python, some 60 MB, nor what that needs in turn. The script is
taken from the very version that the group `build` in pyproject.toml names, so that the same commit gives the
same wheel; a source distribution has it already, and builds without plotly.
"""

import base64
import hashlib
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.requirements import Requirement

SCRIPT = "migrator/reports/formats/html/plotly.min.js"
"""Where it lies, not in git. An editable installation writes it there too, since it is read from there."""

PACKED = "migrator/reports/formats/html/plotly.packed"
"""The same as a page holds it: its SHA-256 in base64 on one line, and on the next what zlib makes of it.
Packed here once, it need not be packed by every run."""

LICENSE = "migrator/reports/formats/html/plotly.LICENSE.txt"
"""Its licence, which is in git."""


class PlotlyScript(BuildHookInterface[Any]):
    """Before anything is built: the script of the pinned plotly, beside the template that uses it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What has to be installed for a build, besides hatchling."""
        return [] if self._is_complete() else [str(self._plotly())]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._is_complete():
            return
        wanted = self._plotly()
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            raise SystemExit(f"{wanted} is needed to build migrator; is build isolation off?") from None
        if not wanted.specifier.contains(found.version):
            raise SystemExit(f"{wanted} is needed to build migrator, and {found.version} is installed")
        script = Path(str(found.locate_file("plotly/package_data/plotly.min.js"))).read_bytes()
        place = Path(self.root, SCRIPT)
        if not place.exists() or place.read_bytes() != script:
            place.write_bytes(script)
        packed = base64.b64encode(hashlib.sha256(script).digest()), base64.b64encode(zlib.compress(script, 9))
        Path(self.root, PACKED).write_bytes(b"\n".join(packed) + b"\n")

    def _is_complete(self) -> bool:
        """Whether this is an unpacked source distribution, which has the script."""
        return all(Path(self.root, name).exists() for name in ("PKG-INFO", SCRIPT, PACKED))

    def _plotly(self) -> Requirement:
        group = map(Requirement, self.metadata.config["dependency-groups"]["build"])
        return next(requirement for requirement in group if requirement.name == "plotly")
