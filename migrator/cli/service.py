"""What a run sees of the service, kept in service.json from run to run."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from migrator import __version__
from migrator.cli.common import Console
from migrator.cli.wiring import TargetServices
from migrator.domain.plan import JobApi, Plan
from migrator.domain.units import Moment
from migrator.engine.observing import ObservedCloud
from migrator.engine.ports import Cloud
from migrator.io.atomic_write import write_atomically
from migrator.reports.service import FILE_NAME, NotAService, read_service, region_name, write_service
from migrator.workflow.beliefs import Observer, ServiceSeen, Verdict, contradictions
from migrator.workflow.ledger import Ledger

log = structlog.get_logger()


def service_seen(folder: Path) -> dict[str, ServiceSeen]:
    """What earlier runs saw, by region; nothing where there is no file, or none that can be read."""
    path = folder / FILE_NAME
    try:
        return read_service(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, NotAService) as error:
        log.warning("service.unreadable", file=str(path), reason=str(error))
        return {}


class ServiceWatch:
    """Watches the services of a plan's targets while they are used; sends nothing of its own."""

    def __init__(self, plan: Plan, folder: Path, services: Mapping[str, TargetServices]) -> None:
        self._plan = plan
        self._path = folder / FILE_NAME
        self._services = services
        self._before = service_seen(folder)
        self._now = {name: ServiceSeen() for name in plan.targets}
        """What this run saw, by target."""

        for name, target in plan.targets.items():
            seen = self._before.get(region_name(target.region))
            if seen is not None and seen.count("job-progress-call").verdict is Verdict.CONTRADICTED:
                services[name].ims.prefer_status_call()
        self._warned = {(region, belief.id) for region, belief, _ in contradictions(self._before)}

    def clouds(self) -> dict[str, Cloud]:
        """The services, watched; by target."""
        return {
            name: ObservedCloud(one.ims, Observer(self._now[name])) for name, one in self._services.items()
        }

    def known(self) -> dict[str, ServiceSeen]:
        """What was known of each target's service before this run."""
        nothing = ServiceSeen()
        return {
            name: self._before.get(region_name(target.region), nothing)
            for name, target in self._plan.targets.items()
        }

    def seen(self, ledger: Ledger) -> dict[str, ServiceSeen]:
        """All that was seen until now, by region."""
        found = dict(self._before)
        for name, target in self._plan.targets.items():
            now, region = self._now[name], region_name(target.region)
            for (of, by), delays in ledger.learned.items():
                if of == name:
                    now.learned(by, delays)
            called = self._services[name].ims.job_call
            both = found.get(region, ServiceSeen()).plus(now)
            if called is not None:
                both.note("job-progress-call", called is JobApi.PROGRESS)
            found[region] = both
        return found

    def warn(self, ledger: Ledger, console: Console) -> None:
        """Say which beliefs this run was the first to see contradicted, and what to do."""
        for region, belief, count in contradictions(self.seen(ledger)):
            if (region, belief.id) not in self._warned:
                self._warned.add((region, belief.id))
                console.warn(
                    f"{region} does otherwise than believed, {count.against} times: {belief.says} "
                    f"{belief.otherwise} ({belief.id})"
                )

    def write(self, ledger: Ledger, now: Moment) -> None:
        """Write service.json. Raises ReportError."""
        data = write_service(self.seen(ledger), now, __version__)
        write_atomically(self._path, data)
