"""Objects that a store keeps behind HTTP: what all dialects have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import ClassVar, Protocol

from finsched.node.objects import Missing, StoreError
from finsched.node.stores.multipart import parts_of
from finsched.node.stores.parallel import PART_BYTES, several_at_once
from finsched.node.web.connections import Answer
from finsched.node.web.service import error_code


class Uploads(Protocol):
    """How a dialect writes large objects, by their full key."""

    def send(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object of several parts; raises StoreError."""
        ...

    def give_up(self, key: str) -> None:
        """Free what the store holds of an unfinished upload; best effort."""
        ...


class HttpObjects:
    """Objects below one folder of a bucket or container.

    A dialect says how the store is asked (`_ask`), with which headers an object is written only if
    there is none (`if_absent`) and read only if it is the same still (`_if_same`), and lists.
    """

    if_absent: ClassVar[Mapping[str, str]]
    written: ClassVar[int] = 200

    def __init__(self, uri: str, folder: str, uploads: Uploads) -> None:
        self._uri = uri
        self._folder = folder
        self._uploads = uploads

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        answer = self._call("PUT", key, headers=self.if_absent, body=content)
        if self._is_there(answer):
            return False
        self._require(answer, "write to", self.written)
        return True

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        return self._require(self._call("GET", key), "read", 200).body

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size; one that failed is taken up again at the next call."""
        parts = parts_of(blocks)
        first, second = next(parts, b""), next(parts, None)
        if second is None:
            answer = self._call("PUT", key, headers=self._whole(first), body=first)
            self._require(answer, "write to", self.written)
            return
        try:
            self._uploads.send(self._key(key), chain((first, second), parts))
        except StoreError as error:
            raise StoreError(f"cannot write to {self._uri}: {error}") from error

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks, several of them on their way at a time."""
        answer = self._range(key, 0, {})
        if answer.status == 416:  # an empty object has no first byte
            return
        first = self._require(answer, "read", 206)
        yield first.body
        size, same = int(first.headers["content-range"].rpartition("/")[2]), self._if_same(first)
        for rest in several_at_once(
            lambda start: self._range(key, start, same), range(PART_BYTES, size, PART_BYTES)
        ):
            yield self._require(rest, "read", 206).body

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        self._uploads.give_up(self._key(key))
        self._require(self._call("DELETE", key), "delete from", 200, 202, 204, 404)

    def _range(self, key: str, start: int, same: Mapping[str, str]) -> Answer:
        headers = {"range": f"bytes={start}-{start + PART_BYTES - 1}", **same}
        return self._call("GET", key, headers=headers)

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
        """Return the answer to a request about a full key; an empty one means the bucket."""
        raise NotImplementedError

    def _if_same(self, first: Answer) -> Mapping[str, str]:
        """Return the headers that refuse an object which is another one by now."""
        raise NotImplementedError

    def _is_there(self, answer: Answer) -> bool:
        """Whether a new object was refused because there is one."""
        return answer.status == 412

    def _whole(self, content: bytes) -> Mapping[str, str]:  # noqa: ARG002 - a dialect may check it
        """Return the headers of an object that is written at once."""
        return {}

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}" if self._folder else key

    def _relative(self, key: str) -> str:
        return key[len(self._folder) + 1 :] if self._folder else key

    def _require(self, answer: Answer, action: str, *wanted: int) -> Answer:
        """Return an answer with a status that was wanted; raises Missing, StoreError in words."""
        if answer.status in wanted:
            return answer
        code = error_code(answer)
        if answer.status == 404 and code not in {"NoSuchBucket", "ContainerNotFound"}:
            raise Missing(f"{self._uri}: the object is not there")
        why = "no permission" if answer.status in {401, 403} else "the answer was"
        raise StoreError(f"cannot {action} {self._uri}: {why} {answer.status} {code}".rstrip())
