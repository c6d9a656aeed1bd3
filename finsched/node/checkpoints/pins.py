"""Checkpoints that a person wants to keep for good: one object each, read before parts go."""

from __future__ import annotations

from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store

FOLDER = "pins"


class Pins:
    """Which commits of a run are pinned, by their numbers in the log; raises StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._objects = NumberedObjects(store, FOLDER)

    def numbers(self) -> set[int]:
        """Return the pinned ones."""
        return set(self._objects.numbers())

    def pin(self, number: int) -> None:
        """Keep a commit; one that is pinned already is fine."""
        self._objects.create(number, b"{}")

    def unpin(self, number: int) -> None:
        """Keep a commit no longer than others."""
        self._store.delete(f"{FOLDER}/{number:08d}")
