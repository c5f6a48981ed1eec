"""The clouds that speak this API: their regions, and where the services of a region are to be found.

Another cloud is another entry in `CLOUDS`. A region that none of them knows needs its endpoints in the plan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SERVICES = ("ims", "iam", "obs")
"""The image, identity and object services, as their hosts are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudProfile:
    """One cloud: which regions it has, and what their hosts are called."""

    key: str
    """What a plan calls it."""

    name: str
    """As its makers call it."""

    domain: str
    """Hosts are SERVICE.REGION.domain."""

    domains: Mapping[str, str] = field(default_factory=dict)
    """By region, where it is another domain."""

    identity_hosts: Mapping[str, str] = field(default_factory=dict)
    """By region, what its identity host begins with, where that is not "iam"."""

    regions: tuple[str, ...]

    shared_identity: frozenset[str] = frozenset()
    """Regions without an identity host of their own: they use iam.domain."""

    uncertain: frozenset[str] = frozenset()
    """Regions that run under another domain by some sources, so the usual hosts may be wrong."""

    def endpoint(self, service: str, region: str) -> str:
        """Base URL of one of `SERVICES` in a region."""
        if service == "iam" and region in self.shared_identity:
            return f"https://iam.{self.domain}"
        host = self.identity_hosts.get(region, service) if service == "iam" else service
        return f"https://{host}.{region}.{self.domains.get(region, self.domain)}"


# fmt: off
HUAWEI_CLOUD = CloudProfile(
    key="huawei",
    name="Huawei Cloud",
    domain="myhuaweicloud.com",
    # Regions with an image service (huaweicloudsdkims 3.1.219, v2/region/ims_region.py).
    regions=(
        "af-north-1", "af-south-1", "ae-ad-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3",
        "ap-southeast-4", "ap-southeast-5", "cn-east-2", "cn-east-3", "cn-east-4", "cn-east-5",
        "cn-north-1", "cn-north-2", "cn-north-4", "cn-north-9", "cn-north-11", "cn-north-12", "cn-south-1",
        "cn-south-2", "cn-south-4", "cn-southwest-2", "cn-southwest-3", "eu-west-0", "eu-west-101",
        "la-north-2", "la-south-2", "me-east-1", "my-kualalumpur-1", "na-mexico-1", "ru-moscow-1",
        "sa-brazil-1", "tr-west-1",
    ),
    # huaweicloudsdkcore 3.1.219, auth/internal
    shared_identity=frozenset(
        {"cn-north-11", "cn-south-4", "cn-southwest-3", "ap-southeast-5", "af-north-1", "eu-west-101"}
    ),
    uncertain=frozenset({"eu-west-0", "eu-west-101"}),
)
# fmt: on

OPEN_TELEKOM_CLOUD = CloudProfile(
    key="otc",
    name="Open Telekom Cloud",
    domain="otc.t-systems.com",
    # Its documentation, "Regions and Endpoints"; public Terraform set-ups of eu-ch2 use these hosts.
    regions=("eu-de", "eu-nl", "eu-ch2"),
    domains={"eu-ch2": "sc.otc.t-systems.com"},
    identity_hosts={"eu-ch2": "iam-pub"},
)

CLOUDS: tuple[CloudProfile, ...] = (HUAWEI_CLOUD, OPEN_TELEKOM_CLOUD)
"""The first that knows a region serves it; a region that none knows is looked for at the first."""


def cloud_of(region: str, key: str | None = None) -> CloudProfile:
    """The cloud that a region belongs to; the one that a plan named, where it named one."""
    if key is not None:
        return next(cloud for cloud in CLOUDS if cloud.key == key)
    return next((cloud for cloud in CLOUDS if region in cloud.regions), CLOUDS[0])


def regions() -> Iterator[str]:
    """Every region that we know."""
    for cloud in CLOUDS:
        yield from cloud.regions


def usual_endpoint(service: str, region: str, cloud: str | None = None) -> str:
    """Base URL of one of `SERVICES` in a region (API reference of each service, endpoints)."""
    return cloud_of(region, cloud).endpoint(service, region)
