"""The words for where images, causes and runs stand: the same in every format, on the terminal and in a diff.

They are written as they stand inside a sentence; `label` is for where one begins. Programs get the values
themselves: JSON and CSV keep `status` as the journal has it.
"""

from msgspec import Struct

from migrator.reports.causes import CauseKind
from migrator.reports.runs import RunState
from migrator.workflow.states import Phase


def label(word: str) -> str:
    """The word as a heading, or at the beginning of a line."""
    return word[:1].upper() + word[1:]


# --- Groups ---------------------------------------------------------------------------------------------


class Group(Struct, frozen=True, kw_only=True):
    """Statuses that a manager need not tell apart."""

    name: str
    """For programs: the page's style sheet and scripts speak it."""

    word: str


DONE = Group(name="done", word="done")
BUSY = Group(name="busy", word="in the cloud")
DOUBT = Group(name="doubt", word="in doubt or overdue")
FAILED = Group(name="failed", word="failed")
OPEN = Group(name="open", word="to do")
OUT = Group(name="out", word="cancelled")

GROUPS = (DONE, BUSY, DOUBT, FAILED, OPEN, OUT)
"""In the order in which they stand in a bar."""


# --- Statuses -------------------------------------------------------------------------------------------


class StatusWord(Struct, frozen=True, kw_only=True):
    """How a status is said."""

    word: str
    meaning: str
    group: Group

    @property
    def label(self) -> str:
        return label(self.word)


STATUSES: dict[Phase, StatusWord] = {
    Phase.FAILED: StatusWord(
        word="failed", group=FAILED, meaning="It will not be tried again until somebody asks for it."
    ),
    Phase.IN_DOUBT: StatusWord(
        word="in doubt",
        group=DOUBT,
        meaning="The answer to its request was lost; it is looked up before anything is sent.",
    ),
    Phase.OVERDUE: StatusWord(
        word="overdue",
        group=DOUBT,
        meaning="Its job takes longer than the plan allows. Not failed: the next run picks it up.",
    ),
    Phase.VERIFYING: StatusWord(
        word="verifying", group=BUSY, meaning="Its job ended well; the image is being read back."
    ),
    Phase.RUNNING: StatusWord(word="running", group=BUSY, meaning="The cloud is importing it."),
    Phase.SUBMITTING: StatusWord(word="submitting", group=BUSY, meaning="Its request is on the way."),
    Phase.PENDING: StatusWord(
        word="to do", group=OPEN, meaning="Not submitted yet, or to be submitted again."
    ),
    Phase.SUCCEEDED: StatusWord(
        word="imported", group=DONE, meaning="The image is there and is what the plan asked for."
    ),
    Phase.SKIPPED: StatusWord(
        word="there before", group=DONE, meaning="An image was there already and was left as it is."
    ),
    Phase.CANCELLED: StatusWord(
        word="cancelled", group=OUT, meaning="It left the plan before it was submitted."
    ),
}
"""What needs attention first; the order of the page's table of images."""


def statuses_of(group: Group) -> tuple[Phase, ...]:
    """The statuses that the group puts together."""
    return tuple(phase for phase, status in STATUSES.items() if status.group is group)


TO_GO = "to go"
"""Unfinished, whatever the status: something may still happen to the image unasked."""


def steps(count: int) -> str:
    """What is done with images after their import."""
    return "share or copy" if count == 1 else "shares and copies"


HELD = "held for a person"
REMOVED = "left the plan"
DRIFTED = "edited since"
"""What may be said of an image beside its status."""


# --- Causes and runs ------------------------------------------------------------------------------------

CAUSES: dict[CauseKind, str] = {
    CauseKind.FAILED: STATUSES[Phase.FAILED].word,
    CauseKind.HELD: HELD,
    CauseKind.HALTED: "its target stopped submitting",
    CauseKind.OVERDUE: STATUSES[Phase.OVERDUE].word,
    CauseKind.IN_DOUBT: "being looked up",
    CauseKind.RETRYING: "submitted again after a pause",
}

RUNS: dict[RunState, str] = {
    RunState.ENDED: "ended",
    RunState.RUNNING: "running",
    RunState.KILLED: "killed",
}
