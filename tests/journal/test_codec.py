"""The JSON of events, which every store keeps: it stays readable, and nothing else is written."""

import math

import pytest

from migrator.journal.codec import KINDS, event_text, read_event
from migrator.workflow.events import JobAccepted

WRITTEN = """
ImagePlanned {"at":1.0,"key":"k","image":{"name":"n","target":"t","source":{"bucket":"b","key":"o"},"min_disk":1,"labels":{"a":"b"}},"digest":"d"}
ImageRemoved {"at":1.0,"key":"k"}
AttemptBegan {"at":1.0,"key":"k","attempt":1,"digest":"d"}
JobAccepted {"at":1.0,"key":"k","job_id":"j"}
AttemptRetryable {"at":1.0,"key":"k","fault":{"message":"m","code":"c","remedy":"r","request_id":"q","status":429}}
AttemptThrottled {"at":1.0,"key":"k","fault":{"message":"m"}}
AttemptRejected {"at":1.0,"key":"k","fault":{"message":"m"}}
AttemptUnknown {"at":1.0,"key":"k","fault":{"message":"m"}}
AttemptNotFound {"at":1.0,"key":"k","looked_for":60.0}
AttemptHeld {"at":1.0,"key":"k","fault":{"message":"m"}}
ImageFound {"at":1.0,"key":"k","image_id":"i","active":true}
JobProgressed {"at":1.0,"key":"k","progress":0.5}
JobSucceeded {"at":1.0,"key":"k","image_id":null}
JobFailed {"at":1.0,"key":"k","fault":{"message":"m"},"image_id":"i"}
DeadlinePassed {"at":1.0,"key":"k"}
JobReattached {"at":1.0,"key":"k"}
ImageVerified {"at":1.0,"key":"k","image_id":"i"}
VerificationFailed {"at":1.0,"key":"k","fault":{"message":"m"}}
ImageSkipped {"at":1.0,"key":"k","image_id":"i"}
MigrationFailed {"at":1.0,"key":"k","fault":{"message":"m"}}
ImageReopened {"at":1.0,"key":"k"}
JobRestored {"at":1.0,"key":"k","job_id":"j","submitted_at":0.5}
AttemptRestored {"at":1.0,"key":"k","fault":{"message":"m"}}
StepBegan {"at":1.0,"key":"k","step":"copy:t"}
StepAccepted {"at":1.0,"key":"k","step":"copy:t","job_id":"j"}
StepRefused {"at":1.0,"key":"k","step":"copy:t","fault":{"message":"m"}}
StepUnknown {"at":1.0,"key":"k","step":"copy:t","fault":{"message":"m"}}
StepNotFound {"at":1.0,"key":"k","step":"copy:t"}
StepMade {"at":1.0,"key":"k","step":"copy:t","image_id":"i"}
StepDone {"at":1.0,"key":"k","step":"copy:t"}
StepFailed {"at":1.0,"key":"k","step":"copy:t","fault":{"message":"m"}}
StepReopened {"at":1.0,"key":"k","step":"copy:t"}
RunBegan {"at":1.0,"run":"r","version":"v","host":"h","pid":1}
RunEnded {"at":1.0,"run":"r","reason":"w","exit_code":0}
TargetHalted {"at":1.0,"target":"t","fault":{"message":"m"}}
VisibilityLearned {"at":1.0,"target":"t","by":"tag","learned":{"seen":1}}
NotificationOwed {"at":1.0,"id":"i","receiver":"ops","on":"end","run":"r","counts":{"images":2,"succeeded":1,"failed":1,"held":0,"unfinished":0},"text":"t","exit_code":3}
NotificationDelivered {"at":1.0,"id":"i"}
NotificationFailed {"at":1.0,"id":"i","reason":"w"}
NotificationDropped {"at":1.0,"id":"i"}
"""  # noqa: E501


@pytest.mark.parametrize("line", WRITTEN.split("\n")[1:-1])
def test_events_are_written_and_read_as_this_version_says(line):
    """A line that must change, or that starts to mean something else, needs a new database.VERSION."""
    kind, _, json_text = line.partition(" ")

    event = read_event(kind, json_text)

    assert type(event).__name__ == kind
    assert event_text(event) == (event, json_text)


def test_this_version_knows_every_kind_of_event():
    assert {line.partition(" ")[0] for line in WRITTEN.split("\n")[1:-1]} == set(KINDS)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(JobAccepted(at=1.0, key="k", job_id=5), id="another type"),  # type: ignore[arg-type]
        pytest.param(JobAccepted(at=1.0, key="k", job_id=None), id="nothing"),  # type: ignore[arg-type]
        pytest.param(JobAccepted(at=math.nan, key="k", job_id="j"), id="no number"),
        pytest.param(JobAccepted(at=1.0, key="k", job_id=object()), id="no JSON"),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_again_is_refused_rather_than_written(wrong):
    with pytest.raises(ValueError, match=f"{type(wrong).__name__} cannot be written down"):
        event_text(wrong)
