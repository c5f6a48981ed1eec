"""Time in the test's hand: async tests run on a loop that jumps to the next timer instead of waiting."""

import asyncio
import importlib
import logging
import os
import pkgutil
import selectors
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

import migrator
from migrator.domain.secrets import SECRETS

# How long an example takes says how busy the machine is, and nothing about what it tests.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", parent=settings.get_profile("ci"), derandomize=False)
settings.load_profile("ci")  # unless --hypothesis-profile names the other

FUZZ_EXAMPLES = 3
"""How many times as many examples `make fuzz` tries."""

# Hypothesis draws from the constants of whatever is imported, which must not depend on the tests that ran
# before.
for module in pkgutil.walk_packages(migrator.__path__, "migrator."):
    importlib.import_module(module.name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--hypothesis-profile") != "fuzz":
        return
    tests = {id(test): test for item in items if (test := getattr(item, "obj", None)) is not None}
    for test in tests.values():  # a test with parameters is many items and one function
        if (usual := getattr(test, "_hypothesis_internal_use_settings", None)) is not None:
            more = settings(usual, max_examples=FUZZ_EXAMPLES * usual.max_examples)
            test._hypothesis_internal_use_settings = more


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
def _no_secrets_of_other_tests() -> None:
    SECRETS.forget()


@pytest.fixture(autouse=True)
def _no_ambient_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HUAWEICLOUD_", "HW_", "MIGRATOR_")):
            monkeypatch.delenv(name)
