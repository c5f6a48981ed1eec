"""The calls that come from OpenStack itself: images read natively, and the versions of the interface.

Shapes: IMS API reference, "Querying Images (Native OpenStack API)", "Querying Image Details (Native OpenStack
API)", "Querying API Versions (Native OpenStack API)".
"""

from itertools import islice
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from migrator.domain.units import Moment
from migrator.simulator.image_view import view, visible
from migrator.simulator.images import page
from migrator.simulator.jobs import Project
from migrator.simulator.wire import Call, Reply, ims_error, ok

DEFAULT_LIMIT = 25
VERSIONS = {
    "v2.2": "CURRENT",
    "v2.1": "SUPPORTED",
    "v2.0": "SUPPORTED",
    "v1.1": "DEPRECATED",
    "v1.0": "DEPRECATED",
}


def list_images(project: Project, call: Call, now: Moment) -> Reply:
    """GET /v2/images: with links to the first and the next page, and no next one on the last."""
    try:
        found, limit = page(project, call, now, DEFAULT_LIMIT, native=True)
    except ValueError:
        return ims_error("IMG.0001")
    except KeyError:
        return replace(ims_error("IMG.0144"), status=404)
    records = list(islice(found, limit + 1))
    shown = records[:limit]
    pairs = [(name, value) for name, value in call.query if name != "marker"]
    body: dict[str, Any] = {
        "images": [view(record, now, project.settings) for record in shown],
        "schema": "/v2/schemas/images",
        "first": _link(pairs),
    }
    if shown and len(records) > limit:
        body["next"] = _link([*pairs, ("marker", shown[-1].id)])
    return ok(body)


def _link(pairs: list[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(pairs)}" if pairs else "/v2/images"


def show(project: Project, image_id: str, now: Moment) -> Reply:
    """GET /v2/images/{image_id}."""
    record = project.by_id.get(image_id)
    if record is None or not visible(record, now, project.settings):
        return replace(ims_error("IMG.0144"), status=404)
    return ok(view(record, now, project.settings))


def versions(call: Call, only: str = "") -> Reply:
    """GET / and GET /{version}: anybody may ask."""
    rows = [
        {
            "id": version,
            "status": status,
            "links": [{"rel": "self", "href": f"{call.scheme}://{call.host}/{version[:2]}/"}],
        }
        for version, status in VERSIONS.items()
        if version == only or not only
    ]
    return ok({"versions": rows}, 300)
