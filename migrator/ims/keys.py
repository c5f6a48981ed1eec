"""The key service, asked whether an image can be encrypted with a key.

(KMS API reference: "Querying the Information About a CMK": key_state is "2" for one that is enabled, "3" for
a disabled one, "4" for one that is to be deleted, "5" for one whose material is to be imported.)
"""

from msgspec.json import encode

from migrator.domain.cloud import KeyState
from migrator.domain.http import Request, Response
from migrator.ims.answers import checked, document, failure, members, unreadable

_STATES = {"2": KeyState.ENABLED, "3": KeyState.DISABLED, "4": KeyState.TO_BE_DELETED}


def key_request(endpoint: str, project: str, key_id: str) -> Request:
    """What a key is like."""
    url = f"{endpoint}/v1.0/{project}/kms/describe-key"
    body = encode({"key_id": checked(key_id)})
    return Request(method="POST", url=url, headers={"Content-Type": "application/json"}, body=body)


def read_key(response: Response) -> KeyState:
    """Whether it can be used."""
    if response.status == 404:
        return KeyState.MISSING
    if not 200 <= response.status < 300:
        raise failure(response)
    state = members(members(document(response.body)).get("key_info")).get("key_state")
    if not isinstance(state, str):
        raise unreadable(response, "the state of a key")
    return _STATES.get(state, KeyState.OTHER)
