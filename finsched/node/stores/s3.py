"""Objects in an S3 bucket with nothing but the standard library: what a bare machine has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from finsched.node.identity.access import access_of, keys_for, of_aws
from finsched.node.stores.address import bucket_address, named_options, parts_of_uri, s3_endpoint
from finsched.node.stores.xml_objects import XmlObjects
from finsched.node.web.connections import Answer
from finsched.node.web.request import Request
from finsched.node.web.service import Service

_FIRST_REGION = "us-east-1"


class S3Objects(XmlObjects):
    """Objects below one `s3://bucket/folder`; the region of the bucket is learnt from S3 itself.

    `options` may name `endpoint`, `region` and `allow_http`, as obstore does.
    """

    if_absent: ClassVar[Mapping[str, str]] = {"if-none-match": "*"}

    def __init__(
        self, uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        chosen = named_options(uri, options, "endpoint", "region")
        self._bucket, folder = parts_of_uri(uri, "s3")
        self._endpoint = chosen.get("endpoint") or s3_endpoint(environment)
        self._keys = keys_for(access_of(environment, "s3"), environment)
        self._use_region(chosen.get("region") or _region(environment))
        super().__init__(uri, folder, _sha256)

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        path = f"{self._base}/{quote(key, safe='/~')}"
        asked = Request(method=method, path=path, query=query, headers=headers or {}, body=body)
        answer = self._service.call(asked)
        region = _told_region(answer)
        if region and region != self._region:
            self._use_region(region)
            return self._ask(method, key, query, headers, body)
        return answer

    def _if_same(self, first: Answer) -> Mapping[str, str]:
        return {"if-match": first.headers.get("etag", "")}

    def _use_region(self, region: str) -> None:
        self._region = region
        address, self._base = bucket_address(self._bucket, region, self._endpoint)
        self._service = Service(address, of_aws(self._keys, region))


def _sha256(part: bytes) -> Mapping[str, str]:
    return {"x-amz-content-sha256": hashlib.sha256(part).hexdigest()}


def _told_region(answer: Answer) -> str:
    if answer.status in {301, 307, 400}:
        return answer.headers.get("x-amz-bucket-region", "")
    return ""


def _region(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _FIRST_REGION
