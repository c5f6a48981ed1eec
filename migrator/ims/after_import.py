"""What can be done with an image that is there: sharing, accepting, copying to another region, tagging.

(IMS API reference: "Adding Tenants That Can Use Shared Images", "Updating the Statuses of Tenants Who Can Use
Shared Images", "Replicating an Image Across Regions", "Batch Adding or Deleting Image Tags"; the
list of members as the vendor's SDK reads it, huaweicloudsdkims 3.1.219.)
"""

from collections.abc import Mapping

from msgspec.json import encode

from migrator.domain.http import Request, Response
from migrator.ims.answers import checked, document, failure, listed_objects, members, unreadable
from migrator.ims.answers import text as clean

_JSON = {"Content-Type": "application/json"}


def share_request(endpoint: str, image_id: str, project: str) -> Request:
    """Let another project of the region use an image."""
    body = {"images": [checked(image_id)], "projects": [checked(project)]}
    return Request(
        method="POST", url=f"{endpoint}/v1/cloudimages/members", headers=dict(_JSON), body=encode(body)
    )


def accept_request(endpoint: str, image_id: str, project: str) -> Request:
    """Take an image that was shared, as the project that received it."""
    body = {"images": [checked(image_id)], "project_id": checked(project), "status": "accepted"}
    return Request(
        method="PUT", url=f"{endpoint}/v1/cloudimages/members", headers=dict(_JSON), body=encode(body)
    )


def members_request(endpoint: str, project: str, image_id: str) -> Request:
    """Who may use an image; all of them in one page, as there are 128 at most."""
    url = f"{endpoint}/v1/{project}/cloudimages/{checked(image_id)}/members"
    return Request(method="GET", url=url, query=(("limit", "500"),))


def read_members(response: Response) -> dict[str, str]:
    """By project id: "pending", "accepted" or "rejected"."""
    if not 200 <= response.status < 300:
        raise failure(response)
    listed = members(document(response.body)).get("members")
    if not isinstance(listed, list):
        raise unreadable(response, "a list of members")
    return {
        clean(one.get("member_id"), 64): clean(one.get("status"), 40).lower()
        for one in listed_objects(listed)
    }


def copy_request(
    endpoint: str, image_id: str, *, name: str, region: str, project: str, agency: str
) -> Request:
    """Copy an image to a region; `project` is the name of the project there, `agency` who may carry it."""
    body = {"name": name, "region": region, "project_name": project, "agency_name": agency}
    url = f"{endpoint}/v1/cloudimages/{checked(image_id)}/cross_region_copy"
    return Request(method="POST", url=url, headers=dict(_JSON), body=encode(body))


def tag_request(endpoint: str, project: str, image_id: str, tags: Mapping[str, str]) -> Request:
    """Give an image tags; those that it bears already are written over."""
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    url = f"{endpoint}/v2/{project}/images/{checked(image_id)}/tags/action"
    body = encode({"action": "create", "tags": listed})
    return Request(method="POST", url=url, headers=dict(_JSON), body=body)


def read_done(response: Response) -> None:
    """Whether a request without an answer worth reading was carried out."""
    if not 200 <= response.status < 300:
        raise failure(response)
