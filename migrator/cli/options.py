"""What the command line asks of a run. Light to import: `--help` comes through here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.workflow.selection import Selection


class ProblemFormat(StrEnum):
    """How `validate` says what is wrong with a plan."""

    TEXT = "text"
    GITHUB = "github"


class ReportFormat(StrEnum):
    """What `report` writes: the usual reports, and the ids of what is there for other programs."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    MD = "md"
    HTML = "html"
    TERRAFORM = "terraform"
    ANSIBLE = "ansible"
    TFVARS = "tfvars"


FAULT_PROFILES = ("calm", "busy", "storm")
"""The scenarios of the simulator to rehearse a plan in; the first one where --simulate stands alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run, and of the commands that say what a run would do."""

    path: Path | None = None
    """Where the plan lies, for hints about what to do next; None where it is nobody's file."""

    reports_dir: Path = Path("reports")
    journal: str | None = None
    """URL of the database that keeps the journal; None: it lies beside the reports."""

    limit: int | None = None
    retry_failed: bool = False
    again: frozenset[str] = frozenset()
    max_duration: float | None = None
    only: "Selection | None" = None
    """Submit, and try again, no other images than these."""

    wave: str | None = None
    """Submit, and try again, only images of this wave."""

    drain: bool = False
    preflight: bool = True
    """Preflight first, and do not start when something would go wrong for certain."""

    metrics_file: Path | None = None
    """Where a run writes its metrics, for a collector of Prometheus; None: nowhere."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
