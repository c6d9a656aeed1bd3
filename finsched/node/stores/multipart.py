"""Large objects in parts, several at a time; what a store has of a failed upload is not sent again.

The words are those of S3, which Google's Cloud Storage takes as well.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from finsched.node.objects import StoreError
from finsched.node.stores.parallel import PART_BYTES, several_at_once
from finsched.node.web.connections import Answer
from finsched.node.web.service import code_in, error_code

_PARTS_OF_ONE_SIZE = 1000  # S3 takes 10,000 parts: later ones are larger, up to its 5 TiB

Ask = Callable[..., Answer]
PartHeaders = Callable[[bytes], Mapping[str, str]]


@dataclass(slots=True)
class _Upload:
    """An upload that has begun; `parts` are those that S3 has: number -> (digest, ETag)."""

    id: str
    parts: dict[int, tuple[str, str]] = field(default_factory=dict)


class MultipartUploads:
    """The multipart uploads of one bucket, by key; one is sent at a time.

    `ask` is `(method, key, query, headers, body) -> Answer`; `part_headers` are the digest of a
    part, by which the store refuses one that was damaged on its way.
    """

    def __init__(self, ask: Ask, part_headers: PartHeaders) -> None:
        self._ask = ask
        self._part_headers = part_headers
        self._unfinished: dict[str, _Upload] = {}

    def send(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object of several parts; raises StoreError."""
        upload = self._unfinished.get(key) or self._begin(key)
        self._unfinished[key] = upload
        count = self._send_parts(key, upload, parts)
        self._complete(key, upload, count)
        for other in list(self._unfinished):  # nobody came back for it, and its parts cost money
            self.give_up(other)

    def give_up(self, key: str) -> None:
        """Free what S3 holds of an unfinished upload; best effort."""
        if upload := self._unfinished.pop(key, None):
            with contextlib.suppress(StoreError):
                self._ask("DELETE", key, {"uploadId": upload.id})

    def _begin(self, key: str) -> _Upload:
        answer = self._require(self._ask("POST", key, {"uploads": ""}))
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body)
        if not found:
            raise StoreError("the store named no upload")
        return _Upload(found[1].decode())

    def _send_parts(self, key: str, upload: _Upload, parts: Iterable[bytes]) -> int:
        numbered = enumerate(parts, start=1)
        send = partial(self._send_part, key, upload)
        return sum(1 for _ in several_at_once(send, numbered))

    def _send_part(self, key: str, upload: _Upload, numbered: tuple[int, bytes]) -> None:
        number, part = numbered
        headers = self._part_headers(part)
        digest = "".join(headers.values())
        if upload.parts.get(number, ("", ""))[0] == digest:
            return
        query = {"partNumber": str(number), "uploadId": upload.id}
        answer = self._ask("PUT", key, query, headers, part)
        if error_code(answer) == "NoSuchUpload":
            self._unfinished.pop(key, None)  # the next try begins anew
        self._require(answer)
        upload.parts[number] = (digest, answer.headers["etag"])

    def _complete(self, key: str, upload: _Upload, count: int) -> None:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{upload.parts[number][1]}</ETag></Part>"
            for number in range(1, count + 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self._ask("POST", key, {"uploadId": upload.id}, {}, body)
        self._unfinished.pop(key, None)  # after a refusal the next try begins anew
        self._require(answer)
        if b"<Error>" in answer.body:  # S3 begins its answer with 200 before it is done
            raise StoreError(f"the store could not join the parts: {code_in(answer.body)}")

    def _require(self, answer: Answer) -> Answer:
        if answer.status != 200:
            raise StoreError(f"the answer was {answer.status} {error_code(answer)}".rstrip())
        return answer


def parts_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Join blocks to parts of the size that S3 wants; only the last one is smaller."""
    held: list[bytes] = []
    missing = PART_BYTES
    number = 0
    for block in blocks:
        rest = block
        while len(rest) >= missing:
            yield b"".join((*held, rest[:missing]))
            rest = rest[missing:]
            held, number = [], number + 1
            missing = PART_BYTES << (number // _PARTS_OF_ONE_SIZE)
        if rest:
            held.append(rest)
            missing -= len(rest)
    if held:
        yield b"".join(held)
