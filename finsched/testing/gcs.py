"""Google's Cloud Storage in its XML interface, as the node's client and obstore speak it.

Preconditions on generations are honoured, which the public emulators do not do. The shapes follow
https://cloud.google.com/storage/docs/xml-api/reference-methods; nothing here was compared with the
real service.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from finsched.testing.object_server import Answered, Asked, Held, ObjectServer, Refused, ranged

_SMALLEST_PART_BYTES = 5 << 20


class FakeGcs(ObjectServer):
    """Buckets of Cloud Storage; `base_url` is an option of the store's URI."""

    def __init__(self, *buckets: str, tokens: tuple[str, ...] = ()) -> None:
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._ids = itertools.count(1)
        super().__init__(*buckets, tokens=tokens)

    @property
    def options(self) -> dict[str, object]:
        """With which options a store here is opened, by the node and by obstore."""
        return {"base_url": self.address, "allow_http": True}

    def answer(self, asked: Asked) -> Answered:
        """Answer one request; raises Refused."""
        bucket, _, key = asked.path[1:].partition("/")
        if bucket not in self.folders:
            raise Refused(404, "NoSuchBucket")
        if not key:
            return self._list(bucket, asked.query)
        if "uploads" in asked.query or "uploadId" in asked.query:
            return self._multipart(bucket, key, asked)
        methods = {"PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}
        return methods[asked.method](bucket, key, asked)

    def _put(self, bucket: str, key: str, asked: Asked) -> Answered:
        self._check(bucket, key, asked)
        return Answered(200, _headers(self.put(bucket, key, asked.body)))

    def _get(self, bucket: str, key: str, asked: Asked) -> Answered:
        held = self._held(bucket, key)
        self._check(bucket, key, asked)
        return ranged(asked, held.content, _headers(held))

    def _delete(self, bucket: str, key: str, asked: Asked) -> Answered:
        self._held(bucket, key)
        self._check(bucket, key, asked)
        del self.objects[bucket, key]
        return Answered(204)

    def _held(self, bucket: str, key: str) -> Held:
        held = self.objects.get((bucket, key))
        if held is None:
            raise Refused(404, "NoSuchKey")
        return held

    def _check(self, bucket: str, key: str, asked: Asked) -> None:
        wanted = asked.headers.get("x-goog-if-generation-match")
        held = self.objects.get((bucket, key))
        if wanted is not None and int(wanted) != (held.version if held else 0):
            raise Refused(412, "PreconditionFailed")

    # --- multipart uploads -----------------------------------------------------------------------

    def _multipart(self, bucket: str, key: str, asked: Asked) -> Answered:
        if "uploads" in asked.query:
            upload_id = f"upload-{next(self._ids)}"
            self._uploads[upload_id] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        upload_id = asked.query["uploadId"]
        if upload_id not in self._uploads:
            raise Refused(404, "NoSuchUpload")
        if asked.method == "PUT":
            number = int(asked.query["partNumber"])
            self._uploads[upload_id][number] = asked.body
            return Answered(200, {"etag": f'"{upload_id}-{number}"'})
        parts = self._uploads.pop(upload_id)
        if asked.method == "DELETE":
            return Answered(204)
        return self._complete(bucket, key, parts, asked)

    def _complete(
        self, bucket: str, key: str, parts: Mapping[int, bytes], asked: Asked
    ) -> Answered:
        listed = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", asked.body)]
        if listed != sorted(listed) or not {*listed} <= parts.keys():
            raise Refused(400, "InvalidPart")
        if any(len(parts[number]) < _SMALLEST_PART_BYTES for number in listed[:-1]):
            raise Refused(400, "EntityTooSmall")
        self._check(bucket, key, asked)
        held = self.put(bucket, key, b"".join(parts[number] for number in listed))
        tag = f'"{held.version}"'
        answered = _xml(
            f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        )
        return Answered(200, {**answered.headers, **_headers(held)}, answered.body)

    # --- listings --------------------------------------------------------------------------------

    def _list(self, bucket: str, query: Mapping[str, str]) -> Answered:
        after = query.get("continuation-token") or query.get("start-after", "")
        prefix = query.get("prefix", "")
        keys = sorted(
            key
            for folder, key in self.objects
            if folder == bucket and key.startswith(prefix) and key > after
        )
        page = keys[: int(query.get("max-keys", self.page_keys))]
        is_url = query.get("encoding-type") == "url"
        word = quote_plus if is_url else escape
        entries = "".join(
            f"<Contents><Key>{word(key)}</Key>"
            f"<Size>{len(self.objects[bucket, key].content)}</Size>"
            f"<ETag>&quot;{self.objects[bucket, key].version}&quot;</ETag>"
            "<LastModified>2026-03-01T10:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        more = len(keys) > len(page)
        rest = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return _xml(
            f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(page)}</KeyCount>"
            f"{'<EncodingType>url</EncodingType>' if is_url else ''}"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{rest}{entries}</ListBucketResult>"
        )


def _headers(held: Held) -> dict[str, str]:
    return {
        "etag": f'"{held.version}"',
        "x-goog-generation": str(held.version),
        "last-modified": "Sun, 01 Mar 2026 10:00:00 GMT",
    }


def _xml(text: str) -> Answered:
    document = f'<?xml version="1.0" encoding="UTF-8"?>{text}'
    return Answered(200, {"content-type": "application/xml"}, document.encode())
