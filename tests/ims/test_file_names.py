"""Names of files that no import takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.ims.methods.file_names import refused_name


@pytest.mark.parametrize(
    ("key", "reason", "remedy"),
    [
        pytest.param("web-flat.vmdk", "bare data of a VMware disk", "without -flat", id="the data alone"),
        pytest.param("web-000001.vmdk", "name of a snapshot", "consolidate", id="a snapshot"),
        pytest.param("web_1-000012.vmdk", "name of a snapshot", "needs another name", id="of a second disk"),
        pytest.param("web-000001-delta.vmdk", "data of a snapshot", "consolidate", id="its data on VMFS5"),
        pytest.param("web-000001-sesparse.vmdk", "data of a snapshot", "consolidate", id="on VMFS6"),
        pytest.param("web-s001.vmdk", "one piece of a disk", "without its number", id="a piece"),
        pytest.param("web-f012.vmdk", "one piece of a disk", "needs another name", id="a flat piece"),
        pytest.param("web-rdm.vmdk", "raw device", "/dev/DEVICE", id="a raw device"),
        pytest.param("web-rdmp.vmdk", "raw device", "/dev/DEVICE", id="a raw device, passed through"),
        pytest.param("web-ctk.vmdk", "blocks of a disk have changed", "without -ctk", id="changed blocks"),
        pytest.param("web_1A2B.avhdx", "checkpoint", "merged", id="a checkpoint"),
        pytest.param("web.avhd", "checkpoint", "merged", id="an older checkpoint"),
        pytest.param("web.ova", "archive of a whole machine", "tar -xf", id="OVA"),
        pytest.param("web.ovf", "describes a machine", ".vmdk that it names", id="OVF"),
        pytest.param("rhel9.iso", "installation disc", "import that machine's disk", id="ISO"),
        pytest.param("web.qcow2.gz", "is packed", "unpack it", id="gzip"),
        pytest.param("web.tar", "is packed", "unpack it", id="tar"),
    ],
)
@pytest.mark.parametrize("spelled", [str, str.upper], ids=["as it is", "in capitals"])
@pytest.mark.parametrize("folder", ["", "vm/web-flat.vmdk/", "deep/er/"])
def test_a_file_that_is_no_disk_is_refused_with_reason_and_remedy(key, reason, remedy, spelled, folder):
    refused = refused_name(folder + spelled(key))

    assert refused is not None
    assert reason in refused.reason
    assert remedy in refused.remedy


@pytest.mark.parametrize(
    "key",
    [
        *(f"web{extension}" for extension in (".vmdk", ".vhd", ".vhdx", ".qcow2", ".qcow", ".qed", ".vdi")),
        *("web.raw", "web.img", "web.zvhd", "web.zvhd2", "web.mf", "web", ""),
        pytest.param("web-01.vmdk", id="a number of a machine"),
        pytest.param("web-0000001.vmdk", id="seven digits"),
        pytest.param("web-000001.qcow2", id="six digits, of another format"),
        pytest.param("000001.vmdk", id="a number alone"),
        pytest.param("web-s01.vmdk", id="a number too short for a piece"),
        pytest.param("webflat.vmdk", id="a name that ends in flat"),
        pytest.param("web-flat.vmdk/disk.qcow2", id="a folder"),
        pytest.param("iso", id="no extension"),
        pytest.param("rhel9.iso.qcow2", id="once an ISO"),
        pytest.param("web-delta.qcow2", id="a machine called delta"),
        pytest.param("web-٠٠٠٠٠١.vmdk", id="digits that VMware does not write"),
    ],
)
def test_a_name_that_says_nothing_against_a_file_is_let_through(key):
    assert refused_name(key) is None


@given(st.text(), st.sampled_from(["-flat.vmdk", "-000001.vmdk", ".ova", ".iso", ".avhdx", ".gz"]))
def test_whatever_stands_before_the_ending(beginning, ending):
    assert refused_name(beginning + ending) is not None


@given(st.text())
def test_any_key_is_answered_and_reasons_read_as_the_rest_of_a_sentence(key):
    refused = refused_name(key)

    if refused is not None:
        assert refused.reason[0].islower()
        assert not refused.remedy.endswith(".")
