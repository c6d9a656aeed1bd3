"""The node's clients of three clouds, with what goes wrong on the way; large objects."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any

import pytest

from finsched.node.store import Missing, Opener, Store, StoreError
from finsched.node.stores.az import AzObjects, _Page
from finsched.node.stores.gs import GsObjects
from finsched.node.stores.multipart import PART_BYTES

from .cloud_labs import FakeLab, FaultyLab

pytestmark = pytest.mark.slow
LARGE = 3 * PART_BYTES + 5


def part(cloud: str, number: int) -> dict[str, str]:
    """What matches the call that sends a part."""
    if cloud != "az":
        return {"method": "PUT", "query": f"partNumber={number}&"}
    block = base64.b64encode(f"{number:06d}".encode()).decode()
    return {"method": "PUT", "query": f"blockid={block}"}


@pytest.fixture(params=["s3", "gs", "az"])
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lab(cloud: str, request: pytest.FixtureRequest) -> FaultyLab:
    lab: FaultyLab = request.getfixturevalue(cloud)
    return lab


@pytest.fixture
def store(lab: FaultyLab) -> Store:
    return lab.open("stdlib")


def blocks(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))


@pytest.mark.parametrize("how", [{"status": 503, "code": "ServerBusy"}, {"status": 500}])
def test_what_passes_is_tried_again(lab: FaultyLab, store: Store, how: dict[str, Any]) -> None:
    lab.fault(method="PUT", times=2, **how)
    assert store.create("log/1", b"x")
    assert len(lab.calls("PUT")) == 3


def test_a_lost_answer_is_not_a_second_object(lab: FaultyLab, store: Store) -> None:
    """The first put is done, its repetition meets it: whoever numbers objects reads it back."""
    lab.fault(method="PUT", lose=True)
    assert not store.create("log/1", b"x")
    assert store.get("log/1") == b"x"


def test_what_does_not_pass_is_told_in_words(lab: FaultyLab, store: Store) -> None:
    lab.fault(method="GET", status=403, code="AccessDenied")
    with pytest.raises(StoreError, match=r"cannot read .* no permission 403 AccessDenied"):
        store.get("log/1")
    lab.fault(method="PUT", times=9, status=503, code="ServerBusy")
    with pytest.raises(StoreError, match=r"cannot write to .* 503 ServerBusy"):
        store.create("log/1", b"")


def test_a_large_object_goes_in_parts_and_comes_in_ranges(lab: FaultyLab, store: Store) -> None:
    content = os.urandom(LARGE)
    store.upload("parts/1", blocks(content))
    assert [call["bytes"] for call in lab.calls("PUT")].count(PART_BYTES) == 3
    assert b"".join(store.download("parts/1")) == content
    assert len([call for call in lab.calls("GET") if call["range"]]) == 4


def test_an_object_that_is_replaced_on_the_way_is_not_mixed(store: Store) -> None:
    store.upload("parts/1", blocks(os.urandom(2 * PART_BYTES)))
    arriving = store.download("parts/1")
    next(arriving)
    store.upload("parts/1", blocks(os.urandom(2 * PART_BYTES)))
    with pytest.raises(StoreError, match="412"):
        next(arriving)


def test_a_broken_upload_goes_on_where_it_broke_off(
    cloud: str, lab: FaultyLab, store: Store
) -> None:
    content = os.urandom(LARGE)
    lab.fault(**part(cloud, 3), times=4, status=500)
    with pytest.raises(StoreError, match="500"):
        store.upload("parts/1", blocks(content))
    sent = len(lab.calls("PUT"))
    store.upload("parts/1", blocks(content))
    again = [call for call in lab.calls("PUT")[sent:] if call["bytes"] in {PART_BYTES, 5}]
    assert len(again) <= 2, "the parts that are there are not sent again"
    assert store.get("parts/1") == content


def test_a_part_that_has_changed_is_sent_again(cloud: str, lab: FaultyLab, store: Store) -> None:
    content = bytearray(os.urandom(LARGE))
    lab.fault(**part(cloud, 4), times=4, status=500)
    with pytest.raises(StoreError):
        store.upload("parts/1", blocks(bytes(content)))
    content[0] ^= 1
    store.upload("parts/1", blocks(bytes(content)))
    assert store.get("parts/1") == content


def test_parts_that_cannot_be_joined_are_told_and_sent_anew(
    cloud: str, lab: FaultyLab, store: Store
) -> None:
    content = os.urandom(LARGE)
    joining = (
        {"method": "PUT", "query": "blocklist"}
        if cloud == "az"
        else {"method": "POST", "query": "uploadId"}
    )
    lab.fault(**joining, status=400, code="InvalidPart")
    with pytest.raises(StoreError, match="InvalidPart"):
        store.upload("parts/1", blocks(content))
    store.upload("parts/1", blocks(content))
    assert store.get("parts/1") == content


@pytest.mark.parametrize("place", ["gs", "az"])
def test_a_bucket_that_is_not_there_is_not_a_missing_object(
    place: str, request: pytest.FixtureRequest
) -> None:
    lab: FakeLab = request.getfixturevalue(place)
    gone = Store(f"{place}://no-such-place/x", lab.options, opener=lab.opener)
    with pytest.raises(StoreError, match=r"NoSuchBucket|ContainerNotFound") as error:
        gone.get("log/1")
    assert not isinstance(error.value, Missing)


@pytest.mark.parametrize("place", ["gs", "az"])
def test_a_token_that_was_taken_back_is_replaced_within_the_call(
    place: str, request: pytest.FixtureRequest
) -> None:
    lab: FakeLab = request.getfixturevalue(place)
    store = lab.open("stdlib")
    assert store.create("log/1", b"")
    lab.fault(status=401, code="InvalidAuthenticationInfo")
    assert store.create("log/2", b"")
    lab.server.tokens.clear()
    with pytest.raises(StoreError, match=r"no permission 401"):
        store.get("log/1")


@pytest.mark.parametrize(
    ("uri", "options", "opener"),
    [
        ("gs:///x", {}, GsObjects),
        ("s3://bucket/x", {}, GsObjects),
        ("gs://bucket/x", {"bogus": 1}, GsObjects),
        ("az:///x", {"account_name": "acme"}, AzObjects),
        ("az://container/x", {}, AzObjects),
        ("az://container/x", {"account_name": "acme", "account_key": "k"}, AzObjects),
    ],
)
def test_a_wrong_uri_or_option_is_told_in_words(
    uri: str, options: dict[str, Any], opener: Opener
) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store(uri, options, opener=opener)


def test_azure_lists_names_that_xml_cannot_hold() -> None:
    """Azure encodes such a name and says so; Azurite and the fake do not know it."""
    blob = b'<Blob><Name Encoded="true">a%01b%2Fc</Name></Blob>'
    body = b"<EnumerationResults><Blobs>" + blob + b"</Blobs></EnumerationResults>"
    assert _Page(body).objects == [("a\x01b/c", 0)]
