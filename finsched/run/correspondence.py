"""Letters between the supervisor and the node of one attempt, through the run's store.

A store that cannot be reached for a while is no reason to give a run up: letters are tried
again, and the node's lease bounds what can happen meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from finsched.node.clock import utc_now
from finsched.node.mail.mailbox import Message, read_messages
from finsched.node.mail.orders import OrderBook
from finsched.node.store import Store, StoreError


class Correspondence:
    """What the node of an attempt writes, and what it is told."""

    def __init__(self, store: Store, attempt: int) -> None:
        self.attempt = attempt
        self.trouble: str | None = None
        self.looks_missed = 0  # in a row, because the store was away
        self.orders_missed = 0  # in a row, for the same reason
        self._store = store
        self._orders = OrderBook(store, attempt)
        self._lease_until: datetime | None = None
        self._go_sent = False
        self._stop_sent = False
        self.newest = 0  # the number of the last letter that was seen
        self.newest_of: dict[int, int] = {}  # the same by the node that wrote it
        self._last_words: list[Message] = []

    def letters(self, after: int) -> Sequence[Message]:
        """Return the node's messages behind number `after` that were not returned before.

        There are none while the store is away. Its last words are returned every time.
        """
        try:
            messages = read_messages(self._store, self.attempt, after=max(after, self.newest))
        except StoreError as error:
            self.trouble = str(error)
            self.looks_missed += 1
            return ()
        self.trouble, self.looks_missed = None, 0
        self.newest = max([self.newest, *(message.number for message in messages)])
        self.newest_of |= {message.node: message.number for message in messages}
        said_before = self._last_words
        self._last_words = said_before or [each for each in messages if each.kind == "ended"]
        return [*said_before, *messages]

    def renew(self, lease: timedelta) -> None:
        """Extend the node's lease once a third of it has passed."""
        now = utc_now()
        if self._lease_until and self._lease_until - now > lease * 2 / 3:
            return
        until = now + lease
        if self._sent(lambda: self._orders.extend_lease(until)):
            self._lease_until = until

    def lease_left(self, lease: timedelta) -> timedelta:
        """Return how long the node's lease may last: all of it where nobody here renewed it."""
        now = utc_now()
        return max((self._lease_until or now + lease) - now, timedelta(0))

    def go(self) -> bool:
        """Let a standby, once, take the run over; False while the store does not take the order."""
        if not self._go_sent:
            self._go_sent = self._sent(self._orders.go)
        return self._go_sent

    def stop(self, reason: str) -> None:
        """Ask the node, once, to save a last checkpoint and end."""
        if not self._stop_sent:
            self._stop_sent = self._sent(lambda: self._orders.stop(reason))

    def _sent(self, send: Callable[[], None]) -> bool:
        try:
            send()
        except StoreError as error:
            self.trouble = str(error)
            self.orders_missed += 1
            return False
        self.orders_missed = 0
        return True
