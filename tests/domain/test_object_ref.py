"""Addresses of objects: one grammar, read once, written as it was read."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.object_ref import LIKELY_BUCKET, ObjectRef, bucket_fault, key_fault, ref_fault

EXAMPLE = "bucket:folder/disk.img"


def test_an_address_is_a_bucket_and_a_key():
    ref = ObjectRef.parse("mig-bucket:images/web-01.img")

    assert (ref.bucket, ref.key) == ("mig-bucket", "images/web-01.img")


def test_the_first_colon_ends_the_bucket_and_the_key_may_have_more():
    assert ObjectRef.parse("bucket:a:b.img") == ObjectRef("bucket", "a:b.img")


@given(st.text(alphabet=string.ascii_lowercase + string.digits + ".-"), st.text())
def test_what_is_written_is_read_again(bucket, key):
    ref = ObjectRef(bucket, key)

    assert ObjectRef.parse(str(ref)) == ref


def test_the_name_of_a_bucket_is_kept_once_for_all_of_its_objects():
    text = "a-bucket-of-many"

    first, second = ObjectRef.parse(f"{text}:a.img"), ObjectRef.parse(f"{text}:b.img")

    assert first.bucket is second.bucket


@pytest.mark.parametrize(
    ("key", "extension", "neighbour"),
    [
        pytest.param("a/web.img", ".img", "a/web.map", id="below a folder"),
        pytest.param("web.IMG", ".IMG", "web.map", id="in capitals"),
        pytest.param("a.b/web", "", "a.b/web.map", id="a dot in the folder only"),
        pytest.param("a/.img", ".img", "a/.map", id="nothing but an extension"),
        pytest.param("web.tar.gz", ".gz", "web.tar.map", id="the last of two"),
    ],
)
def test_an_extension_is_what_a_name_ends_in(key, extension, neighbour):
    ref = ObjectRef("bucket", key)

    assert ref.extension == extension
    assert ref.with_extension(".map") == ObjectRef("bucket", neighbour)


def test_objects_are_in_the_order_of_their_buckets_and_then_of_their_keys():
    refs = [ObjectRef("b", "a"), ObjectRef("a", "b"), ObjectRef("a", "a")]

    assert list(map(str, sorted(refs))) == ["a:a", "a:b", "b:a"]


@pytest.mark.parametrize(
    ("bucket", "reason"),
    [
        pytest.param("abc", None, id="shortest"),
        pytest.param("b" * 63, None, id="longest"),
        pytest.param("a.b--c.1", None, id="odd"),
        pytest.param("ab", "is not the name of a bucket: too short or too long", id="too short"),
        pytest.param("b" * 64, "is not the name of a bucket: too short or too long", id="too long"),
        pytest.param("Bucket", "is not the name of a bucket", id="capitals"),
        pytest.param("a..b", "is not the name of a bucket", id="two dots"),
        pytest.param("a-.b", "is not the name of a bucket", id="a dash before a dot"),
        pytest.param("-ab", "is not the name of a bucket", id="a dash in front"),
        pytest.param("192.168.0.1", "is an IP address, not the name of a bucket", id="an IP address"),
    ],
)
def test_a_bucket_has_a_name_that_the_storage_takes(bucket, reason):
    fault = bucket_fault(bucket)

    assert (fault[0] if fault else None) == reason


@given(st.text(alphabet="ab1.-A_", max_size=66))
def test_no_bucket_of_a_good_name_is_missed_at_first_sight(bucket):

    if bucket_fault(bucket) is None:
        assert re.fullmatch(LIKELY_BUCKET, bucket)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param("k", None, id="shortest"),
        pytest.param("k" * 1024, None, id="longest"),
        pytest.param("镜" * 341, None, id="longest in Chinese"),
        pytest.param("镜" * 342, "more than 1024 bytes", id="many bytes in few characters"),
        pytest.param("k" * 1025, "more than 1024 bytes", id="too long"),
        pytest.param("", "names no object", id="nothing"),
        pytest.param("my disk", "has a space", id="a space"),
        pytest.param("a\u3000b", "has a space", id="a wide space"),
        pytest.param("a\x07b", "has a control character", id="a bell"),
    ],
)
def test_a_key_is_one_that_the_service_takes(key, said):
    fault = key_fault(key, example=EXAMPLE)

    assert fault is None if said is None else fault is not None and said in fault[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("mig-bucket:a.img", None, id="right"),
        pytest.param("obs://mig-bucket/a.img", "is a web address", id="a web address"),
        pytest.param("images/a.img", "has no colon between bucket and key", id="no colon"),
        pytest.param("mi:a.img", 'begins with "mi", which is not the name of a bucket', id="no bucket"),
        pytest.param("mig-bucket:", "names no object in the bucket", id="no key"),
    ],
)
def test_an_address_says_what_is_wrong_with_it(text, reason):
    fault = ref_fault(text, example=EXAMPLE)

    assert fault is None if reason is None else fault is not None and fault[0].startswith(reason)
