"""Orders to an attempt: the lease that keeps it running, a standby's go, the wish to stop."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from finsched.node.clock import from_iso, to_iso, utc_now
from finsched.node.mail.documents import read_document
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store, StoreError


class OrderBook:
    """The orders of one attempt, for the one who gives them."""

    def __init__(self, store: Store, attempt: int) -> None:
        self._objects = _objects(store, attempt)
        self._last_number = 0

    def extend_lease(self, until: datetime) -> None:
        """Let the attempt run until this moment; raises StoreError."""
        self._append({"kind": "lease", "until": to_iso(until)})

    def go(self) -> None:
        """Let a standby take the run over; raises StoreError."""
        self._append({"kind": "go"})

    def stop(self, reason: str) -> None:
        """Ask the attempt to checkpoint and end; raises StoreError."""
        self._append({"kind": "stop", "reason": reason})

    def _append(self, order: dict[str, Any]) -> None:
        content = json.dumps({**order, "at": to_iso(utc_now())}).encode()
        self._last_number = self._objects.append(content, after=self._last_number)


class OrderReader:
    """The orders as an attempt obeys them; `read_new` looks for more."""

    def __init__(self, store: Store, attempt: int, *, lease_seconds: float) -> None:
        self.lease_until = utc_now() + timedelta(seconds=lease_seconds)
        self.stop_reason: str | None = None
        self.go = False
        self._objects = _objects(store, attempt)
        self._last_number = 0

    def read_new(self) -> None:
        """Obey what was ordered since the last look; raises StoreError."""
        for number in self._objects.numbers(after=self._last_number):
            self._obey(self._objects.read(number))
            self._last_number = number

    def _obey(self, content: bytes) -> None:
        try:
            order = read_document(content)
            if order["kind"] == "lease":
                self.lease_until = max(self.lease_until, from_iso(order["until"]))
            elif order["kind"] == "go":
                self.go = True
            elif order["kind"] == "stop":
                self.stop_reason = str(order["reason"])
        except (ValueError, KeyError, TypeError):
            return  # an order that cannot be read cannot be followed


class Orders(OrderReader):
    """The orders as the node sees them, read by a thread every few seconds."""

    def __init__(
        self, store: Store, attempt: int, *, lease_seconds: float, poll_seconds: float
    ) -> None:
        super().__init__(store, attempt, lease_seconds=lease_seconds)
        self._poll_seconds = poll_seconds
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="orders", daemon=True).start()

    def close(self) -> None:
        """Read no more orders."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_seconds):
            try:
                self.read_new()
            except StoreError:
                continue  # an unreachable store ends in an expired lease, which is meant so


def lease_until(store: Store, attempt: int) -> datetime | None:
    """Return the end of the newest lease that an attempt was given, if any; raises StoreError."""
    objects = _objects(store, attempt)
    for number in reversed(objects.numbers()):
        with suppress(KeyError, ValueError):  # a lease that nobody can read was not followed
            order = read_document(objects.read(number))
            if order["kind"] == "lease":
                return from_iso(order["until"])
    return None


def _objects(store: Store, attempt: int) -> NumberedObjects:
    return NumberedObjects(store, f"orders/{attempt:06d}", suffix=".json")
