"""Puts into what is built what each run would make again: the page's script, packed; its template, compiled.

Who installs the program needs neither plotly's Python, some 60 MB, nor what that needs in turn. The script is
taken from the very version that the group `build` in pyproject.toml names, so that the same commit gives the
same wheel; a source distribution has it already, and builds without plotly.

The template is compiled by the Jinja2 that is there; where a release is made, by the pinned one. Where pip
builds by itself, it takes the newest, as for the program itself. A run with another compiles by itself.
"""

import base64
import hashlib
import runpy
import zlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.requirements import Requirement

SCRIPT = "migrator/reports/formats/html/plotly.min.js"
"""Where it lies, not in git. An editable installation writes it there too, since it is read from there."""

PACKED = "migrator/reports/formats/html/plotly.packed"
"""The same as a page holds it: its SHA-256 in base64 on one line, and on the next what zlib makes of it.
Packed here once, it need not be packed by every run."""

COMPILED = "migrator/reports/formats/html/compiled.py"
"""The template as Python."""

COMPILER = "migrator/reports/formats/page_template.py"
"""What compiles it, and knows at a run whether it may be used."""

LICENSE = "migrator/reports/formats/html/plotly.LICENSE.txt"
"""Its licence, which is in git."""


class PageParts(BuildHookInterface[Any]):
    """Before anything is built: the script of the pinned plotly, and the template as Python."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What has to be installed for a build, besides hatchling."""
        return [] if self._is_complete() else [str(self._needed(name)) for name in ("plotly", "jinja2")]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._is_complete():
            return
        self._put_script()
        self._put_template()

    def _put_script(self) -> None:
        script = Path(
            str(self._found("plotly").locate_file("plotly/package_data/plotly.min.js"))
        ).read_bytes()
        place = Path(self.root, SCRIPT)
        if not place.exists() or place.read_bytes() != script:
            place.write_bytes(script)
        packed = base64.b64encode(hashlib.sha256(script).digest()), base64.b64encode(zlib.compress(script, 9))
        Path(self.root, PACKED).write_bytes(b"\n".join(packed) + b"\n")

    def _put_template(self) -> None:
        self._found("jinja2")
        page = runpy.run_path(str(Path(self.root, COMPILER)))
        source = Path(self.root, page["TEMPLATE"]).read_text("utf-8")
        Path(self.root, COMPILED).write_text(page["compiled"](source), "utf-8")

    def _is_complete(self) -> bool:
        """Whether this is an unpacked source distribution, which has all of it."""
        return all(Path(self.root, name).exists() for name in ("PKG-INFO", SCRIPT, PACKED, COMPILED))

    def _found(self, package: str) -> Distribution:
        wanted = self._needed(package)
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            raise SystemExit(f"{wanted} is needed to build migrator; is build isolation off?") from None
        if not wanted.specifier.contains(found.version):
            raise SystemExit(f"{wanted} is needed to build migrator, and {found.version} is installed")
        return found

    def _needed(self, package: str) -> Requirement:
        group = map(Requirement, self.metadata.config["dependency-groups"]["build"])
        return next(requirement for requirement in group if requirement.name == package)
