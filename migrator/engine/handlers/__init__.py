"""One handler for each step that asks a question: it performs one conversation, and yields what it found out.

A handler records nothing and schedules nothing; submitting, which asks for something, is split around the
driver's one line (`submit.intent`, `submit.result`).
"""

from collections.abc import AsyncGenerator, Callable

from migrator.engine.context import Context, Result
from migrator.engine.handlers.follow import follow
from migrator.engine.handlers.look_up import look_up
from migrator.engine.handlers.poll import poll
from migrator.engine.handlers.sweep import sweep
from migrator.engine.handlers.verify import verify
from migrator.pacing.scheduler import WorkItem
from migrator.workflow.transitions import Step

Handler = Callable[[Context, WorkItem], AsyncGenerator[Result, None]]
"""Raises RetryableError when the service gave no answer, and TargetHaltedError when nobody may ask."""

HANDLERS: dict[Step, Handler] = {
    Step.POLL: poll,
    Step.FOLLOW: follow,
    Step.LOOK_UP: look_up,
    Step.VERIFY: verify,
    Step.SWEEP: sweep,
}
