"""Objects in a bucket of Google's Cloud Storage with nothing but the standard library.

Its XML interface takes the requests of S3, with generations in place of entity tags.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from finsched.node.identity.access import access_of, identity_for
from finsched.node.stores.address import google_address, named_options, parts_of_uri
from finsched.node.stores.xml_objects import XmlObjects
from finsched.node.web.connections import Answer
from finsched.node.web.request import Request
from finsched.node.web.service import Service


class GsObjects(XmlObjects):
    """Objects below one `gs://bucket/folder`.

    `options` may name `base_url` and `allow_http`, as obstore does.
    """

    if_absent: ClassVar[Mapping[str, str]] = {"x-goog-if-generation-match": "0"}

    def __init__(
        self, uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        chosen = named_options(uri, options, "base_url")
        self._bucket, folder = parts_of_uri(uri, "gs")
        identity = identity_for("gs", access_of(environment, "gs"), "", environment)
        self._service = Service(google_address(chosen, environment), identity)
        super().__init__(uri, folder, md5_header)

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        path = f"/{self._bucket}/{quote(key, safe='/~')}"
        own = headers or {}
        if method in {"PUT", "POST"}:  # nobody else may say what kind of content this is
            own = {"content-type": "application/octet-stream", **own}
        return self._service.call(
            Request(method=method, path=path, query=query, headers=own, body=body)
        )

    def _if_same(self, first: Answer) -> Mapping[str, str]:
        return {"x-goog-if-generation-match": first.headers["x-goog-generation"]}


def md5_header(part: bytes) -> Mapping[str, str]:
    """Return what lets the store refuse a part that was damaged on its way."""
    digest = hashlib.md5(part, usedforsecurity=False).digest()
    return {"content-md5": base64.b64encode(digest).decode()}
