"""The letters of a simulated agent: the mailbox's documents, sent without a thread."""

from __future__ import annotations

import json
from collections import deque

from finsched.node.clock import to_iso, utc_now
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store, StoreError


class Letters:
    """What waits to be sent, in order; a newer progress replaces one that waits at the end."""

    def __init__(self, store: Store, attempt: int) -> None:
        self._objects = NumberedObjects(store, f"mailbox/{attempt:06d}", suffix=".json")
        self._last_number = 0
        self._waiting: deque[dict[str, object]] = deque()

    def post(self, kind: str, **content: object) -> None:
        """Queue a letter."""
        if kind == "progress" and self._waiting and self._waiting[-1]["kind"] == kind:
            self._waiting.pop()
        self._waiting.append({"kind": kind, "at": to_iso(utc_now()), **content})

    @property
    def all_sent(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def send(self) -> bool:
        """Send what waits; False where the store does not take it."""
        try:
            while self._waiting:
                content = json.dumps(self._waiting[0]).encode()
                self._last_number = self._objects.append(content, after=self._last_number)
                self._waiting.popleft()
        except StoreError:
            return False
        return True
