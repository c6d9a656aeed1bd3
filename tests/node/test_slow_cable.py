"""A cable on which a part takes longer than any silence that is borne."""

from __future__ import annotations

import os

import pytest

from finsched.node.store import Store
from finsched.node.stores.multipart import PART_BYTES
from finsched.node.stores.s3 import S3Objects
from finsched.node.web import connections as web
from tests.object_stores import S3Lab

from .cable import cable

MIB = 1 << 20


@pytest.mark.slow
def test_a_part_may_take_longer_than_a_silence(s3: S3Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_SILENT_AT_MOST_SECONDS", 2.0)
    content = os.urandom(PART_BYTES + 1)
    with cable(s3.url) as laid:
        laid.most_bytes_per_second = 3 * MIB  # for each of the connections
        options = {"endpoint": laid.url, "allow_http": True}
        Store(f"s3://{s3.bucket}/run", options, opener=S3Objects).upload("a", [content])
    assert laid.sent_bytes < 1.5 * len(content), "no part was sent again"
    assert s3.store(folder="run").get("a") == content
