"""Everything that can go wrong, on one screen. Each leaf says what to do next and how the program exits."""

from collections.abc import Mapping, Sequence

from migrator.domain.cloud import Fault, RateHint


class MigratorError(Exception):
    """An error that a person can do something about; the command line prints it without a traceback."""

    exit_code = 1
    hint = "This is a bug in migrator: run again with -v and report what it prints."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(MigratorError):
    """The command line cannot be carried out as written."""

    exit_code = 2
    hint = "See `migrator --help`."


class PlanError(MigratorError):
    """The plan cannot be run as written; carries all its problems, not only the first.

    Of many of one kind, only some stand in `problems`, and how many more there are.
    """

    exit_code = 2
    hint = "Fix the lines above; nothing was sent, so running again is safe."

    def __init__(
        self,
        problems: list[str],
        *,
        count: int | None = None,
        found: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.found = found
        """Each problem for a machine: file, line, column, path, message, remedy, severity."""
        self.count = len(problems) if count is None else count


class PreflightRefused(MigratorError):
    """Looking before the start showed something that would go wrong for certain; no import was asked for."""

    exit_code = 4
    hint = "Correct what is listed above; or start all the same with --no-preflight."

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 4) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
        """6 for credentials, 7 for a service out of reach."""


class CredentialsError(MigratorError):
    """There are no credentials, or the service does not accept them."""

    exit_code = 6
    hint = (
        "Set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK (or HW_ACCESS_KEY and HW_SECRET_KEY), and run again."
    )


class ReportError(MigratorError):
    """A report or another file cannot be written; the journal is not affected."""

    exit_code = 1
    hint = "Make room or fix the permissions, then `migrator report PLAN` rebuilds every report."


class JournalError(MigratorError):
    """The journal cannot be read or written. Nothing is sent without it."""

    exit_code = 1
    hint = "Nothing was lost: what the journal acknowledged is in it. Fix the cause and run again."


class JournalLocked(JournalError):
    """Another run holds the journal."""

    exit_code = 8
    hint = "Wait for that run to end, or stop it; `migrator status PLAN` may be used meanwhile."


class JournalMissing(JournalError):
    """Nothing has run yet, so there is no journal to read."""

    exit_code = 2
    hint = "`migrator run PLAN` starts the journal."


class JournalTooNew(JournalError):
    """The journal was written by a newer version."""

    exit_code = 2
    hint = "Upgrade migrator; the journal was left as it is."


class JournalFenced(JournalError):
    """Another process owns this now: nothing that this one does may count any more."""

    exit_code = 70
    hint = "Nothing is lost: the other process goes on from what the journal holds. This one ends."


class JournalWentBack(JournalError):
    """The database holds less than it acknowledged."""

    hint = (
        "Most likely a standby was promoted that lagged behind. Stop every worker of this database, and "
        "bring the old primary back if you can. Otherwise run again: images are looked up by their markers "
        "before anything is sent for them, and a newer report.json is taken in first."
    )


class CloudError(MigratorError):
    """A request to the cloud did not do what it was meant to."""

    exit_code = 7
    hint = "Run again to continue; nothing is imported twice."

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class RetryableError(CloudError):
    """It never happened and may be repeated: throttled, not reached, or a passing failure of a question."""

    def __init__(
        self,
        fault: Fault,
        *,
        retry_after: float | None = None,
        throttled: bool = False,
        job_limit_reached: bool = False,
        allows: RateHint | None = None,
    ) -> None:
        super().__init__(fault)
        self.retry_after = retry_after
        """Seconds that the service asked for."""
        self.throttled = throttled
        """The service said that we ask too much, so everybody should slow down."""
        self.job_limit_reached = job_limit_reached
        """Too much means too many unfinished jobs, rather than too many requests."""
        self.allows = allows
        """What the service said that it lets us do."""


class CredentialsRenewed(RetryableError):
    """It was refused because of what it was signed with, and there is something better by now."""


class Unreachable(RetryableError):
    """The request surely never left: no route, no such name, no trust in the certificate."""


class OutcomeUnknown(CloudError):
    """It may have happened: look before repeating."""

    def __init__(self, fault: Fault, *, final: bool = False) -> None:
        super().__init__(fault)
        self.final = final
        """There was an answer, so what was not accepted by now never will be."""


class RejectedError(CloudError):
    """It did not happen and never will as asked."""


class NameTaken(RejectedError):
    """An image of that name exists already: perhaps ours, from an attempt whose answer was lost."""


class TargetHaltedError(CloudError):
    """Nobody can go on with this target: quota, credentials, permission or account."""

    exit_code = 6

    def __init__(self, fault: Fault, *, quota: bool = False) -> None:
        super().__init__(fault)
        self.quota = quota
        """The private-image quota is used up (the plan's on_quota says what follows)."""
        self.exit_code = 7 if quota else 6
