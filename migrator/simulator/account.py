"""One account of a cloud: what lies in it, and the stand-in's own books of what became of every import."""

from migrator.domain.units import Moment
from migrator.simulator.access import Guard
from migrator.simulator.after_import import AfterImport
from migrator.simulator.jobs import AcceptedImport, Project
from migrator.simulator.objects import ObjectStorage
from migrator.simulator.settings import Settings
from migrator.simulator.stats import Stats


class Account:
    """Callers, projects and objects under the settings of one stand-in."""

    def __init__(self, settings: Settings, *, now: Moment) -> None:
        self.settings = settings
        self.guard = Guard(settings)
        self.store = ObjectStorage(settings)
        self.projects: dict[str, Project] = {}
        self.after = AfterImport(settings, self.guard, lambda region, project_id: self.project(project_id))
        self.stats = Stats(began_at=now, last_at=now)
        self.accepted: dict[str, list[AcceptedImport]] = {}
        """The ledger: every import taken in, by image name, oldest first."""
        self.answers: dict[str, str] = {}
        """By job id, how its import was answered: a status, "reset_before_answer", "hang" or "truncate"."""

    @property
    def duplicates(self) -> list[AcceptedImport]:
        """Imports that were taken in although one of the same name was under way or done."""
        return [line for lines in self.accepted.values() for line in lines if line.duplicate]

    @property
    def most_running(self) -> int:
        """Most jobs of one project that ever ran at once."""
        return max((project.most_running for project in self.projects.values()), default=0)

    def project(self, project_id: str) -> Project:
        found = self.projects.get(project_id)
        if found is None:
            found = self.projects[project_id] = Project(self.settings, project_id)
        return found

    def change(self, settings: Settings) -> None:
        """Go on under other settings; keys, tokens, jobs and images stay as they are."""
        self.settings = self.guard.settings = self.store.settings = self.after.settings = settings
        for project in self.projects.values():
            project.settings = settings
