"""Where the services of a region are to be found."""

import pytest

from migrator.ims import clouds
from migrator.ims.clouds import (
    CLOUDS,
    HUAWEI_CLOUD,
    SERVICES,
    CloudProfile,
    cloud_of,
    regions,
    usual_endpoint,
)
from migrator.plan import parse_plan

PLAN = """
[plan]
name = "p"
[targets.north]
region = "{region}"
[[images]]
name = "web"
image_url = "bucket:web.raw"
os_version = "CentOS 7.6 64bit"
min_disk = 60
"""


@pytest.mark.parametrize("region", HUAWEI_CLOUD.regions)
def test_every_region_we_know_needs_no_endpoints(region):
    text = PLAN.format(region=region)

    target = parse_plan(text.encode(), path="plan.toml")[0].targets["north"]

    assert target.ims_endpoint == f"https://ims.{region}.myhuaweicloud.com"
    assert target.iam_endpoint == usual_endpoint("iam", region)


def test_there_are_33_regions_and_27_identity_hosts():
    known = HUAWEI_CLOUD.regions
    regional = {usual_endpoint("iam", region) for region in known} - {"https://iam.myhuaweicloud.com"}

    assert (len(set(known)), len(regional)) == (33, 27)


def test_no_region_belongs_to_two_clouds():
    known = list(regions())

    assert len(known) == len(set(known))


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_exceptions_of_a_cloud_are_regions_of_it(cloud):
    assert cloud.shared_identity | cloud.uncertain <= set(cloud.regions)


def test_an_unknown_region_is_looked_for_at_the_first_cloud():
    assert cloud_of("xx-nowhere-1") is CLOUDS[0]


@pytest.mark.parametrize("service", SERVICES)
def test_a_cloud_without_exceptions_has_a_host_for_each_service_and_region(service):
    cloud = CloudProfile(name="Another", domain="cloud.example", regions=("eu-one",))

    assert cloud.endpoint(service, "eu-one") == f"https://{service}.eu-one.cloud.example"


def test_one_entry_is_all_that_another_cloud_of_the_same_api_needs(monkeypatch):
    another = CloudProfile(name="Another", domain="cloud.example", regions=("eu-one",))
    monkeypatch.setattr(clouds, "CLOUDS", (HUAWEI_CLOUD, another))

    target = parse_plan(PLAN.format(region="eu-one").encode(), path="plan.toml")[0].targets["north"]

    assert target.ims_endpoint == "https://ims.eu-one.cloud.example"
    assert target.obs_endpoint == "https://obs.eu-one.cloud.example"
    assert usual_endpoint("iam", "cn-north-4") == "https://iam.cn-north-4.myhuaweicloud.com"
