"""S3 as finsched's own machine reaches it: keys of a profile, and the region of the bucket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finsched.node.stores.remote import RemoteObjects
from finsched.node.stores.s3_region import bucket_region
from tests.object_stores import S3Lab

PROFILE = """[work]
aws_access_key_id = AKIAPROFILE
aws_secret_access_key = secret
"""


@pytest.mark.slow
def test_the_keys_of_a_profile_are_used(
    s3: S3Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text(PROFILE)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert s3.store(RemoteObjects).create("log/1", b"")
    assert {call["signed_by"] for call in s3.calls()} == {"AKIAPROFILE"}


@pytest.mark.slow
def test_s3_says_where_a_bucket_is(s3: S3Lab) -> None:
    s3("home", bucket=s3.bucket, region="eu-north-1")
    assert bucket_region(s3.bucket, s3.url) == "eu-north-1"
    assert [call["signed_by"] for call in s3.calls()] == [""], "anybody may ask"


def test_where_nobody_answers_the_region_stays_unknown() -> None:
    assert bucket_region("bucket", "http://127.0.0.1:1") == ""


def test_a_bare_machine_has_stores_of_its_own(tmp_path: Path) -> None:
    """Without the site packages there is no obstore; other places are told in words."""
    script = """
from finsched.node.store import Store, StoreError
for uri in ("s3://bucket/run", "gs://bucket/run", "az://container/run"):
    print(type(Store(uri)._objects).__name__)
try:
    Store("file:///tmp/run")
except StoreError as error:
    print(error)
"""
    root = Path(__file__).parents[2]
    python = [sys.executable, "-S", "-c", script]
    own = {"PYTHONPATH": str(root), "AZURE_STORAGE_ACCOUNT_NAME": "acme"}
    found = subprocess.run(python, env=own, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "S3Objects",
        "GsObjects",
        "AzObjects",
        "cannot open file:///tmp/run: a machine without obstore reaches s3, gs and az only",
    ]
