"""Objects in an S3 bucket with nothing but the standard library: what a bare machine has."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from finsched.node.aws import Service, error_code
from finsched.node.credentials import Keyring
from finsched.node.multipart import PART_BYTES, MultipartUploads, parts_of
from finsched.node.objects import Missing, StoredObject, StoreError
from finsched.node.sigv4 import Request
from finsched.node.web import Answer

_FIRST_REGION = "us-east-1"
_OPTIONS = {"endpoint", "region", "allow_http"}
_DOWNLOADS_AT_ONCE = 4


class S3Objects:
    """Objects below one `s3://bucket/folder`; the region of the bucket is learnt from S3 itself.

    `options` may name `endpoint`, `region` and `allow_http`, as obstore does.
    """

    def __init__(
        self, uri: str, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        if unknown := options.keys() - _OPTIONS:
            raise StoreError(f"cannot open {uri}: unknown option {', '.join(sorted(unknown))}")
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc:
            raise StoreError(f"cannot open {uri}: it names no bucket")
        self._uri = uri
        self._bucket = parts.netloc
        self._folder = unquote(parts.path).strip("/")
        self._endpoint = options.get("endpoint") or _endpoint(environment)
        self._keyring = Keyring(environment)
        region = options.get("region") or _region(environment)
        self._service, self._base = self._in_region(region)
        self._uploads = MultipartUploads(self._ask)

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        answer = self._call("PUT", key, headers={"if-none-match": "*"}, body=content)
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
        yield from self._rest(key, size, first.headers.get("etag", ""))

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        self._uploads.give_up(self._key(key))
        self._require(self._call("DELETE", key), "delete from", 200, 204, 404)

    def _rest(self, key: str, size: int, etag: str) -> Iterator[bytes]:
        starts = iter(range(PART_BYTES, size, PART_BYTES))
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as threads:
            waiting: deque[Future[bytes]] = deque()
            for start in starts:
                waiting.append(threads.submit(self._range, key, start, etag))
                if len(waiting) == _DOWNLOADS_AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _range(self, key: str, start: int, etag: str) -> bytes:
        headers = {"range": f"bytes={start}-{start + PART_BYTES - 1}", "if-match": etag}
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
        request = Request(
            method=method,
            host="",
            path=f"{self._base}/{quote(key, safe='/~')}",
            query=query,
            headers=headers or {},
            body=body,
        )
        answer = self._service.call(request)
        region = _told_region(answer)
        if region and region != self._service.region:
            self._service, self._base = self._in_region(region)
            return self._ask(method, key, query, headers, body)
        return answer

    def _in_region(self, region: str) -> tuple[Service, str]:
        address, base = bucket_address(self._bucket, region, self._endpoint)
        return Service("s3", address, region, self._keyring), base

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}" if self._folder else key

    def _relative(self, key: str) -> str:
        return key[len(self._folder) + 1 :] if self._folder else key

    def _require(self, answer: Answer, action: str, *wanted: int) -> Answer:
        if answer.status in wanted:
            return answer
        code = error_code(answer)
        if answer.status == 404 and code != "NoSuchBucket":
            raise Missing(f"{self._uri}: the object is not there")
        why = "no permission" if answer.status in {401, 403} else "the answer was"
        raise StoreError(f"cannot {action} {self._uri}: {why} {answer.status} {code}".rstrip())


class _Page:
    """One page of a listing."""

    def __init__(self, body: bytes) -> None:
        root = ET.fromstring(body)  # noqa: S314 - from S3, over a verified connection
        self.objects = [
            (unquote_plus(_text(entry, "Key")), int(_text(entry, "Size")))
            for entry in root.iterfind("{*}Contents")
        ]
        truncated = _text(root, "IsTruncated") == "true"
        self.continuation = _text(root, "NextContinuationToken") if truncated else None


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""


def bucket_address(bucket: str, region: str, endpoint: str = "") -> tuple[str, str]:
    """Return the address of a bucket, and what stands before a key in the path there."""
    if endpoint:
        return endpoint.rstrip("/"), f"/{bucket}"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if "." in bucket:  # a name with a dot fits no certificate
        return f"https://s3.{region}.{domain}", f"/{bucket}"
    return f"https://{bucket}.s3.{region}.{domain}", ""


def _told_region(answer: Answer) -> str:
    if answer.status in {301, 307, 400}:
        return answer.headers.get("x-amz-bucket-region", "")
    return ""


def _endpoint(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""


def _region(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _FIRST_REGION
