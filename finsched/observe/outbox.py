"""Notifications on their way to one address: sent by a thread of its own, tried a few times."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from finsched.decide.live.notifications import Notification
from finsched.observe.address import Send

PAUSES_SECONDS = (0.5, 2.0)
"""How long to wait before another try."""

STUCK_SECONDS = 60.0
"""An address that has not answered for so long is told of as failing."""

_MOST_WAITING = 100


class Outbox:
    """Takes notifications at once and sends them in order; who hands one over never waits.

    `failed` returns those that were given up, each once, with the reason.
    """

    def __init__(self, name: str, connect: Callable[[], Send]) -> None:
        self.name = name
        self._connect = connect
        self._send: Send | None = None
        self._waiting: deque[Notification] = deque()
        self._sending: Notification | None = None
        self._began = 0.0
        self._failed: list[tuple[Notification, str]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, notification: Notification) -> None:
        """Send something as soon as what came before it is sent."""
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._failed.append((notification, "too many wait to be sent"))
                return
            self._waiting.append(notification)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
                self._thread.start()

    def failed(self) -> list[tuple[Notification, str]]:
        """Return what was given up since the last call, and what hangs."""
        with self._changed:
            found, self._failed = self._failed, []
            if self._sending and time.monotonic() - self._began > STUCK_SECONDS:
                found.append((self._sending, "it does not answer"))
            return found

    def wait(self, until: float) -> bool:
        """Wait until all is sent or given up, or until a moment of the monotonic clock."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, max(until - time.monotonic(), 0.0))

    def abandon(self) -> None:
        """Give up what has not been sent yet."""
        with self._changed:
            late = [*([self._sending] if self._sending else []), *self._waiting]
            self._waiting.clear()
            self._failed += [(each, "it did not answer in time") for each in late]

    def _is_idle(self) -> bool:
        return not self._waiting and self._sending is None

    def _work(self) -> None:
        while True:
            notification = self._next()
            reason = self._deliver(notification)
            with self._changed:
                self._sending = None
                if reason:
                    self._failed.append((notification, reason))
                self._changed.notify_all()

    def _next(self) -> Notification:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            self._sending, self._began = self._waiting.popleft(), time.monotonic()
            return self._sending

    def _deliver(self, notification: Notification) -> str:
        """Return why it could not be sent; empty when it was."""
        try:
            self._send = self._send or self._connect()
        except Exception as error:  # noqa: BLE001 - a library of others, in a thread of its own
            return (
                f"it cannot be used: {error}" if isinstance(error, ValueError) else _unusable(error)
            )
        for pause_seconds in (*PAUSES_SECONDS, None):
            try:
                if self._send(notification):
                    return ""
            except Exception:  # noqa: BLE001, S110 - as above; its text may hold the address
                pass
            if pause_seconds is not None:
                time.sleep(pause_seconds)
        return f"it did not take it, tried {len(PAUSES_SECONDS) + 1} times"


def _unusable(error: Exception) -> str:
    return f"it cannot be used: {type(error).__name__}"
