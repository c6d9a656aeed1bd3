"""Objects in a container of Azure's Blob Storage with nothing but the standard library."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import quote, unquote

from finsched.node.access import access_of, identity_for
from finsched.node.az_blocks import BlockUploads
from finsched.node.gs import md5_header
from finsched.node.multipart import PART_BYTES, parts_of
from finsched.node.objects import StoredObject, StoreError
from finsched.node.parallel import several_at_once
from finsched.node.request import Request
from finsched.node.service import Service, error_code
from finsched.node.store_address import container_address, named_options, parts_of_uri
from finsched.node.web import Answer
from finsched.node.xml_objects import required

_WHOLE = {"x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream"}


class AzObjects:
    """Objects below one `az://container/folder`.

    `options` may name `account_name`, `endpoint` and `allow_http`, as obstore does.
    """

    def __init__(
        self, uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        chosen = named_options(uri, options, "account_name", "endpoint")
        container, self._folder = parts_of_uri(uri, "az")
        try:
            address, self._base = container_address(container, chosen, environment)
        except ValueError as error:
            raise StoreError(f"cannot open {uri}: {error}") from error
        identity = identity_for("az", access_of(environment, "az"), "", environment)
        self._service = Service(address, identity)
        self._uri = uri
        self._uploads = BlockUploads(self._call)

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        answer = self._call("PUT", key, headers={**_WHOLE, "if-none-match": "*"}, body=content)
        if answer.status == 412 or error_code(answer) == "BlobAlreadyExists":
            return False
        self._require(answer, "write to", 201)
        return True

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        return self._require(self._call("GET", key), "read", 200).body

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        query = {"restype": "container", "comp": "list", "prefix": f"{self._key(folder)}/"}
        if after:
            query["startFrom"] = self._key(after)  # spares pages, where Azure knows it
        found: list[StoredObject] = []
        while True:
            answer = self._service.call(Request(method="GET", path=self._base, query=query))
            page = _Page(self._require(answer, "list", 200).body)
            found.extend(StoredObject(self._relative(key), size) for key, size in page.objects)
            if not page.marker:
                return [stored for stored in found if stored.key > after]
            query["marker"] = page.marker

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size; one that failed is taken up again at the next call."""
        parts = parts_of(blocks)
        first, second = next(parts, b""), next(parts, None)
        if second is None:
            headers = {**_WHOLE, **md5_header(first)}
            self._require(self._call("PUT", key, headers=headers, body=first), "write to", 201)
            return
        try:
            self._uploads.send(key, chain((first, second), parts))
        except StoreError as error:
            raise StoreError(f"cannot write to {self._uri}: {error}") from error

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks, several of them on their way at a time."""
        answer = self._call("GET", key, headers={"range": f"bytes=0-{PART_BYTES - 1}"})
        if answer.status == 416:  # an empty object has no first byte
            return
        first = self._require(answer, "read", 206)
        yield first.body
        size = int(first.headers["content-range"].rpartition("/")[2])
        starts = range(PART_BYTES, size, PART_BYTES)
        yield from several_at_once(partial(self._range, key, first.headers["etag"]), starts)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        self._require(self._call("DELETE", key), "delete from", 202, 404)

    def _range(self, key: str, etag: str, start: int) -> bytes:
        headers = {"range": f"bytes={start}-{start + PART_BYTES - 1}", "if-match": etag}
        return self._require(self._call("GET", key, headers=headers), "read", 206).body

    def _call(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        path = f"{self._base}/{quote(self._key(key), safe='/~')}"
        return self._service.call(
            Request(method=method, path=path, query=query or {}, headers=headers or {}, body=body)
        )

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}" if self._folder else key

    def _relative(self, key: str) -> str:
        return key[len(self._folder) + 1 :] if self._folder else key

    def _require(self, answer: Answer, action: str, *wanted: int) -> Answer:
        return required(answer, self._uri, action, *wanted)


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
