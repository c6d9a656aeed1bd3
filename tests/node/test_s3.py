"""S3 with the standard library alone: signatures, what goes wrong on the way, large objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.node.clock import to_iso, utc_now
from finsched.node.identity.credentials import Credentials, own_keys
from finsched.node.identity.sigv4 import signed_headers
from finsched.node.store import Missing, Store, StoreError
from finsched.node.stores.address import bucket_address
from finsched.node.stores.multipart import PART_BYTES, parts_of
from finsched.node.stores.s3 import S3Objects
from finsched.node.web.renewed import NoCredentials
from finsched.node.web.request import Request, canonical_query
from finsched_local.metadata import MetadataServer
from tests.object_stores import S3Lab

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=12)
MOMENTS = st.integers(1_600_000_000, 2_200_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
LARGE = 3 * PART_BYTES + 5


def blocks(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))


# --- the signature -------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    path=st.lists(TEXT, max_size=3),
    query=st.dictionaries(TEXT, st.text(max_size=8), max_size=3),
    body=st.binary(max_size=40),
    token=st.sampled_from(["", "a/token+="]),
    moment=MOMENTS,
)
def test_a_signature_is_the_one_that_botocore_makes(
    path: list[str], query: dict[str, str], body: bytes, token: str, moment: datetime
) -> None:
    from urllib.parse import quote

    encoded = "/" + "/".join(quote(part, safe="~") for part in path)
    request = Request(
        method="PUT",
        host="bucket.s3.eu-west-1.amazonaws.com",
        path=encoded,
        query=query,
        headers={"If-None-Match": "*"},
        body=body,
    )
    keys = Credentials("AKIA", "secret/+", token)
    ours = signed_headers(request, keys, region="eu-west-1", service="s3", at=moment)
    assert ours["authorization"] == signed_by_botocore(request, keys, ours)


def signed_by_botocore(request: Request, keys: Credentials, ours: dict[str, str]) -> str:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as BotoCredentials

    url = f"https://{request.host}{request.path}?{canonical_query(request.query)}"
    theirs = AWSRequest(request.method, url, dict(request.headers), request.body)
    theirs.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    theirs.headers["X-Amz-Date"] = ours["x-amz-date"]
    if keys.session_token:
        theirs.headers["X-Amz-Security-Token"] = keys.session_token
    theirs.context["timestamp"] = ours["x-amz-date"]
    boto_keys = BotoCredentials(keys.access_key, keys.secret_key, keys.session_token or None)
    auth = S3SigV4Auth(boto_keys, "s3", "eu-west-1")
    canonical = auth.canonical_request(theirs)
    signature = auth.signature(auth.string_to_sign(theirs, canonical), theirs)
    names = auth.signed_headers(auth.headers_to_sign(theirs))
    scope = auth.credential_scope(theirs)
    return (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )


# --- who signs ---------------------------------------------------------------------------------


class Role(MetadataServer):
    """A machine with an instance profile whose keys are renewed when the test says so."""

    def lend(self, name: str, lifetime: timedelta) -> None:
        document = {
            "AccessKeyId": name,
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": to_iso(utc_now() + lifetime).replace("+00:00", "Z"),
        }
        roles = "/latest/meta-data/iam/security-credentials/"
        self._answers |= {roles: "node\n", f"{roles}node": json.dumps(document)}


@pytest.fixture
def role() -> Iterator[Role]:
    with closing(Role("i-1")) as role:
        yield role


def test_keys_of_the_role_are_kept_until_they_end_soon(role: Role) -> None:
    keys = own_keys({"FINSCHED_METADATA_URL": role.url})
    role.lend("first", timedelta(hours=6))
    assert keys.get().access_key == "first"
    role.lend("second", timedelta(minutes=4))
    assert keys.get().access_key == "first"
    keys.refuse(keys.get())
    assert keys.get().access_key == "second"
    role.lend("third", timedelta(hours=6))
    assert keys.get().access_key == "third"


def test_keys_that_are_still_valid_outlast_a_silent_endpoint() -> None:
    with closing(Role("i-1")) as role:
        keys = own_keys({"FINSCHED_METADATA_URL": role.url})
        role.lend("first", timedelta(minutes=4))
        keys.get()
    assert keys.get().access_key == "first"


def test_a_machine_without_a_role_says_so(role: Role) -> None:
    with pytest.raises(NoCredentials, match="instance profile"):
        own_keys({"FINSCHED_METADATA_URL": role.url}).get()


def test_keys_are_never_shown() -> None:
    assert "canary" not in repr(Credentials("AKIA", "canary", "canary-token"))


@pytest.mark.slow
def test_keys_that_end_early_are_renewed_within_the_call(
    s3: S3Lab, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("FINSCHED_METADATA_URL", role.url)
    store = s3.store()
    role.lend("first", timedelta(hours=6))
    store.create("log/1", b"")
    role.lend("second", timedelta(hours=6))
    s3("keys", valid=["second"])
    assert store.create("log/2", b"")


# --- what goes wrong on the way ------------------------------------------------------------------


@pytest.mark.slow
def test_what_does_not_pass_is_told_in_words(s3: S3Lab) -> None:
    store = s3.store()
    s3("fault", method="GET", status=403, code="AccessDenied")
    with pytest.raises(StoreError, match=r"cannot read .* no permission 403 AccessDenied"):
        store.get("log/1")
    s3("fault", method="PUT", times=9, status=503, code="SlowDown")
    with pytest.raises(StoreError, match=r"cannot write to .* 503 SlowDown"):
        store.create("log/1", b"")
    gone = Store("s3://no-such-bucket/x", s3.options, opener=S3Objects)
    with pytest.raises(StoreError, match="NoSuchBucket") as error:
        gone.get("log/1")
    assert not isinstance(error.value, Missing)


def test_a_server_that_is_not_there_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    store = Store("s3://bucket/x", {"endpoint": "http://127.0.0.1:1"}, opener=S3Objects)
    with pytest.raises(StoreError, match="does not answer"):
        store.list("log")


@pytest.mark.parametrize(
    ("uri", "options"),
    [("s3:///x", {}), ("gs://bucket/x", {}), ("s3://bucket/x", {"bogus": 1})],
)
def test_a_wrong_uri_or_option_is_told_in_words(uri: str, options: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store(uri, options, opener=S3Objects)


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "expected"),
    [
        ("acme", "eu-west-1", "", ("https://acme.s3.eu-west-1.amazonaws.com", "")),
        ("a.b", "us-east-1", "", ("https://s3.us-east-1.amazonaws.com", "/a.b")),
        ("acme", "cn-north-1", "", ("https://acme.s3.cn-north-1.amazonaws.com.cn", "")),
        ("acme", "us-east-1", "http://127.0.0.1:9/", ("http://127.0.0.1:9", "/acme")),
    ],
)
def test_where_a_bucket_answers(
    bucket: str, region: str, endpoint: str, expected: tuple[str, str]
) -> None:
    assert bucket_address(bucket, region, endpoint) == expected


@pytest.mark.slow
def test_the_region_of_a_bucket_is_learnt(s3: S3Lab) -> None:
    s3("home", bucket=s3.bucket, region="eu-north-1")
    store = s3.store()
    assert store.create("log/1", b"")
    assert store.create("log/2", b"")
    assert [call["region"] for call in s3.calls()] == ["us-east-1", "eu-north-1", "eu-north-1"]


# --- large objects -------------------------------------------------------------------------------


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, 3 * 64), max_size=6))
def test_parts_hold_every_byte_in_order(sizes: list[int]) -> None:
    content = [bytes([number % 256]) * (size << 18) for number, size in enumerate(sizes)]
    parts = list(parts_of(content))
    assert b"".join(parts) == b"".join(content)
    assert all(len(part) == PART_BYTES for part in parts[:-1])


@pytest.mark.slow
def test_parts_that_s3_cannot_join_are_told_and_sent_anew(s3: S3Lab) -> None:
    content, store = os.urandom(LARGE), s3.store()
    s3("fault", method="POST", query="uploadId", status=200, code="InternalError")
    with pytest.raises(StoreError, match="could not join the parts: InternalError"):
        store.upload("parts/1", blocks(content))
    store.upload("parts/1", blocks(content))
    assert store.get("parts/1") == content


@pytest.mark.slow
def test_an_upload_that_s3_has_forgotten_begins_anew(s3: S3Lab) -> None:
    content, store = os.urandom(LARGE), s3.store()
    s3("fault", method="PUT", query="partNumber=4", status=404, code="NoSuchUpload")
    with pytest.raises(StoreError, match="NoSuchUpload"):
        store.upload("parts/1", blocks(content))
    store.upload("parts/1", blocks(content))
    assert store.get("parts/1") == content


@pytest.mark.slow
@pytest.mark.parametrize("how", ["another object", "a deletion"])
def test_the_parts_of_an_upload_that_was_given_up_are_freed(s3: S3Lab, how: str) -> None:
    content, store = os.urandom(LARGE), s3.store()
    s3("fault", method="PUT", query="partNumber=2", times=4, status=500)
    with pytest.raises(StoreError):
        store.upload("parts/1", blocks(content))
    if how == "another object":
        store.upload("parts/2", blocks(content))
    else:
        store.delete("parts/1")
    assert len(s3.calls("DELETE", "uploadId=")) == 1
