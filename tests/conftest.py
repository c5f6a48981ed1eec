"""Time in the test's hand: async tests run on a loop that jumps to the next timer instead of waiting."""

import asyncio
import logging
import os
import selectors
from typing import Any

import pytest
import structlog


class JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for the next timer, jump to it."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("every task is waiting and no timer is running")
        if not ready and timeout is not None:
            self.elapsed += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is the JumpingSelector's."""

    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.elapsed


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Virtual time. A test with real files or sockets asks for the `real_time` fixture instead."""
    return ("asyncio", {"loop_factory": JumpingLoop})


@pytest.fixture(autouse=True, scope="session")
def _quiet_log() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(autouse=True)
def _no_ambient_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HUAWEICLOUD_", "HW_", "MIGRATOR_")):
            monkeypatch.delenv(name)
