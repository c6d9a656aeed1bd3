"""Objects in a bucket that speaks the XML protocol of S3, as Google's Cloud Storage does, too."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import ClassVar
from urllib.parse import unquote_plus

from finsched.node.multipart import PART_BYTES, MultipartUploads, PartHeaders, parts_of
from finsched.node.objects import Missing, StoredObject, StoreError
from finsched.node.parallel import several_at_once
from finsched.node.service import error_code
from finsched.node.web import Answer


class XmlObjects:
    """Objects below one folder of a bucket.

    A cloud says how it is asked (`_ask`), with which headers an object is written only if there is
    none (`if_absent`), read only if it is the same still (`_if_same`), and a part is checked.
    """

    if_absent: ClassVar[Mapping[str, str]]

    def __init__(self, uri: str, folder: str, part_headers: PartHeaders) -> None:
        self._uri = uri
        self._folder = folder
        self._uploads = MultipartUploads(self._ask, part_headers)

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        answer = self._call("PUT", key, headers=self.if_absent, body=content)
        if answer.status == 412:
            return False
        self._require(answer, "write to", 200)
        return True

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        return self._require(self._call("GET", key), "read", 200).body

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

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size; one that failed is taken up again at the next call."""
        parts = parts_of(blocks)
        first, second = next(parts, b""), next(parts, None)
        if second is None:
            self._require(self._call("PUT", key, body=first), "write to", 200)
            return
        try:
            self._uploads.send(self._key(key), chain((first, second), parts))
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
        yield from several_at_once(partial(self._range, key, self._if_same(first)), starts)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        self._uploads.give_up(self._key(key))
        self._require(self._call("DELETE", key), "delete from", 200, 204, 404)

    def _range(self, key: str, same: Mapping[str, str], start: int) -> bytes:
        headers = {"range": f"bytes={start}-{start + PART_BYTES - 1}", **same}
        return self._require(self._call("GET", key, headers=headers), "read", 206).body

    def _call(
        self, method: str, key: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        return self._ask(method, self._key(key), {}, headers or {}, body)

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Return the answer to a request about a key of the bucket, or about the bucket."""
        raise NotImplementedError

    def _if_same(self, first: Answer) -> Mapping[str, str]:
        """Return the headers that refuse an object which is another one by now."""
        raise NotImplementedError

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}" if self._folder else key

    def _relative(self, key: str) -> str:
        return key[len(self._folder) + 1 :] if self._folder else key

    def _require(self, answer: Answer, action: str, *wanted: int) -> Answer:
        return required(answer, self._uri, action, *wanted)


def required(answer: Answer, uri: str, action: str, *wanted: int) -> Answer:
    """Return an answer with a status that was wanted; raises Missing, StoreError in words."""
    if answer.status in wanted:
        return answer
    code = error_code(answer)
    if answer.status == 404 and code not in {"NoSuchBucket", "ContainerNotFound"}:
        raise Missing(f"{uri}: the object is not there")
    why = "no permission" if answer.status in {401, 403} else "the answer was"
    raise StoreError(f"cannot {action} {uri}: {why} {answer.status} {code}".rstrip())


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
