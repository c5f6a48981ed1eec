"""Every error code we know: how certain it leaves us, whose move it is, and what to do about it.

The rules, in the order in which `judge` applies them:

1. A code that means "too many" is a throttle whatever status it comes with (IMG.0060 arrives as HTTP 400).
2. A 5xx says that something broke while the request was worked on, so an import may have happened, whatever
   the code says; 408 and 409 say so too unless a code we know says better. 501 alone is a plain no.
3. A known code is judged by its row. An unknown IMG code is a refusal: its text is all we have, so show it.
4. Otherwise the HTTP status decides.

Codes and messages: IMS API reference, "Error Codes" (Huawei Cloud and Open Telekom Cloud editions); API
gateway, "Error Codes"; IAM API reference, "Error Codes". How certain each leaves us is our own judgement.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from migrator.ims.methods import advice


class Certainty(StrEnum):
    """What an answer says about the import that was asked for."""

    NEVER_HAPPENED = "never happened"
    """Nothing was started; the same request may be repeated."""

    MAY_HAVE_HAPPENED = "may have happened"
    """Look before repeating."""

    NEVER_WILL = "never will"
    """Nothing was started, and the same request will not be accepted later either."""

    STOP_EVERYBODY = "stop everybody"
    """Nothing was started, and no other image of this target fares better until a person acts."""


Owner = Literal["service", "account owner", "plan", "image builder"]


class ErrorCode(Struct, frozen=True, kw_only=True):
    """What one code means to us."""

    code: str
    """As documented, gateway codes with the prefix "APIGW."; empty for a row that only a status led to."""

    status: int
    """The documented HTTP status; 400 where none is documented."""

    message: str
    """The service's English text."""

    certainty: Certainty
    throttle: bool = False
    """Everybody should slow down."""

    job_limit_reached: bool = False
    """Not the requests are too many, but the unfinished jobs."""

    quota: bool = False
    """The private-image quota is used up."""

    renew: bool = False
    """Fresh credentials may cure it."""

    final: bool = True
    """The service has answered: what it has not accepted by now, it never will. Not so where only a gateway
    or a client gave up waiting."""

    name_taken: bool = False
    """An image of this name exists: perhaps the very one that we asked for before."""

    owner: Owner
    """Whose move it is."""

    reason: str
    """Why this certainty, in one clause."""

    remedy: str
    """What to do, in one plain sentence."""


_PERMANENT = "the request itself is refused, so repeating it changes nothing"
_ACCOUNT = "every other request of this account or target would be answered the same"
_EARLY = "a 4xx refusal: no job was started, and the cause passes"
_BUSY = "refused before it was processed, because of others in the queue"
_MIDWAY = "the service failed while it worked on it, so a job may have been started"

_WAIT = "Nothing to do: migrator waits and tries again."
_LOOK = "Nothing to do: migrator looks for the image before anything is sent again."
_SUPPORT = "Run again later; if it stays, give the request id to the vendor's support."


def _plan(code: str, message: str, remedy: str, **more: object) -> ErrorCode:
    return _row(code, message, remedy, Certainty.NEVER_WILL, "plan", **{"reason": _PERMANENT, **more})


def _builder(code: str, message: str, remedy: str, **more: object) -> ErrorCode:
    return _row(
        code, message, remedy, Certainty.NEVER_WILL, "image builder", **{"reason": _PERMANENT, **more}
    )


def _account(code: str, message: str, remedy: str, **more: object) -> ErrorCode:
    return _row(
        code, message, remedy, Certainty.STOP_EVERYBODY, "account owner", **{"reason": _ACCOUNT, **more}
    )


def _busy(code: str, message: str, remedy: str = _WAIT, **more: object) -> ErrorCode:
    return _row(
        code,
        message,
        remedy,
        Certainty.NEVER_HAPPENED,
        "service",
        **{"reason": _BUSY, "throttle": True, **more},
    )


def _passing(code: str, message: str, remedy: str = _WAIT, **more: object) -> ErrorCode:
    return _row(code, message, remedy, Certainty.NEVER_HAPPENED, "service", **{"reason": _EARLY, **more})


def _midway(code: str, message: str, remedy: str = _LOOK, **more: object) -> ErrorCode:
    return _row(code, message, remedy, Certainty.MAY_HAVE_HAPPENED, "service", **{"reason": _MIDWAY, **more})


def _row(
    code: str, message: str, remedy: str, certainty: Certainty, owner: Owner, **more: object
) -> ErrorCode:
    plain = ErrorCode(
        code=code, status=400, message=message, certainty=certainty, owner=owner, reason="", remedy=remedy
    )
    return replace(plain, **more)


_KMS = "Let the account's owner check the KMS key that encrypts this object, or upload it unencrypted."
_GRANT = "Ask the account's owner for the IMS and OBS rights that imports need, then run again."
_NAME = 'Change the image\'s name in the plan: 1 to 128 letters, digits, "-", ".", "_" or inner spaces.'
_FIX = "Correct this image's fields in the plan, then run again with --retry-failed."
_BUCKET = "Correct image_url in the plan; the bucket must exist and be readable in the target's region."
_OS = "Set os_version (system disk) or os_type (data disk) to a value that the service lists for this region."
_EPS = "Correct enterprise_project_id in the plan, or leave it out for the default project."
_EPS_RIGHT = (
    "Ask the account's owner for the right to this image's enterprise_project_id (EPS permissions), "
    "or correct enterprise_project_id in the plan."
)
_PROJECT = "Correct project_id and region of the target in the plan, then run again."
_KEYS = "Check the access keys, or the user and password, that migrator was given, then run again."
_USER = "Let the account's owner look at this IAM user in the console, then run again."
_ENDPOINT = "Correct the endpoint and region of the target in the plan, then run again."
_PAY = "Let the account's owner complete this in the account centre, then run again."
_AGENCY = "Let the account's owner allow the image service to read the OBS bucket, then run again."

_IMS = (
    _plan("IMG.0001", "The request message format is invalid.", _FIX),
    _plan("IMG.0002", "The image name contains more than 128 characters.", _NAME),
    _plan("IMG.0003", "The image name format is invalid.", _NAME),
    _plan(
        "IMG.0004", "The description contains more than 1024 characters.", "Shorten the image's description."
    ),
    _plan("IMG.0007", "The request body is empty.", _SUPPORT),
    _plan(
        "IMG.0009",
        "The image name already exists.",
        "Rename the image in the plan, or delete the one in the cloud that has this name.",
        name_taken=True,
        reason="refused, but perhaps because an earlier attempt worked: look it up",
    ),
    _plan("IMG.0013", "The image name is not specified.", _NAME),
    _midway(
        "IMG.0014",
        "An exception occurred when IaaS OpenStack was executing the task.",
        reason="the text says that a task was already being executed",
    ),
    _account(
        "IMG.0015",
        "The number of private images has reached the maximum allowed.",
        "Delete private images that nobody needs or ask for a higher quota, then run again.",
        quota=True,
        reason="no further image fits until one is deleted or the quota is raised",
    ),
    _passing("IMG.0016", "An error occurred when the request body was deleted."),
    _plan("IMG.0017", "The URL format is incorrect.", _BUCKET),
    _midway("IMG.0018", "An error occurred when the job was submitted."),
    _plan("IMG.0021", "The resource type is unknown.", _FIX),
    _passing("IMG.0023", "An exception occurred during task query."),
    _plan(
        "IMG.0024", "The image type in the request is incorrect.", 'Set type to "ECS", "BMS" or "DataImage".'
    ),
    _account("IMG.0025", "The user type in the request is incorrect.", _USER),
    _account(
        "IMG.0026",
        "The role is invalid. Apply for permissions or pass real-name authentication.",
        _GRANT,
    ),
    _account("IMG.0030", "The project ID and token in the request are invalid.", _PROJECT, renew=True),
    _plan("IMG.0031", "The resource ID in the request is incorrect.", _FIX),
    _passing("IMG.0036", "An error occurred when obtaining the assume token."),
    _passing("IMG.0037", "An error occurred when obtaining the AK/SK."),
    _passing("IMG.0038", "Failed to create the bucket."),
    _passing("IMG.0039", "Failed to authorize the bucket.", _AGENCY),
    _passing("IMG.0040", "Failed to obtain the object storage address."),
    _account("IMG.0041", "The authorized account is empty.", _USER),
    _passing("IMG.0053", "The domain information of the shadow account is not available."),
    _plan(
        "IMG.0054",
        "The image description format is invalid.",
        "Take line breaks and < > out of the description.",
    ),
    _plan(
        "IMG.0055",
        "The memory or disk size is invalid.",
        advice.REMEDIES["IMG.0055"],
    ),
    _plan("IMG.0056", "The OS type is invalid.", _OS),
    _builder(
        "IMG.0057",
        "The image file does not exist, is empty, or is in an incorrect format.",
        "Check that the upload to OBS is complete and that image_url names it, then use --retry-failed.",
    ),
    _plan("IMG.0058", "The region of the bucket is inconsistent with that of the user.", _BUCKET),
    _builder(
        "IMG.0059",
        "The size of the image file exceeds the maximum allowed.",
        advice.REMEDIES["IMG.0059"],
    ),
    _busy("IMG.0060", "The number of tasks exceeds the flow control limit.", job_limit_reached=True),
    _midway("IMG.0061", "Unknown system error."),
    _plan("IMG.0062", "The image name is incorrect.", _NAME),
    _passing("IMG.0064", "Failed to obtain the tenant information from IAM."),
    _passing("IMG.0065", "Failed to obtain the tenant domain from IAM."),
    _account("IMG.0067", "The project ID is incorrect.", _PROJECT),
    _plan("IMG.0068", "The specified bucket name is empty.", _BUCKET),
    _plan(
        "IMG.0069",
        "The specified bucket cannot be accessed.",
        "Give this user read access to the bucket, or correct image_url.",
    ),
    _plan("IMG.0070", "The image file already exists.", "Correct image_url in the plan."),
    _builder(
        "IMG.0072",
        "The specified image format is not supported.",
        advice.REMEDIES["IMG.0072"],
    ),
    _plan("IMG.0074", "The image file name is too long.", "Give the object in OBS a shorter name."),
    _plan(
        "IMG.0075",
        "The image file name contains invalid characters.",
        'Rename the object in OBS to letters, digits, "-", "." and "_".',
    ),
    _plan("IMG.0086", "No image was found.", "The image is not there any more; see who deleted it."),
    _account("IMG.0087", "The token is incorrect.", _KEYS, renew=True),
    _passing(
        "IMG.0090",
        "The image is being created and cannot be deleted.",
        "Delete it once its import has ended.",
    ),
    _plan("IMG.0091", "The image is protected and cannot be deleted.", "Take the protection off first."),
    _plan("IMG.0095", "The KMS key does not exist.", _KMS),
    _plan("IMG.0097", "The KMS key is disabled.", _KMS),
    _plan("IMG.0099", "You do not have permission to use the KMS key.", _KMS),
    _plan("IMG.0100", "You do not have the KMS rights that this needs.", _KMS),
    _plan("IMG.0101", "The original KMS key does not exist.", _KMS),
    _plan("IMG.0102", "The original KMS key is disabled.", _KMS),
    _plan("IMG.0103", "You do not have permission to use the original KMS key.", _KMS),
    _account(
        "IMG.0104", "Enter the project name if there are multiple projects in the same region.", _PROJECT
    ),
    _plan("IMG.0105", "The operation is not supported.", _FIX),
    _plan("IMG.0109", "The bucket name contains invalid characters.", _BUCKET),
    _builder(
        "IMG.0111",
        "The size of the system disk exceeds the maximum allowed.",
        advice.REMEDIES["IMG.0111"],
    ),
    _plan("IMG.0115", "The image tag is invalid.", "Correct this image's tags in the plan."),
    _plan(
        "IMG.0116",
        "The number of image tags exceeds the quota.",
        "Leave at most eight tags of your own on the image.",
    ),
    _plan("IMG.0117", "The image source can only be BMS or ECS.", 'Set type to "ECS" or "BMS".'),
    _plan(
        "IMG.0118",
        "The BMS image does not support KMS encryption.",
        'Take cmk_id out of this image, or set its type to "ECS".',
    ),
    _plan("IMG.0121", "The object cannot be found.", _BUCKET),
    _plan("IMG.0122", "The OS type is invalid.", _OS),
    _plan(
        "IMG.0123", "The image file address in the request is duplicate.", "Let no two images share one file."
    ),
    _passing("IMG.0138", "Failed to obtain the OS type information."),
    _plan("IMG.0141", "The value of hw_firmware_type is not uefi or bios.", 'Set it to "uefi" or "bios".'),
    _plan(
        "IMG.0142",
        "The destination region is the one that the image is in.",
        "Take the target out of copy_to, or correct its region.",
    ),
    _plan(
        "IMG.0143",
        "An encrypted image cannot be replicated across regions.",
        "Take copy_to out of this image, and import the file in the other region.",
    ),
    _plan("IMG.0144", "The image does not exist.", "The image is not there any more; see who deleted it."),
    _account("IMG.0145", "The project name is incorrect.", _PROJECT),
    _plan(
        "IMG.0146",
        "The image is too large to be replicated.",
        "Take copy_to out of this image, and import the file in the other region.",
    ),
    _busy("IMG.0149", "The maximum number of images that can be replicated at the same time is reached."),
    _plan(
        "IMG.0151",
        "The agency is not there, or may not replicate images.",
        "Correct agency of the target in the plan, or give it the rights in both regions.",
    ),
    _passing("IMG.0154", "Failed to communicate with EPS."),
    _plan("IMG.0155", "The enterprise project ID is invalid.", _EPS),
    _plan("IMG.0156", "Failed to associate the image with the enterprise project.", _EPS),
    _plan("IMG.0157", "Incorrect image type.", 'Set type to "ECS", "BMS" or "DataImage".'),
    _builder(
        "IMG.0158",
        "Only raw or ZVHD2 image files support Fast Create, and a raw file needs its bitmap in the bucket.",
        advice.REMEDIES["IMG.0158"],
    ),
    _plan(
        "IMG.0159",
        "The OS version is required when image files are used to create images through Fast Create.",
        advice.REMEDIES["IMG.0159"],
    ),
    _account("IMG.0161", "You do not have permission.", _GRANT),
    _builder(
        "IMG.0166",
        "OS information must be contained in the ISO files.",
        advice.REMEDIES["IMG.0166"],
    ),
    _plan(
        "IMG.0175",
        "The folder name and image file name cannot contain spaces.",
        "Rename the object in OBS so that neither folder nor file name has a space, and correct image_url.",
    ),
    _busy("IMG.0187", "KMS access traffic has reached the upper limit."),
    _busy("IMG.0194", "The maximum number of images that can be imported at one time has been reached."),
    _plan("IMG.0212", "The value of architecture is not x86 or arm.", 'Set architecture to "x86" or "arm".'),
    _account("IMG.0238", "The account has not passed real-name authentication.", _PAY),
    _account("IMG.0239", "The account balance is insufficient.", _PAY),
    _account("IMG.0241", "The payment information is incomplete.", _PAY),
    _account("IMG.0242", "The budget has been exceeded.", _PAY),
    _midway(
        "IMG.1075",
        "Failed to register the image file.",
        reason="registering is part of the job, so a job may have been started",
    ),
)

_ENTERPRISE_PROJECTS = (
    _plan(
        "EPS.0004",
        "The enterprise project service allows this user nothing in this project.",
        _EPS_RIGHT,
        status=403,
    ),
)

_GATEWAY = (
    _account(
        "APIGW.0101",
        "The API does not exist or has not been published in the environment.",
        _ENDPOINT,
        status=404,
    ),
    _account("APIGW.0103", "The backend does not exist.", _ENDPOINT, status=404),
    _account("APIGW.0104", "The plug-ins do not exist.", _ENDPOINT),
    _account("APIGW.0105", "The backend configurations do not exist.", _ENDPOINT),
    _account("APIGW.0106", "Orchestration error.", _ENDPOINT),
    _plan("APIGW.0201", "API request error.", _FIX),
    _account(
        "APIGW.0301",
        "Incorrect IAM authentication information.",
        "Check the keys, this computer's clock and the region; wait five minutes, then run again.",
        status=401,
        renew=True,
    ),
    _account("APIGW.0302", "The IAM user is not authorized to access the API.", _GRANT, status=403),
    _account("APIGW.0303", "Incorrect app authentication information.", _KEYS, status=401, renew=True),
    _account("APIGW.0304", "The app is not authorized to access the API.", _GRANT, status=403),
    _account("APIGW.0305", "Incorrect authentication information.", _KEYS, status=401, renew=True),
    _account("APIGW.0306", "API access denied.", _GRANT, status=403),
    _account("APIGW.0307", "The token must be updated.", _KEYS, status=401, renew=True),
    _busy("APIGW.0308", "The throttling threshold has been reached.", status=429),
    _account("APIGW.0310", "The project is unavailable.", _PROJECT, status=403),
    _account("APIGW.0311", "Incorrect debugging authentication information.", _KEYS, status=401, renew=True),
    _account("APIGW.0401", "Unknown client IP address.", _GRANT, status=403),
    _account("APIGW.0402", "The client IP address is not allowed to access the API.", _GRANT, status=403),
    _account("APIGW.0404", "Access to the backend IP address has been denied.", _GRANT, status=403),
    _account("APIGW.0501", "The app quota has been used up.", _USER, status=405),
    _account("APIGW.0502", "The app has been frozen.", _USER, status=405),
    _midway("APIGW.0601", "Internal server error.", status=500),
    _plan("APIGW.0602", "Bad request.", _FIX),
    _midway("APIGW.0605", "Domain name resolution failed.", status=500),
    _midway("APIGW.0606", "Failed to load the API configurations.", status=500),
    _plan("APIGW.0607", "The protocol is not supported.", _ENDPOINT),
    _midway("APIGW.0608", "Failed to obtain the admin token.", status=500),
    _midway("APIGW.0609", "The VPC backend does not exist.", status=500),
    _midway("APIGW.0610", "No backend available.", status=502),
    _midway("APIGW.0611", "The backend port does not exist.", status=500),
    _midway("APIGW.0612", "An API cannot call itself.", status=500),
    _midway("APIGW.0613", "The IAM service is currently unavailable.", status=503),
    _midway("APIGW.0705", "Backend signature calculation failed.", status=500),
    _account("APIGW.0801", "The service is not usable in this region.", _USER, status=403),
    _account("APIGW.0802", "The IAM user is forbidden in the currently selected region.", _USER, status=403),
)

_IAM = (
    _account("IAM.0001", "Authentication is needed.", _KEYS, status=401, renew=True),
    _account("IAM.0002", "You are not authorized.", _GRANT, status=403),
    _account("IAM.0003", "A policy does not allow this.", _GRANT, status=403),
    _account("IAM.0004", "Not found.", _PROJECT, status=404),
    _account("IAM.0005", "Conflict.", _USER, status=409),
    _midway("IAM.0006", "Internal error.", status=500),
    _account("IAM.0007", "A parameter is invalid.", _KEYS),
    _account("IAM.0011", "The request body is invalid.", _KEYS),
    _busy("IAM.0012", "The throttling threshold has been reached.", status=429),
    _account(
        "IAM.0061",
        "The account is locked.",
        "Wait a quarter of an hour, correct the password, then run again.",
        status=401,
    ),
    _account("IAM.0062", "The password is incorrect.", _KEYS, status=401),
    _account("IAM.0066", "The token has expired.", _KEYS, status=401, renew=True),
    _account("IAM.0067", "The token is invalid.", _KEYS, status=401, renew=True),
    _account("IAM.0080", "The user to whom the access key belongs is disabled.", _USER, status=403),
    _account("IAM.0081", "The user may only use the console.", _USER, status=403),
    _account("IAM.0082", "The user is disabled.", _USER, status=403),
    _account("IAM.0083", "The user may not use a private region.", _USER, status=403),
    _account("IAM.1101", "The size of the request body is invalid.", _KEYS),
    _account("IAM.1102", "A value in the request is invalid.", _KEYS),
    _account("IAM.1103", "A value is missing in the request.", _KEYS),
    _account("IAM.1104", "The access key is blacklisted.", _USER, renew=True),
    _account("IAM.1105", "The access key has expired.", _USER, renew=True),
    _account("IAM.1106", "The user of the access key does not exist.", _USER, renew=True),
    _account("IAM.1107", "The access key is inactive.", _USER, renew=True),
    _account("IAM.1108", "The security token has expired.", _KEYS, renew=True),
    _account("IAM.1109", "Project information was not found.", _PROJECT),
    *(_account(str(code), "The user management request is invalid.", _USER) for code in range(1100, 1119)),
)

DEAD_TOKENS = ("X-Auth-Token is invalid",)
"""What refusals without a code say of a token that has ended (Open Telekom Cloud, 403; a public report)."""

CODES: dict[str, ErrorCode] = {row.code: row for row in (*_IMS, *_ENTERPRISE_PROJECTS, *_GATEWAY, *_IAM)}
"""Every documented code that an import, its job, or the road to either may meet. An ambiguous code stands
here with the lowest of its statuses; `VARIANTS` has the others."""

VARIANTS: dict[tuple[str, int], ErrorCode] = {
    ("APIGW.0201", 413): replace(CODES["APIGW.0201"], status=413, message="Request entity too large."),
    ("APIGW.0201", 414): replace(CODES["APIGW.0201"], status=414, message="Request URI too large."),
    ("APIGW.0201", 494): replace(CODES["APIGW.0201"], status=494, message="Request headers too large."),
    ("APIGW.0201", 502): _midway("APIGW.0201", "Backend unavailable.", status=502),
    ("APIGW.0201", 504): _midway("APIGW.0201", "Backend timeout.", status=504, final=False),
    ("IMG.0026", 403): replace(CODES["IMG.0026"], status=403),
}
"""Codes whose meaning, or only whose text, depends on the HTTP status."""

_STATUSES: dict[int, ErrorCode] = {
    row.status: row
    for row in (
        _plan("", "Bad request.", _FIX, status=400),
        _account("", "Authentication failed.", _KEYS, status=401, renew=True),
        _account("", "No permission.", _GRANT, status=403),
        _account("", "The resource or the API was not found.", _ENDPOINT, status=404),
        _account("", "Method not allowed.", _ENDPOINT, status=405),
        _plan("", "Not acceptable.", _SUPPORT, status=406),
        _account(
            "", "Proxy authentication required.", "Give migrator the proxy's user and password.", status=407
        ),
        _midway(
            "", "Request timeout.", status=408, final=False, reason="nobody knows how far the request came"
        ),
        _midway("", "Conflict.", status=409, reason="it may conflict with an earlier attempt that worked"),
        _plan("", "Length required.", _SUPPORT, status=411),
        _plan("", "Request entity too large.", _FIX, status=413),
        _plan("", "Request URI too large.", _FIX, status=414),
        _busy("", "Too many requests.", status=429),
        _midway("", "Too early.", status=425, final=False, reason="whoever says so may pass it on later"),
        _plan("", "Request headers too large.", _FIX, status=494),
        _midway(
            "", "Client closed request.", status=499, final=False, reason="a proxy's word that nobody waited"
        ),
        _midway("", "Internal server error.", status=500),
        _account("", "Not implemented.", _ENDPOINT, status=501),
        _midway("", "Bad gateway.", status=502),
        _midway("", "Service unavailable.", status=503, reason="probably refused, but nobody promises it"),
        _midway("", "Gateway timeout.", status=504, final=False, reason="the backend may still accept it"),
    )
}
"""API reference, "Status Codes": what a status says when no code says more."""


def row(code: str, status: int | None = None) -> ErrorCode | None:
    """The row of `code` (any case; an older gateway's "APIG." is "APIGW."); None for an undocumented one.

    An undocumented IMG code gets a row of its own: a refusal whose text is all there is to show.
    """
    known = code.strip().upper()
    if known.startswith("APIG."):
        known = f"APIGW.{known[5:]}"
    if status is not None and (found := VARIANTS.get((known, status))) is not None:
        return found
    if (found := CODES.get(known)) is not None:
        return found
    if known.startswith("IMG."):
        remedy = "Read the service's message, correct what it names, then run again with --retry-failed."
        return _plan(known, "", remedy, status=status or 400, reason="an unknown code is taken at its word")
    return None


def by_status(status: int) -> ErrorCode:
    """What an HTTP status alone says about an import; a 2xx here is one that could not be used."""
    if (found := _STATUSES.get(status)) is not None:
        return found
    if 200 <= status < 300:
        return _midway(
            "", "The answer cannot be read.", status=status, reason="accepted, but without a job id"
        )
    if 300 <= status < 400:
        return _account("", "The service answers with a redirection.", _ENDPOINT, status=status)
    if 400 <= status < 500:
        return _plan("", "The request was refused.", _SUPPORT, status=status)
    return _midway("", "The service failed.", status=status, final=False)


def judge(status: int, code: str) -> ErrorCode:
    """What an answer with this status and code (possibly "") says about an import; see the rules above."""
    found, plain = row(code, status), by_status(status)
    if found is None:
        return plain
    if not plain.final:
        found = replace(found, final=False)  # whatever the code says, it was not the service that ended it
    if plain.throttle:
        return found if found.throttle or found.quota else plain
    if found.throttle or found.certainty is Certainty.MAY_HAVE_HAPPENED or status in (408, 409):
        return found
    return plain if plain.certainty is Certainty.MAY_HAVE_HAPPENED else found
