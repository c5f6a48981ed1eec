"""Every error says what to do next and how the program exits."""

import pytest

import migrator.engine
import migrator.io.credentials
import migrator.io.http
import migrator.journal.stores
import migrator.plan
import migrator.simulator  # noqa: F401
from migrator.domain.cloud import Fault
from migrator.domain.errors import CloudError, MigratorError, RetryableError, TargetHaltedError

EXIT_CODES = {1, 2, 3, 4, 5, 6, 7, 8, 70, 130, 143}
"""All but success, as `migrator --help` and the manual list them."""


def tree(error: type[MigratorError]) -> list[type[MigratorError]]:
    return [error, *(leaf for child in error.__subclasses__() for leaf in tree(child))]


ERRORS = tree(MigratorError)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_hint_an_exit_code_and_a_meaning(error):
    assert error.exit_code in EXIT_CODES
    assert error.hint.endswith((".", "`"))
    assert len(error.hint) > 10
    assert error.__doc__
    assert error.__doc__ not in {parent.__doc__ for parent in error.__mro__[1:]}


@pytest.mark.parametrize("error", [error for error in ERRORS if error is not MigratorError])
def test_no_error_but_the_root_blames_a_bug(error):
    assert error.hint != MigratorError.hint


@pytest.mark.parametrize("error", ERRORS)
def test_all_of_them_are_defined_on_one_screen(error):
    assert error.__module__ == "migrator.domain.errors"


@pytest.mark.parametrize("error", tree(CloudError))
def test_an_error_of_the_cloud_shows_its_fault(error):
    fault = Fault(code="IMG.0057", message="the object does not exist", remedy="Upload it.")

    assert str(error(fault)) == "IMG.0057: the object does not exist"
    assert error(fault).fault is fault
    assert "no-code" in str(error(Fault(message="no-code")))


def test_quota_can_be_waited_for_and_wrong_credentials_cannot():
    fault = Fault(message="x")

    assert TargetHaltedError(fault).exit_code == 6
    assert TargetHaltedError(fault, quota=True).exit_code == 7
    assert TargetHaltedError.exit_code == 6


def test_a_hint_of_its_own_does_not_change_its_siblings():
    special = MigratorError("x", hint="Do this.")

    assert special.hint == "Do this."
    assert MigratorError("x").hint == MigratorError.hint


def test_what_may_be_repeated_says_when():
    error = RetryableError(Fault(message="x"), retry_after=7.0, throttled=True)

    assert (error.retry_after, error.throttled) == (7.0, True)
    assert (RetryableError(Fault(message="x")).retry_after, RetryableError(Fault(message="x")).throttled) == (
        None,
        False,
    )
