"""Two short storms, with real processes and real kills; `make chaos` sends twenty long ones."""

import pytest

from tests.chaos.storm import storm, verdict


@pytest.mark.timeout(400)  # real processes at a speed that a busy machine may not keep up with
@pytest.mark.parametrize("seed", [101, 202])
def test_a_run_killed_three_times_in_a_storm_imports_everything_exactly_once(tmp_path, seed):
    outcome = storm(tmp_path, seed=seed, images=60, kills=3, speed=80.0)

    assert verdict(outcome, 60) == [], outcome.log[-3000:]
    assert outcome.kills >= 1
