"""The mailbox: what an attempt reports, as create-only objects; best effort, in order.

A failing store never holds the job up: messages wait, and a thread sends them when it can.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finsched.node.clock import to_iso, utc_now
from finsched.node.mail.documents import read_document
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store, StoreError

UNREADABLE = "unreadable"
"""The kind of a message that holds no document."""

_WAITING_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an attempt; `document` is as it was found."""

    number: int
    document: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """What the message is about."""
        return str(self.document.get("kind", UNREADABLE))

    @property
    def node(self) -> int:
        """Which node of a gang has written it; what tells of none is the leader's."""
        node = self.document.get("node", 0)
        return node if isinstance(node, int) else 0


def read_messages(store: Store, attempt: int, *, after: int = 0) -> list[Message]:
    """Return an attempt's messages behind number `after`, oldest first."""
    objects = _objects(store, attempt)
    return [Message(n, _document(objects.read(n))) for n in objects.numbers(after=after)]


class Mailbox:
    """Where the agent drops its messages; a thread of its own sends them."""

    def __init__(
        self,
        store: Store,
        attempt: int,
        *,
        node: int = 0,
        alive_every_seconds: float | None = None,
    ) -> None:
        self._objects = _objects(store, attempt)
        self._last_number = 0
        self._node = node
        self._alive_every_seconds = alive_every_seconds
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_WAITING_AT_MOST)
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._send_all, name="mailbox", daemon=True)
        self._thread.start()

    def post(self, kind: str, **content: Any) -> None:
        """Queue a message; a newer progress replaces one that still waits at the end."""
        with self._changed:
            if kind == "progress" and self._waiting and self._waiting[-1]["kind"] == kind:
                self._waiting.pop()
            self._waiting.append({"kind": kind, "at": to_iso(utc_now()), **content})
            self._changed.notify()

    def close(self, *, timeout_seconds: float) -> bool:
        """Send what waits; False where the time was not enough."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _send_all(self) -> None:
        pause_seconds = 0.2
        while (message := self._next()) is not None:
            try:
                content = json.dumps(message).encode()
                self._last_number = self._objects.append(content, after=self._last_number)
                pause_seconds = 0.2
            except StoreError:
                with self._changed:
                    self._waiting.appendleft(message)
                    self._changed.wait(pause_seconds)
                pause_seconds = min(2 * pause_seconds, 10.0)

    def _next(self) -> dict[str, Any] | None:
        """Wait for a message; in a long silence one is made, so that nobody takes us for dead."""
        with self._changed:
            while not self._waiting and not self._closing:
                if not self._changed.wait(self._alive_every_seconds):
                    return {"kind": "alive", "at": to_iso(utc_now()), "node": self._node}
            return self._waiting.popleft() if self._waiting else None


def _document(content: bytes) -> dict[str, Any]:
    try:
        return read_document(content)
    except ValueError:
        return {"kind": UNREADABLE}


def _objects(store: Store, attempt: int) -> NumberedObjects:
    return NumberedObjects(store, f"mailbox/{attempt:06d}", suffix=".json")
