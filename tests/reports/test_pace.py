"""How much longer images take by one method than by another."""

from migrator.domain.image import Image
from migrator.reports.pace import TargetPace
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobSucceeded,
)
from migrator.workflow.ledger import fold
from tests.ledgers import START, image


def life(shown: Image, took: float | None, method: str = "") -> list[Event]:
    """An image from its first request on, and to its end where it has one."""
    key = shown.key
    begun: list[Event] = [
        ImagePlanned(at=START, key=key, image=shown, digest="d"),
        AttemptBegan(at=START, key=key, attempt=1, digest="d", method=method),
        JobAccepted(at=START, key=key, job_id=f"job-{shown.name}"),
    ]
    if took is None:
        return begun
    return [
        *begun,
        JobSucceeded(at=START + took, key=key, image_id=shown.name),
        ImageVerified(at=START + took, key=key, image_id=shown.name),
    ]


def pace_of(*lives: list[Event]) -> TargetPace:
    ledger, pace = fold([event for events in lives for event in events]), TargetPace()
    for key, item in ledger.planned.items():
        pace.add(item.image, ledger.states[key], 0, halted=False)
    return pace


def test_until_it_is_known_who_converts_is_taken_to_take_longer():
    quick = [life(image(f"q-{n}"), 100.0) for n in range(12)]

    paces = pace_of(*quick, life(image("n-1", method="normal"), None, "normal")).paces

    assert paces == {"quick": 1.0, "normal": 3.0}


def test_what_both_methods_took_counts_as_soon_as_enough_of_each_ended():
    quick = [life(image(f"q-{n}"), 100.0 + n) for n in range(20)]
    normal = [life(image(f"n-{n}", method="auto"), 700.0 + n, "normal") for n in range(12)]

    paces = pace_of(*quick, *normal).paces

    assert paces["quick"] == 1.0
    assert 6.0 < paces["normal"] < 7.0


def test_what_is_usual_is_what_most_went_by():
    normal = [life(image(f"n-{n}", method="normal"), 600.0, "normal") for n in range(12)]

    paces = pace_of(*normal, life(image("q-1"), None)).paces

    assert paces["normal"] == 1.0
    assert paces["quick"] == 1 / 3


def test_nothing_seen_is_no_fault():
    assert pace_of().paces == {}
