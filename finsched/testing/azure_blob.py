"""Azure's Blob Storage, as the node's client and obstore speak it.

Azurite is the better emulator; this one needs nothing but Python. The tests hold both to the same
contract. A shared access signature is a token here: its text, not its signature, is checked.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from finsched.testing.object_server import Answered, Asked, Held, ObjectServer, Refused, ranged

_ACCOUNT = "devstoreaccount1"
_PART = (
    "--batch\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
    "HTTP/1.1 {status}\r\nx-ms-request-id: 0\r\nx-ms-version: 2021-12-02\r\n\r\n"
)


class FakeAzureBlob(ObjectServer):
    """Containers of one storage account."""

    def __init__(self, *containers: str, tokens: tuple[str, ...] = ()) -> None:
        self._blocks: dict[tuple[str, str], dict[str, bytes]] = {}
        super().__init__(*containers, tokens=tokens)

    @property
    def options(self) -> dict[str, Any]:
        """With which options a store here is opened, by the node and by obstore."""
        endpoint = f"{self.address}/{_ACCOUNT}"
        return {"account_name": _ACCOUNT, "endpoint": endpoint, "allow_http": True}

    def shown_token(self, asked: Asked) -> str:
        """Return the token, or the signature of the query."""
        return asked.query.get("sig") or super().shown_token(asked)

    def answer(self, asked: Asked) -> Answered:
        """Answer one request; raises Refused."""
        account, _, rest = asked.path[1:].partition("/")
        container, _, key = rest.partition("/")
        if account != _ACCOUNT or container not in self.folders:
            raise Refused(404, "ContainerNotFound")
        if "x-ms-version" not in asked.headers:
            raise Refused(400, "MissingRequiredHeader")
        if asked.query.get("comp") == "list":
            return self._list(container, asked.query)
        if asked.query.get("comp") == "batch":
            return self._delete_batch(asked)
        methods = {"PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}
        return methods[asked.method](container, key, asked)

    def _put(self, container: str, key: str, asked: Asked) -> Answered:
        part = asked.query.get("comp")
        if part == "block":
            return self._put_block(container, key, asked)
        if part == "blocklist":
            content = self._joined(container, key, asked.body)
        elif asked.headers.get("x-ms-blob-type") == "BlockBlob":
            content = asked.body
        else:
            raise Refused(400, "InvalidHeaderValue")
        self._check(container, key, asked)
        self._blocks.pop((container, key), None)
        return Answered(201, _headers(self.put(container, key, content)))

    def _put_block(self, container: str, key: str, asked: Asked) -> Answered:
        block_id = asked.query["blockid"]
        blocks = self._blocks.setdefault((container, key), {})
        if len(base64.b64decode(block_id)) > 64 or len({*map(len, [*blocks, block_id])}) > 1:
            raise Refused(400, "InvalidBlobOrBlock")
        blocks[block_id] = asked.body
        return Answered(201)

    def _joined(self, container: str, key: str, block_list: bytes) -> bytes:
        wanted = re.findall(rb"<(?:Latest|Uncommitted)>([^<]+)</", block_list)
        blocks = self._blocks.get((container, key), {})
        if any(each.decode() not in blocks for each in wanted):
            raise Refused(400, "InvalidBlockList")
        return b"".join(blocks[each.decode()] for each in wanted)

    def _get(self, container: str, key: str, asked: Asked) -> Answered:
        held = self._held(container, key)
        self._check(container, key, asked)
        return ranged(asked, held.content, _headers(held))

    def _delete(self, container: str, key: str, asked: Asked) -> Answered:
        self._held(container, key)
        self._check(container, key, asked)
        del self.objects[container, key]
        return Answered(202)

    def _delete_batch(self, asked: Asked) -> Answered:
        """Delete what a batch names: obstore deletes single blobs like this, too."""
        paths = re.findall(rb"^DELETE (\S+) HTTP/1.1", asked.body, re.MULTILINE)
        parts = []
        for number, path in enumerate(paths):
            _, container, key = unquote(urlsplit(path.decode()).path)[1:].split("/", 2)
            gone = self.objects.pop((container, key), None)
            status = "202 Accepted" if gone else "404 The specified blob does not exist."
            parts.append(_PART.format(number=number, status=status))
        body = "".join([*parts, "--batch--\r\n"]).encode()
        return Answered(202, {"content-type": "multipart/mixed; boundary=batch"}, body)

    def _held(self, container: str, key: str) -> Held:
        held = self.objects.get((container, key))
        if held is None:
            raise Refused(404, "BlobNotFound")
        return held

    def _check(self, container: str, key: str, asked: Asked) -> None:
        held = self.objects.get((container, key))
        if asked.headers.get("if-none-match") == "*" and held and asked.method == "PUT":
            raise Refused(409, "BlobAlreadyExists")
        wanted = asked.headers.get("if-match")
        if wanted and (held is None or wanted != _headers(held)["etag"]):
            raise Refused(412, "ConditionNotMet")

    def _list(self, container: str, query: Mapping[str, str]) -> Answered:
        after, prefix = query.get("marker", ""), query.get("prefix", "")
        first = query.get("startFrom", "")
        keys = sorted(
            key
            for folder, key in self.objects
            if folder == container and key.startswith(prefix) and key > after and key >= first
        )
        page = keys[: int(query.get("maxresults", self.page_keys))]
        blobs = "".join(self._entry(key, self.objects[container, key]) for key in page)
        marker = escape(page[-1]) if len(keys) > len(page) else ""
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults>'
            f"<Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
        )
        return Answered(200, {"content-type": "application/xml"}, text.encode())

    def _entry(self, key: str, held: Held) -> str:
        return (
            f"<Blob><Name>{escape(key)}</Name><Properties>"
            "<Creation-Time>Sun, 01 Mar 2026 10:00:00 GMT</Creation-Time>"
            "<Last-Modified>Sun, 01 Mar 2026 10:00:00 GMT</Last-Modified>"
            f"<Etag>{held.version:#x}</Etag><Content-Length>{len(held.content)}</Content-Length>"
            "<Content-Type>application/octet-stream</Content-Type>"
            "<BlobType>BlockBlob</BlobType></Properties></Blob>"
        )


def _headers(held: Held) -> dict[str, str]:
    return {
        "etag": f'"{held.version:#x}"',
        "last-modified": "Sun, 01 Mar 2026 10:00:00 GMT",
        "x-ms-blob-type": "BlockBlob",
    }
