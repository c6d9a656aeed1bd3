"""The hook at every boundary of the simulated world: whatever can go wrong goes wrong here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from finsched.node.objects import Objects, StoredObject, StoreError

Result = TypeVar("Result")


class Gone(BaseException):
    """The machine that made this call is no more."""


class Torn(StoreError):
    """An upload that broke off: a part of the object may be there."""


class Trouble(Protocol):
    """What happens around a call; it may let time pass, raise before or after, or call twice."""

    def lateness_s(self, place: str) -> float:
        """Return how much older than usual the state is that a cloud tells of now."""
        ...

    def around(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:
        """Do what the call is for, or not; `place` is a cloud or `store`."""
        ...


class Calm:
    """Nothing goes wrong."""

    def lateness_s(self, place: str) -> float:  # noqa: ARG002
        """Not at all."""
        return 0.0

    def around(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:  # noqa: ARG002
        """Do what the call is for."""
        return effect()


class TroubledObjects:
    """A store as one of its users reaches it: through trouble."""

    def __init__(self, objects: Objects, trouble: Trouble) -> None:
        self._objects = objects
        self._trouble = trouble

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object; False where one is there already."""
        return self._trouble.around("store", "create", lambda: self._objects.create(key, content))

    def get(self, key: str) -> bytes:
        """Return an object's content; raises Missing."""
        return self._trouble.around("store", "get", lambda: self._objects.get(key))

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder whose keys sort behind `after`."""
        return self._trouble.around(
            "store", "list", lambda: self._objects.list(folder, after=after)
        )

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size."""
        content = b"".join(blocks)
        try:
            self._trouble.around("store", "upload", lambda: self._objects.upload(key, [content]))
        except Torn:
            self._objects.upload(key, [content[: len(content) // 2]])
            raise

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content in blocks; raises Missing."""
        return iter(self._trouble.around("store", "get", lambda: list(self._objects.download(key))))

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._trouble.around("store", "delete", lambda: self._objects.delete(key))
