"""Objects in a bucket that speaks the XML protocol of S3, as Google's Cloud Storage does, too."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import unquote_plus

from finsched.node.objects import StoredObject
from finsched.node.stores.http_objects import HttpObjects
from finsched.node.stores.multipart import MultipartUploads, PartHeaders


class XmlObjects(HttpObjects):
    """Objects below one folder of a bucket; `part_headers` let the store check a part."""

    def __init__(self, uri: str, folder: str, part_headers: PartHeaders) -> None:
        super().__init__(uri, folder, MultipartUploads(self._ask, part_headers))

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        prefix = f"{self._key(folder)}/"
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        if after:
            query["start-after"] = self._key(after)
        found: list[StoredObject] = []
        while True:
            answer = self._require(self._ask("GET", "", query), "list", 200)
            page = _Page(answer.body)
            found.extend(StoredObject(self._relative(key), size) for key, size in page.objects)
            if page.continuation is None:
                return found
            query["continuation-token"] = page.continuation


class _Page:
    """One page of a listing."""

    def __init__(self, body: bytes) -> None:
        root = ET.fromstring(body)  # noqa: S314 - from the store, over a verified connection
        self.objects = [
            (unquote_plus(_text(entry, "Key")), int(_text(entry, "Size")))
            for entry in root.iterfind("{*}Contents")
        ]
        truncated = _text(root, "IsTruncated") == "true"
        self.continuation = _text(root, "NextContinuationToken") if truncated else None


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
