"""Where the services of a region are to be found."""

import pytest
from pydantic import TypeAdapter

from migrator.domain.errors import PlanError
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
from migrator.plan.forms import TargetTable, keys_of

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
    cloud = CloudProfile(key="another", name="Another", domain="cloud.example", regions=("eu-one",))

    assert cloud.endpoint(service, "eu-one") == f"https://{service}.eu-one.cloud.example"


def test_one_entry_is_all_that_another_cloud_of_the_same_api_needs(monkeypatch):
    another = CloudProfile(key="another", name="Another", domain="cloud.example", regions=("eu-one",))
    monkeypatch.setattr(clouds, "CLOUDS", (HUAWEI_CLOUD, another))

    target = parse_plan(PLAN.format(region="eu-one").encode(), path="plan.toml")[0].targets["north"]

    assert target.ims_endpoint == "https://ims.eu-one.cloud.example"
    assert target.obs_endpoint == "https://obs.eu-one.cloud.example"
    assert usual_endpoint("iam", "cn-north-4") == "https://iam.cn-north-4.myhuaweicloud.com"


# --- Open Telekom Cloud ---------------------------------------------------------------------------------

OTC_HOSTS = [
    # Hosts as its documentation ("Regions and Endpoints") and public Terraform set-ups have them.
    ("eu-de", "ims", "https://ims.eu-de.otc.t-systems.com"),
    ("eu-de", "iam", "https://iam.eu-de.otc.t-systems.com"),
    ("eu-de", "obs", "https://obs.eu-de.otc.t-systems.com"),
    ("eu-nl", "ims", "https://ims.eu-nl.otc.t-systems.com"),
    ("eu-nl", "iam", "https://iam.eu-nl.otc.t-systems.com"),
    ("eu-nl", "obs", "https://obs.eu-nl.otc.t-systems.com"),
    ("eu-ch2", "ims", "https://ims.eu-ch2.sc.otc.t-systems.com"),
    ("eu-ch2", "iam", "https://iam-pub.eu-ch2.sc.otc.t-systems.com"),
    ("eu-ch2", "obs", "https://obs.eu-ch2.sc.otc.t-systems.com"),
]


@pytest.mark.parametrize(("region", "service", "host"), OTC_HOSTS)
@pytest.mark.parametrize("named", [True, False])
def test_open_telekom_cloud_is_one_entry_whether_a_plan_names_it_or_not(region, service, host, named):
    cloud = 'cloud = "otc"\n' if named else ""
    plan = PLAN.format(region=region).replace("[[images]]", f"{cloud}[[images]]")

    target = parse_plan(plan.encode(), path="plan.toml")[0].targets["north"]

    assert getattr(target, f"{service}_endpoint") == host


@pytest.mark.parametrize(
    ("cloud", "region", "words"),
    [
        ("otc", "cn-north-4", "is no region of Open Telekom Cloud; its regions are eu-de, eu-nl, eu-ch2"),
        ("huawei", "eu-de", "is no region of Huawei Cloud"),
        ("otc2", "eu-de", 'did you mean "otc"?'),
        ("otc", "eu-di", "is not a region we know"),
    ],
)
def test_a_region_that_a_cloud_does_not_have_is_told(cloud, region, words):
    plan = PLAN.format(region=region).replace("[[images]]", f'cloud = "{cloud}"\n[[images]]')

    with pytest.raises(PlanError) as caught:
        parse_plan(plan.encode(), path="plan.toml")

    assert len(caught.value.problems) == 1
    assert words in caught.value.problems[0]


def test_a_private_cloud_of_the_same_api_is_reached_by_its_endpoints():
    hosts = "\n".join(f'{service}_endpoint = "https://{service}.stack.example"' for service in SERVICES)
    plan = PLAN.format(region="my-stack-1").replace("[[images]]", f"{hosts}\n[[images]]")

    target = parse_plan(plan.encode(), path="plan.toml")[0].targets["north"]

    assert target.ims_endpoint == "https://ims.stack.example"


def test_the_clouds_that_a_plan_may_name_are_those_that_there_are():
    named = TypeAdapter(keys_of(TargetTable)["cloud"]).json_schema()["enum"]

    assert named == [cloud.key for cloud in CLOUDS]
