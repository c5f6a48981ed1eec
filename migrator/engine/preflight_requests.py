"""How preflight sends its questions: within a target's rate and concurrency, retried with backoff, and no
more of a kind once its circuit breaker is open.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio
from msgspec.structs import replace

from migrator.domain.errors import CloudError, RetryableError, TargetHaltedError
from migrator.domain.plan import Retry, Target
from migrator.domain.ports import Clock
from migrator.pacing import retry
from migrator.pacing.retry import Patience
from migrator.pacing.token_bucket import TokenBucket
from migrator.preflight import Unknown, UnknownReason, unknown

Answer = TypeVar("Answer")
Thing = TypeVar("Thing")

MAX_ATTEMPTS = 5
"""How often one question is asked that gets no answer."""

MAX_BACKOFF = 10.0
"""Seconds between two tries, unless the service asks for more."""

_PATIENCE = Patience(wait=60.0)
"""A service may ask for so many seconds; for longer than that it counts as silent."""

FAILURES_TO_OPEN = 3
"""Questions of one kind that got no answer in all their tries, in a row: then no more of it are asked."""


class AnswerCount:
    """How many questions were answered, of all kinds and targets together."""

    def __init__(self, on_answer: Callable[[int], None]) -> None:
        self._on_answer = on_answer
        self._count = 0

    def add(self) -> None:
        """One more."""
        self._count += 1
        self._on_answer(self._count)


class RequestLimiter:
    """Rate and concurrency of the requests to one target."""

    def __init__(self, target: Target, clock: Clock) -> None:
        limits = target.limits
        self._concurrency = limits.max_requests
        self._clock = clock
        self._bucket = TokenBucket(limits.query_rate.per_second, limits.query_burst, clock.monotonic())
        self._slots = anyio.Semaphore(limits.max_requests)

    async def send(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `question` answers, asked as soon as a slot and a token are free."""
        async with self._slots:
            while (seconds := self._bucket.wait(self._clock.monotonic())) > 0:
                await self._clock.sleep(seconds)
            self._bucket.take(self._clock.monotonic())
            return await question()

    def pause(self, seconds: float) -> None:
        """Ask nothing for a while: the service said that it is too much."""
        self._bucket.block(self._clock.monotonic() + seconds)

    async def for_each(self, things: Sequence[Thing], ask: Callable[[Thing], Awaitable[None]]) -> None:
        """Call `ask` with each of `things`, as many at once as there may be requests."""
        queue = iter(things)

        async def worker() -> None:
            for thing in queue:
                await ask(thing)

        async with anyio.create_task_group() as group:
            for _ in range(min(self._concurrency, len(things))):
                group.start_soon(worker)


class CircuitBreaker:
    """Questions of one kind to one target: retried with backoff, until too many in a row got no answer."""

    def __init__(
        self, policy: Retry, limiter: RequestLimiter, clock: Clock, rng: random.Random, answers: AnswerCount
    ) -> None:
        self._policy = policy
        self._limiter = limiter
        self._clock = clock
        self._rng = rng
        self._answers = answers
        self._unanswered = 0
        self.open: Unknown | None = None
        """Why nothing more is asked; None while the circuit is closed."""

    async def ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer | Unknown:
        """The answer, or why there is none."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            if self.open is not None:
                return self.open
            try:
                answer = await self._limiter.send(question)
            except RetryableError as error:
                last = unknown(error)
                wait = max(
                    min(retry.backoff(self._policy, attempt, self._rng), MAX_BACKOFF),
                    error.retry_after or 0.0,
                )
                if retry.gives_up(_PATIENCE, error.fault, wait=wait):
                    break
                if error.throttled:
                    self._limiter.pause(wait)
                if attempt < MAX_ATTEMPTS:
                    await self._clock.sleep(wait)
            except CloudError as error:
                refused = unknown(error)
                if isinstance(error, TargetHaltedError):
                    self.open = refused
                return refused
            else:
                self._unanswered = 0
                self._answers.add()
                return answer
        if last.fault.code == "MIG.unreadable":  # time and again: that is somebody else
            last = replace(last, reason=UnknownReason.ELSEWHERE)
        self._unanswered += 1
        if self._unanswered >= FAILURES_TO_OPEN:
            self.open = last
        return last
