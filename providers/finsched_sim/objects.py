"""An object store in memory: one bucket per URI, with the create-only puts of the real ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator

from finsched.node.objects import Missing, StoredObject


class Bucket:
    """Objects by key; a listing is consistent, as those of S3, GCS and Azure are."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._keys: list[str] = []
        self._written: dict[str, int] = {}
        self._writes = 0
        self._readers: dict[str, list[Callable[[], None]]] = {}

    def watch(self, folder: str, told: Callable[[], None]) -> None:
        """Call when an object is created in a folder: spares a reader the polling."""
        self._readers.setdefault(folder, []).append(told)

    def has(self, key: str) -> bool:
        """Whether an object is there."""
        return key in self._contents

    def damage(self, folder: str) -> bool:
        """Cut the newest object of a folder short; False where there is none."""
        keys = [stored.key for stored in self.list(folder, after="")]
        if not keys:
            return False
        newest = max(keys, key=self._written.__getitem__)
        self._contents[newest] = self._contents[newest][:-9]
        return True

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        if key in self._contents:
            return False
        self._put(key, content)
        for told in self._readers.get(key.rpartition("/")[0], ()):
            told()
        return True

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        try:
            return self._contents[key]
        except KeyError:
            raise Missing(f"{key} is not there") from None

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        first = bisect_right(self._keys, after) if after else bisect_left(self._keys, f"{folder}/")
        last = bisect_left(self._keys, f"{folder}0")  # 0 follows the slash
        return [StoredObject(key, len(self._contents[key])) for key in self._keys[first:last]]

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object, also over one that is there."""
        self._put(key, b"".join(blocks))

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content; raises Missing."""
        yield self.get(key)

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        if self._contents.pop(key, None) is not None:
            self._keys.pop(bisect_left(self._keys, key))

    def _put(self, key: str, content: bytes) -> None:
        if key not in self._contents:
            insort(self._keys, key)
        self._contents[key] = content
        self._writes += 1
        self._written[key] = self._writes
