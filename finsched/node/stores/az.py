"""Objects in a container of Azure's Blob Storage with nothing but the standard library."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from finsched.node.identity.access import access_of, identity_for
from finsched.node.objects import StoredObject, StoreError
from finsched.node.stores.address import container_address, named_options, parts_of_uri
from finsched.node.stores.az_blocks import BlockUploads
from finsched.node.stores.gs import md5_header
from finsched.node.stores.http_objects import HttpObjects
from finsched.node.web.connections import Answer
from finsched.node.web.request import Request
from finsched.node.web.service import Service, error_code

_WHOLE = {"x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream"}


class AzObjects(HttpObjects):
    """Objects below one `az://container/folder`.

    `options` may name `account_name`, `endpoint` and `allow_http`, as obstore does.
    """

    if_absent: ClassVar[Mapping[str, str]] = {**_WHOLE, "if-none-match": "*"}
    written: ClassVar[int] = 201

    def __init__(
        self, uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        chosen = named_options(uri, options, "account_name", "endpoint")
        container, folder = parts_of_uri(uri, "az")
        try:
            address, self._base = container_address(container, chosen, environment)
        except ValueError as error:
            raise StoreError(f"cannot open {uri}: {error}") from error
        identity = identity_for("az", access_of(environment, "az"), "", environment)
        self._service = Service(address, identity)
        super().__init__(uri, folder, BlockUploads(self._ask))

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        query = {"restype": "container", "comp": "list", "prefix": f"{self._key(folder)}/"}
        if after:
            query["startFrom"] = self._key(after)  # spares pages, where Azure knows it
        found: list[StoredObject] = []
        while True:
            answer = self._ask("GET", "", query)
            page = _Page(self._require(answer, "list", 200).body)
            found.extend(StoredObject(self._relative(key), size) for key, size in page.objects)
            if not page.marker:
                return [stored for stored in found if stored.key > after]
            query["marker"] = page.marker

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        path = f"{self._base}/{quote(key, safe='/~')}" if key else self._base
        return self._service.call(
            Request(method=method, path=path, query=query, headers=headers or {}, body=body)
        )

    def _if_same(self, first: Answer) -> Mapping[str, str]:
        return {"if-match": first.headers["etag"]}

    def _is_there(self, answer: Answer) -> bool:
        return super()._is_there(answer) or error_code(answer) == "BlobAlreadyExists"

    def _whole(self, content: bytes) -> Mapping[str, str]:
        return {**_WHOLE, **md5_header(content)}


class _Page:
    """One page of a listing."""

    def __init__(self, body: bytes) -> None:
        root = ET.fromstring(body)  # noqa: S314 - from the store, over a verified connection
        self.objects = [
            (_name(blob), int(blob.findtext("Properties/Content-Length") or 0))
            for blob in root.iterfind("Blobs/Blob")
        ]
        self.marker = root.findtext("NextMarker")


def _name(blob: ET.Element) -> str:
    """Return a blob's name; Azure encodes one that XML cannot hold."""
    name = blob.find("Name")
    if name is None or not name.text:
        raise StoreError("Azure lists an object without a name")
    return unquote(name.text) if name.get("Encoded") == "true" else name.text
