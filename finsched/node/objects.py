"""What a place for objects can do, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

OWNERS = {"s3": "aws", "gs": "gcp", "az": "azure"}
"""Whose stores these are, by the scheme of their URIs."""


class StoreError(Exception):
    """The store cannot be read or written; the text is a sentence for people."""


class Missing(StoreError):
    """The store can be read, and the object is not there."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a listing."""

    key: str
    size_bytes: int


class Objects(Protocol):
    """Objects below one URI; every method raises StoreError."""

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already, which is left as it is."""
        ...

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        ...

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`, in any order."""
        ...

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size, in parts where it is large."""
        ...

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks; raises Missing."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; one that is gone already is fine."""
        ...
