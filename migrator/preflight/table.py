"""Every finding that preflight may have: how bad it is, what it means and what to do.

A code never changes its meaning, so that a script may look for it. An *error* would go wrong for certain, or
harm; a *warning* may; an *info* is good to know. What could not be checked says so under a code of its own,
and is never taken for good.

Rules of the service: IMS API reference, "Querying the Image Quota", "Querying Supported OS Versions", "Tag
Data Formats"; API gateway, "Signing API Requests". What depends on the way in which a file is imported comes
from `migrator.ims.methods`. What is our own judgement says so in `meaning`.
"""

from enum import StrEnum

from msgspec import Struct

from migrator.ims.methods import advice


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """A run would fail for certain, as a whole or for these images: it is refused."""

    WARNING = "warning"
    """A run may fail, or something could not be checked."""

    INFO = "info"
    """Good to know."""


class Check(Struct, frozen=True, kw_only=True):
    """One kind of finding."""

    code: str
    """Stable: "PF" and three digits."""

    severity: Severity
    title: str
    """What is the matter, in a few words, true of one image and of many."""

    meaning: str
    """Why it matters, in one sentence."""

    remedy: str
    """What to do, in one plain sentence."""

    exit_code: int = 4
    """Of a run that this error refuses."""


def _error(code: str, title: str, meaning: str, remedy: str, exit_code: int = 4) -> Check:
    return Check(
        code=code, severity=Severity.ERROR, title=title, meaning=meaning, remedy=remedy, exit_code=exit_code
    )


def _warning(code: str, title: str, meaning: str, remedy: str) -> Check:
    return Check(code=code, severity=Severity.WARNING, title=title, meaning=meaning, remedy=remedy)


def _info(code: str, title: str, meaning: str, remedy: str) -> Check:
    return Check(code=code, severity=Severity.INFO, title=title, meaning=meaning, remedy=remedy)


_UNCHECKED = "Nobody looked, so nobody knows."
_AGAIN = "Run `migrator preflight` again later; the run itself does not need this answer."
_STANDARD = "Change its storage class to Standard in the OBS console, and wait until it is restored."
_UPLOAD = "Upload it, or correct image_url in the plan."

_TABLE = (
    # --- Can we work there at all ---
    _error(
        "PF001",
        "the image service is out of reach",
        "Nothing can be asked or imported.",
        "Check ims_endpoint and region of the target, this machine's network, and HTTPS_PROXY.",
        exit_code=7,
    ),
    _error(
        "PF002",
        "the credentials are not accepted",
        "Every request would be refused, and a few more in a row would lock the access key.",
        "Check the keys, or user and password, that the target's credentials name.",
        exit_code=6,
    ),
    _error(
        "PF003",
        "the service does not let us list images",
        "A run lists them before it imports, so that nothing is imported twice.",
        "Ask the account's owner for ims:images:list and for the rights that imports need.",
        exit_code=6,
    ),
    _error(
        "PF004",
        "this computer's clock is more than 15 minutes off",
        "The service refuses every signature that is older, or newer, than that.",
        "Set the clock (chronyc makestep, or timedatectl set-ntp true), then try again.",
    ),
    _warning(
        "PF005",
        "this computer's clock is more than 5 minutes off",
        "At 15 minutes the service refuses every signature.",
        "Set the clock (chronyc makestep, or timedatectl set-ntp true).",
    ),
    _error(
        "PF006",
        "the project belongs to another region",
        "Images would go somewhere else than the plan says.",
        "Correct project_id or region of the target, or leave project_id out to have it looked up.",
    ),
    _error(
        "PF007",
        "the project is disabled",
        "The service takes nothing for it.",
        "Let the account's owner enable it, or name another project_id.",
    ),
    _warning(
        "PF008",
        "the project is not among those of these credentials",
        "It may belong to another account, or be mistyped.",
        "Compare project_id of the target with My Credentials in the console.",
    ),
    # --- Quota ---
    _error(
        "PF010",
        "the quota of private images has no room for all",
        "The run would stop at the quota (policy.on_quota = stop).",
        "Have the quota raised or delete images; or import some with --limit.",
    ),
    _warning(
        "PF011",
        "the quota of private images has no room for all",
        "The run will wait at the quota until there is room (policy.on_quota = wait).",
        "Have the quota raised, or delete images while it waits.",
    ),
    _warning(
        "PF012",
        "the quota may have no room for all",
        "Imports under way may count already, or not yet; nobody documents it.",
        "Nothing, if some room is left; otherwise have the quota raised.",
    ),
    # --- Names ---
    _error(
        "PF020",
        "the name belongs to an image that is not ours",
        "It does not bear this plan's marker, so the run would not touch it, and fail this one.",
        "Rename the image in the plan, or remove the other one.",
    ),
    _info(
        "PF021",
        "the image is there already and is ours",
        "It bears this plan's marker; the run takes it over instead of importing it again.",
        "Nothing to do.",
    ),
    _info(
        "PF022",
        "the image is there already and will be skipped",
        "policy.on_existing = skip.",
        "Nothing to do.",
    ),
    _warning(
        "PF023",
        "the image is there already and will count as failed",
        "policy.on_existing = fail.",
        'Delete it, or set policy.on_existing to "adopt".',
    ),
    # --- Operating systems ---
    _error(
        "PF030",
        "the operating system is not on the region's list",
        "The service refuses an os_version that it does not list (IMG.0056).",
        "Write os_version exactly as listed.",
    ),
    _warning(
        "PF031",
        "the operating system is not listed for this architecture",
        "The list of the other architecture has it.",
        "Compare os_version and architecture in the plan.",
    ),
    _warning("PF032", *advice.WINDOWS_FOUND),
    # --- Buckets ---
    _error(
        "PF040",
        "the bucket does not exist",
        "Nothing can be read from it.",
        "Correct image_url in the plan.",
    ),
    _error(
        "PF041",
        "the bucket is in another region",
        "Imports read from buckets of their own region only (IMG.0058).",
        "Copy the objects to a bucket in the target's region, or correct the target.",
    ),
    _error(
        "PF042",
        "the bucket's storage class is not Standard",
        "Imports need Standard, of bucket and object.",
        "Change the bucket's storage class to Standard in the OBS console.",
    ),
    _warning(
        "PF043",
        "the bucket is a parallel file system",
        "Whether imports can read from one is documented nowhere.",
        "Try one image first (--limit 1), or copy the objects to an ordinary bucket.",
    ),
    # --- Objects ---
    _error("PF050", "the object does not exist", "The import would fail (IMG.0057).", _UPLOAD),
    _error(
        "PF051",
        "the object's upload was never completed",
        "Its parts are there, the object is not: the upload goes on, or broke off.",
        "Let the upload end, or start it again.",
    ),
    _error("PF052", "the object is empty", "The import would fail (IMG.0057).", "Upload it again."),
    _error("PF053", *advice.FILE_TOO_LARGE),
    _warning("PF054", *advice.FILE_MAYBE_TOO_LARGE),
    _error(
        "PF055", "the object's storage class is not Standard", "Imports need Standard (IMG.0057).", _STANDARD
    ),
    _error(
        "PF056",
        "the object is encrypted with a customer's key (SSE-C)",
        "The image service does not have that key.",
        "Upload it again without encryption, or with SSE-KMS.",
    ),
    _info(
        "PF057",
        "the object is encrypted with SSE-KMS",
        "Imports can read it where the caller may use the key.",
        "Have the account's owner check the rights to the key.",
    ),
    _error("PF058", *advice.COMPANION_MISSING),
    _error("PF059", *advice.COMPANION_EMPTY),
    _error("PF060", *advice.OTHER_FORMAT),
    _warning("PF061", *advice.EXTENSION_IN_CAPITALS),
    _error(
        "PF062",
        "min_disk is smaller than the file",
        "It has to be larger (IMG.0055).",
        "Raise min_disk in the plan to what stands beside each.",
    ),
    _error("PF063", *advice.DISK_AS_LARGE_AS_FILE),
    _error("PF064", *advice.DISK_NEVER_LARGE_ENOUGH),
    _info("PF065", *advice.FILES_BELOW_OPTIONAL),
    _error("PF066", *advice.NO_METHOD),
    _error("PF067", *advice.NOT_DECIDED),
    _error(
        "PF068",
        "the file is too large for its image to be copied",
        "Images are copied to other regions up to 128 GB (IMG.0146).",
        "Take the target out of copy_to, and import the file there: upload it to a bucket of that region.",
    ),
    # --- The plan itself ---
    _warning(
        "PF070",
        "the same file is imported more than once",
        "Each import makes an image of its own, and counts towards the quota.",
        "Nothing, if that is meant; otherwise correct image_url.",
    ),
    _error(
        "PF071",
        "the tags are beyond what an image may bear",
        "At most ten tags, the marker's two among them; keys of 1 to 36 characters, values of up to 43.",
        "Take tags away, or shorten them.",
    ),
    _warning(
        "PF072",
        'policy.marker = "none"',
        "Without marker, an import whose answer was lost is known by its name alone, images cannot be told "
        "from other people's, and `migrator reconcile` finds nothing.",
        'Leave policy.marker at "tag", unless the tags are not wanted.',
    ),
    _error(
        "PF073",
        "the window of their wave has closed, and nothing else is left to do",
        "Nothing is submitted after not_after, so that a run could only end again.",
        "Move not_after of the wave in the plan.",
    ),
    _warning(
        "PF074",
        "the window of their wave has closed",
        "Nothing is submitted after not_after; what already runs goes on.",
        "Move not_after of the wave in the plan, or leave them for another night.",
    ),
    _error(
        "PF075",
        "a receiver of notifications cannot be told",
        "[[notify]] names a variable that is not set or does not fit, a program that is not there, or "
        "Apprise, which is not installed: the run would go well, and nobody would hear of it.",
        "Correct what stands beside it, or take the [[notify]] out of the plan.",
    ),
    # --- Inside the files ---
    _error(
        "PF080",
        "min_disk is smaller than the disk in the file",
        "The disk would not fit into the image; a file is often much smaller than the disk inside it.",
        "Raise min_disk in the plan to what stands beside each.",
    ),
    _warning(
        "PF081",
        "min_disk is a little smaller than the disk in the VHD",
        "Tools that write VHD round up to whole cylinders; nobody documents whether the service minds.",
        "Raise min_disk by one, or try one image first (--limit 1).",
    ),
    _error(
        "PF082",
        "no min_disk is large enough for the disk in the file",
        "The disk inside is larger than the largest that min_disk allows.",
        "Make the disk smaller before it is exported, or move it in another way.",
    ),
    _error(
        "PF083",
        "the file is not what its name says",
        "It was recognised by its first bytes, or its last; the service would take it for something else.",
        "Upload what the name promises (unpacked, or converted with qemu-img), or rename the object to what "
        "it is and correct image_url.",
    ),
    _error(
        "PF084",
        "the file is not a whole disk",
        "It says itself that a part of the disk lies in another file, which the import does not read.",
        "Make one file of it: `qemu-img convert -O qcow2 FILE NEW` beside all that it needs, or consolidate "
        "the snapshots and export the machine again; then upload that.",
    ),
    _error(
        "PF085",
        "the disk in the file is encrypted",
        "The service has no key for it, so it cannot be imported.",
        "Decrypt it first (for QCOW2, `qemu-img convert` with its secret), and upload that.",
    ),
    _warning(
        "PF086",
        "the file seems to end too early",
        "What the vendor's public qemu-img writes last is missing, as when a conversion broke off.",
        "Compare its size with that of the local file; convert it again where the conversion broke off.",
    ),
    # --- Keys ---
    _error(
        "PF087",
        "the KMS key does not exist",
        "The import would be refused (IMG.0095).",
        "Correct cmk_id in the plan; keys are of one region.",
    ),
    _error(
        "PF088",
        "the KMS key cannot be used",
        "The import would be refused (IMG.0097).",
        "Enable the key in the KMS console, or name another one.",
    ),
    # --- What could not be checked ---
    _warning(
        "PF089",
        "could not check the KMS key",
        _UNCHECKED,
        "Give this user the right to ask for keys, set kms_endpoint, or look at the key in the console.",
    ),
    _warning("PF090", "could not check the clock", _UNCHECKED, "Compare this computer's clock with another."),
    _warning("PF091", "could not check the project", _UNCHECKED, _AGAIN),
    _warning(
        "PF092",
        "could not check the quota",
        _UNCHECKED,
        "Look at the quota in the console; ims:quotas:get lets us ask.",
    ),
    _warning(
        "PF093", "could not check the names", _UNCHECKED, "The run looks again before it imports anything."
    ),
    _warning("PF094", "could not check the operating systems", _UNCHECKED, _AGAIN),
    _warning(
        "PF095",
        "could not check the bucket",
        _UNCHECKED,
        "Give this user read access to the bucket; or look at region and storage class in the console.",
    ),
    _warning(
        "PF096",
        "could not check the object",
        _UNCHECKED,
        "Give this user read access to it; or compare name, size and storage class in the console.",
    ),
    _info(
        "PF097",
        "encryption was looked at for a sample only",
        "A list of a bucket does not show it, and asking for each object takes time.",
        "`migrator preflight PLAN --thorough` asks for each.",
    ),
    _info(
        "PF098",
        "could not look into the file",
        "Its name and min_disk were not held against what is inside.",
        "Give this user the right to read it (obs:object:GetObject, and the KMS key where there is one).",
    ),
    _info(
        "PF099",
        "only some of the files were looked into",
        "Each takes a request or more, and a run should begin soon.",
        "`migrator preflight PLAN --thorough` looks into each.",
    ),
)

CHECKS: dict[str, Check] = {check.code: check for check in _TABLE}
"""By code."""
