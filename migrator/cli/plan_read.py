"""A plan read for a run: whole, or without the images that its journal has from the very same lists."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from migrator import __version__
from migrator.cli.common import Console, run_async
from migrator.cli.journals import journal_of
from migrator.cli.known_texts import own_words
from migrator.cli.options import Options
from migrator.cli.plan_head import plan_head
from migrator.cli.wiring import sheets_beside
from migrator.domain.errors import MigratorError
from migrator.domain.plan import Plan
from migrator.domain.secrets import SECRETS
from migrator.domain.sheets import Unreadable
from migrator.io.files import read_inventory_bytes, read_plan_bytes
from migrator.plan import parse_settings, parse_whole
from migrator.plan.grouping import Grouped, grouped
from migrator.workflow.ledger import Ledger
from migrator.workflow.plan_facts import Provenance
from migrator.workflow.provenance import ListsDigest, Sources, images_as_planned, plan_digest

_READERS = ("pydantic", "pydantic-core", "tomli", "openpyxl", "msgspec")
"""Packages that have a say in what becomes of a plan and its lists."""

_PARTS = ("plan", "ims", "domain", "io", "data")
"""Parts of this program that have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRead:
    """A plan, and how it was read."""

    plan: Plan
    """Without images, where `whole` is there to read them."""

    warnings: Grouped
    sources: Sources | None = None
    """What its images are made of; None where there is something to say of them whenever they are read."""

    whole: "Callable[[], PlanRead] | None" = None
    """Reads all of it; None where that is done."""

    def completed(self, ledger: Ledger, console: Console) -> "PlanRead":
        """The same with its images: those of the ledger where it has them, or else as the lists say.

        Raises PlanError where the lists have changed meanwhile, and are wrong.
        """
        if self.whole is None or self.sources is None:
            return self
        known = images_as_planned(ledger, self.sources)
        if known is None:
            found = self.whole()
            for warning in found.warnings.lines:
                if warning not in self.warnings.lines:
                    console.warn(warning)
        else:
            images, sources = known
            plan = self.plan.model_copy(update={"images": images})
            found = replace(self, plan=plan, sources=sources, whole=None)
        SECRETS.spare(partial(own_words, found.plan))
        return found


def read_whole(path: Path) -> PlanRead:
    """The plan in a file, and what its inventories list. Raises PlanError with every problem."""
    data, lists = read_plan_bytes(str(path)), ListsDigest()
    plan, problems, settled = parse_whole(
        data, path=str(path), open_sheet=sheets_beside(path.parent, lists.add)
    )
    sources = Sources(plan_digest(data, _program()), lists.text()) if settled else None
    return PlanRead(plan=plan, warnings=grouped(problems), sources=sources)


def read_to_go_on(path: Path, options: Options) -> PlanRead:
    """The plan in a file, without its images where the journal has them. Raises PlanError."""
    recorded = _recorded(path, options)
    if recorded is not None and (found := _unchanged(path, recorded)) is not None:
        return found
    return read_whole(path)


def _recorded(path: Path, options: Options) -> Provenance | None:
    """What the images in the plan's journal came from; None where nothing tells."""
    head = plan_head(path)
    if head is None:
        return None
    try:
        return run_async(journal_of(head.name, options).read().came_from)
    except MigratorError:
        return None  # whoever opens the journal says what is wrong with it


def _unchanged(path: Path, recorded: Provenance) -> PlanRead | None:
    """The plan without its images, where it and its lists are as they were recorded."""
    try:
        data = read_plan_bytes(str(path))
        if plan_digest(data, _program()) != recorded.plan:
            return None
        settings = parse_settings(data, path=str(path))
        if _lists_digest(path.parent, settings.lists) != recorded.lists:
            return None
    except (MigratorError, Unreadable):
        return None  # whoever reads all of it says what is wrong with it
    return PlanRead(
        plan=settings.plan,
        warnings=grouped(settings.problems),
        sources=Sources(recorded.plan, recorded.lists),
        whole=partial(read_whole, path),
    )


def _lists_digest(folder: Path, files: Sequence[str]) -> str:
    lists = ListsDigest()
    for file in files:
        path = str(folder / file)
        lists.add(os.path.realpath(path), read_inventory_bytes(path))
    return lists.text()


def _program() -> list[str]:
    """What tells this program from one that might read a plan otherwise."""
    return [__version__, sys.version, _code(), *(_version(name) for name in _READERS)]


@cache
def _code() -> str:
    """A digest of the parts that read plans: what is between two releases bears the number of the first."""
    digest = blake2b(digest_size=16)
    for part in _PARTS:
        for path in sorted((Path(__file__).parents[1] / part).rglob("*.*")):
            if path.suffix in (".py", ".json"):
                with suppress(OSError):  # then the version has to do
                    digest.update(blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
