"""What requests are counted as."""

import pytest

from migrator.ims.calls import OTHER, call_of

IMS = "https://ims.eu-west-101.myhuaweicloud.eu"


@pytest.mark.parametrize(
    ("request_line", "call"),
    [
        (f"POST {IMS}/v2/cloudimages/quickimport/action", "import"),
        (f"POST {IMS}/v2/cloudimages/action", "import"),
        (f"POST {IMS}/v1/cloudimages/dataimages/action", "import"),
        (f"GET {IMS}/v1/abc/jobs/ff8080", "job"),
        (f"GET {IMS}/v2/cloudimages", "images"),
        (f"GET {IMS}/v1/cloudimages/quota", "quota"),
        ("POST https://iam.eu-west-101.myhuaweicloud.eu/v3/auth/tokens", "login"),
        ("GET https://disks.obs.eu-west-101.myhuaweicloud.eu/a/action", OTHER),
    ],
)
def test_a_request_is_counted_by_its_call(request_line, call):
    method, url = request_line.split()
    assert call_of(method, url) == call
