"""Objects with consecutive numbers in one folder: each created once and never changed.

Create-only puts work on every backend, so mailbox, orders, output and commit log are built on this.
"""

from __future__ import annotations

from finsched.node.store import Store


class NumberedObjects:
    """The objects 1, 2, 3, … of one folder of a store."""

    def __init__(self, store: Store, folder: str, *, suffix: str = "") -> None:
        self._store = store
        self._folder = folder
        self._suffix = suffix

    def numbers(self, *, after: int = 0) -> list[int]:
        """Return the numbers behind `after` that exist, in order."""
        stored = self._store.list(self._folder, after=self._key(after) if after else "")
        names = (item.key.rpartition("/")[2].removesuffix(self._suffix) for item in stored)
        return [int(name) for name in names if name.isdecimal()]

    def read(self, number: int) -> bytes:
        """Return one object; raises Missing."""
        return self._store.get(self._key(number))

    def create(self, number: int, content: bytes) -> bool:
        """Write object `number`; False where another one holds the number.

        A put whose answer was lost and was sent again meets its own object: that counts as written.
        """
        if self._store.create(self._key(number), content):
            return True
        return self.read(number) == content

    def append(self, content: bytes, *, after: int) -> int:
        """Write the content under the first free number behind `after` and return the number."""
        number = after + 1
        while not self.create(number, content):
            number += 1
        return number

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:08d}{self._suffix}"
