"""Every reader of what comes from outside, each with a document that it reads well."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.domain.cloud import ImageQuery
from migrator.domain.http import Response
from migrator.ims import client, identity, images, jobs, storage
from migrator.reports import earlier, service
from migrator.simulator.as_seen import settings_as_seen
from migrator.simulator.settings import Settings

RECORDED = Path(__file__).parent.parent / "cases" / "answers"

IMAGE = {
    "id": "8c0ba2a7-7a4f-4c8a-8a1c-000000000001",
    "name": "web-01",
    "status": "active",
    "tags": ["app=shop", "migrator_item=abc"],
    "created_at": "2026-01-01T00:00:00Z",
    "min_disk": 40,
    "__os_version": "CentOS 7.6 64bit",
    "__os_type": "Linux",
    "__image_size": "5000000000",
    "__support_arm": "true",
    "hw_firmware_type": "uefi",
    "virtual_env_type": "FusionCompute",
    "enterprise_project_id": "0",
    "__data_origin": "file,bucket:web-01.zvhd2",
    "__description": "shop",
}
JOB = {
    "job_id": "job-1",
    "status": "FAIL",
    "job_type": "imsImportImageJob",
    "begin_time": "2026-01-01T00:00:00.000Z",
    "end_time": "2026-01-01T01:00:00.000Z",
    "error_code": "IMG.0061",
    "fail_reason": "unknown system error",
    "entities": {
        "image_id": IMAGE["id"],
        "process_percent": 0.5,
        "error": {"code": "IMG.0057", "message": "bad"},
        "sub_jobs_result": [
            {"status": "FAIL", "error_code": "IMG.0057", "entities": {"image_id": IMAGE["id"]}}
        ],
    },
}
ERROR = {"error": {"code": "IMG.0057", "message": "bad file"}, "error_code": "APIGW.0308", "error_msg": "no"}
TOKEN = {
    "token": {
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "project": {"id": "0123456789abcdef0123456789abcdef", "name": "cn-north-4"},
        "catalog": [],
    }
}
KEYS = {
    "credential": {
        "access": "AK0000000000000000AB",
        "secret": "sk-000000000000000000000000000000000000",
        "securitytoken": "st" * 40,
        "expires_at": "2099-01-01T00:00:00.000000Z",
    }
}
PROJECTS = {
    "projects": [{"id": "0123456789abcdef0123456789abcdef", "name": "cn-north-4", "enabled": True}],
    "links": {"next": None},
}
REPORT = {
    "schema": "migrator.report/1",
    "generated_at": "2026-01-01T00:00:00.000Z",
    "journal": {"first_run": "r", "events": 5},
    "plan": {"name": "p"},
    "runs": [{"run": "r", "state": "ended"}],
    "images": [
        {"key": "a/b", "status": "running", "job_id": "j", "submitted_at": "2026-01-01T00:00:00.000Z"}
    ],
}
SEEN = {
    "schema": "migrator.service/1",
    "generated_at": "2026-01-01T00:00:00.000Z",
    "version": "0",
    "regions": {
        "cn-north-4": {
            "beliefs": {"progress-moves": {"says": "x", "verdict": "confirmed", "seen": 3, "against": 0}},
            "throttles": {"429 APIGW.0308": 3},
            "listed_by": {"tag": {"seen": 3, "longest_delay": 4.5}},
        }
    },
}
QUOTA = {"quotas": {"resources": [{"type": "image", "used": 3, "quota": 50, "min": 0, "max": 100}]}}
VERSIONS = [
    {"platform": "CentOS", "version_list": [{"os_version": "CentOS 7.6 64bit", "platform": "CentOS"}]}
]

Read = Callable[[int, bytes, dict[str, str]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One reader, and what it reads."""

    name: str
    document: Any
    read: Read
    own: tuple[type[Exception], ...] = ()
    """Errors that it may raise beside those of the service."""


def answer(read: Callable[[Response], object]) -> Read:
    return lambda status, body, headers: read(Response(status=status, headers=headers, body=body))


def file(read: Callable[[bytes], object]) -> Read:
    return lambda _status, body, _headers: read(body)


READERS: tuple[Reader, ...] = (
    Reader(name="submit", document={"job_id": "a" * 32} | ERROR, read=answer(client.read_submit)),
    Reader(name="job", document=JOB, read=answer(lambda response: jobs.read_job(response, "job-1"))),
    Reader(
        name="images",
        document={"images": [IMAGE, IMAGE | {"id": "x-2"}], "page_info": {"next_marker": "x-2"}},
        read=answer(lambda response: images.read_images(response, ImageQuery())),
    ),
    Reader(name="delete", document=ERROR, read=answer(images.read_delete)),
    Reader(name="quota", document=QUOTA, read=answer(client.read_quota)),
    Reader(name="versions", document=VERSIONS, read=answer(client.read_os_versions)),
    Reader(name="token", document=TOKEN, read=answer(identity.read_token)),
    Reader(name="keys", document=KEYS, read=answer(identity.read_temporary_keys)),
    Reader(
        name="project",
        document=PROJECTS,
        read=answer(lambda response: identity.read_project_id(response, "cn-north-4")),
    ),
    Reader(name="projects", document=PROJECTS, read=answer(identity.read_projects)),
    Reader(name="object", document=ERROR, read=answer(storage.read_object)),
    Reader(name="bucket", document=ERROR, read=answer(storage.read_bucket)),
    Reader(
        name="report",
        document=REPORT,
        read=file(lambda data: earlier.read_json(data, "p")),
        own=(earlier.NotAReport,),
    ),
    Reader(name="service", document=SEEN, read=file(service.read_service), own=(service.NotAService,)),
    Reader(
        name="as seen",
        document=SEEN,
        read=file(lambda data: settings_as_seen(data, Settings())),
        own=(ValueError,),
    ),
    *(
        Reader(
            name=f"recorded {path.stem}",
            document=(recorded := json.loads(path.read_text())).get("body", recorded),
            read=answer(lambda response: jobs.read_job(response, "job-1")),
        )
        for path in sorted(RECORDED.glob("job-*.json"))
    ),
)

LIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://obs.myhwclouds.com/doc/2015-06-30/"><Name>b</Name><Prefix></Prefix>
<Marker></Marker><NextMarker>k2</NextMarker><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>
<Contents><Key>k1</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>5</Size>
<StorageClass>STANDARD</StorageClass></Contents><Contents><Key>k2</Key><Size>7</Size></Contents>
</ListBucketResult>"""
UPLOADS = """\
<ListMultipartUploadsResult><Bucket>b</Bucket><Upload><Key>k1</Key><UploadId>u</UploadId></Upload>
<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"""
XML: tuple[tuple[str, str, Callable[[Response], object]], ...] = (
    ("list of objects", LIST, storage.read_list),
    ("list of uploads", UPLOADS, storage.read_uploads),
)
