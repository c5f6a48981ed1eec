"""The number by which the file calls each kind of event.

The table only ever grows: a number stands in files that are years old, so it is never changed and never given
to another kind. `tests/journal/test_rows.py` pins it. The file keeps the same table, for people who read it.
"""

CODES: dict[str, int] = {
    "ImagePlanned": 1,
    "AttemptBegan": 2,
    "JobAccepted": 3,
    "JobProgressed": 4,
    "JobSucceeded": 5,
    "ImageVerified": 6,
    "ImageRemoved": 7,
    "AttemptRetryable": 8,
    "AttemptThrottled": 9,
    "AttemptRejected": 10,
    "AttemptUnknown": 11,
    "AttemptNotFound": 12,
    "AttemptHeld": 13,
    "ImageFound": 14,
    "JobFailed": 15,
    "DeadlinePassed": 16,
    "JobReattached": 17,
    "VerificationFailed": 18,
    "ImageSkipped": 19,
    "MigrationFailed": 20,
    "ImageReopened": 21,
    "JobRestored": 22,
    "AttemptRestored": 23,
    "StepBegan": 24,
    "StepAccepted": 25,
    "StepRefused": 26,
    "StepUnknown": 27,
    "StepNotFound": 28,
    "StepMade": 29,
    "StepDone": 30,
    "StepFailed": 31,
    "StepReopened": 32,
    "RunBegan": 33,
    "RunEnded": 34,
    "TargetHalted": 35,
    "VisibilityLearned": 36,
    "NotificationOwed": 37,
    "NotificationDelivered": 38,
    "NotificationFailed": 39,
    "NotificationDropped": 40,
}

KINDS: dict[int, str] = {code: name for name, code in CODES.items()}

PLANNED = CODES["ImagePlanned"]
