"""Many things to look at, each when it is due, by a few threads."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread

LOG = logging.getLogger("finsched.host")
WORKERS = 32
SHARE_OF_A_GROUP = 0.75
"""The most workers that one group may have, so that a dead cloud never holds up another."""

Look = Callable[[], float | None]


@dataclass(slots=True, kw_only=True, eq=False)
class _Item:
    """One thing to look at; `due` None means that it is being looked at, or waits for its group."""

    key: str
    look: Look
    group: str
    due: float | None = None
    again: bool = False  # woken while it was looked at
    dropped: bool = False
    entry: int = 0  # the heap's entry that counts; older ones are void


@dataclass(slots=True)
class _Group:
    busy: int = 0
    waiting: deque[_Item] = field(default_factory=deque)


class Loop:
    """Looks at everything that it holds, the longest due first, and at nothing twice at once.

    A look returns in how many seconds it wants the next one, or None when there is none.
    """

    def __init__(self, workers: int = WORKERS) -> None:
        self._workers = workers
        self._most_of_a_group = max(int(workers * SHARE_OF_A_GROUP), 1)
        self._items: dict[str, _Item] = {}
        self._heap: list[tuple[float, int, _Item]] = []
        self._groups: dict[str, _Group] = defaultdict(_Group)
        self._entries = itertools.count(1)
        self._changed = Condition()
        self._threads: list[Thread] = []
        self._idle = 0
        self._stopping = False

    def hold(self, key: str, look: Look, *, group: str = "", in_seconds: float = 0.0) -> None:
        """Look at something from now on.

        What is held under this key already is left as it is, and goes on after a look that ends it.
        """
        with self._changed:
            if item := self._items.get(key):
                item.again = item.due is None
            if item or self._stopping:
                return
            item = _Item(key=key, look=look, group=group)
            self._items[key] = item
            self._schedule(item, in_seconds)

    def wake(self, key: str) -> None:
        """Look at something at once."""
        with self._changed:
            item = self._items.get(key)
            if item is None:
                return
            if item.due is None:
                item.again = True
            else:
                self._schedule(item, 0.0)

    def drop(self, key: str) -> None:
        """Look at something no more; a look that has begun is not waited for."""
        with self._changed:
            if item := self._items.pop(key, None):
                item.dropped, item.entry = True, 0

    def close(self, *, timeout_seconds: float) -> bool:
        """Let the looks that have begun end, begin no other; False where the time was too short."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _schedule(self, item: _Item, in_seconds: float) -> None:
        item.due = time.monotonic() + in_seconds
        item.entry = next(self._entries)
        heapq.heappush(self._heap, (item.due, item.entry, item))
        if self._heap[0][2] is item:
            self._call_a_worker()

    def _call_a_worker(self) -> None:
        """Let an idle one wait for what is due next; start one where all are busy."""
        if self._idle:
            self._changed.notify()
        elif len(self._threads) < self._workers:
            thread = Thread(target=self._work, name=f"look-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (item := self._next()) is not None:
            wanted_seconds = _looked_at(item)
            with self._changed:
                self._done(item, wanted_seconds)

    def _next(self) -> _Item | None:
        """Wait for what is due next and take it; None when the loop closes."""
        with self._changed:
            while not self._stopping:
                if item := self._take():
                    if self._heap:
                        self._call_a_worker()
                    return item
                self._idle += 1
                self._changed.wait(self._seconds_to_the_next)
                self._idle -= 1
            return None

    def _take(self) -> _Item | None:
        while self._heap and self._heap[0][0] <= time.monotonic():
            _, entry, item = heapq.heappop(self._heap)
            if item.entry != entry:
                continue
            item.due = None
            group = self._groups[item.group]
            if item.group and group.busy >= self._most_of_a_group:
                group.waiting.append(item)
                continue
            group.busy += 1
            return item
        return None

    @property
    def _seconds_to_the_next(self) -> float | None:
        return max(self._heap[0][0] - time.monotonic(), 0.0) if self._heap else None

    def _done(self, item: _Item, wanted_seconds: float | None) -> None:
        group = self._groups[item.group]
        group.busy -= 1
        while group.waiting and (next_one := group.waiting.popleft()):
            if not next_one.dropped:
                self._schedule(next_one, 0.0)
                break
        if item.dropped:
            return
        again, item.again = item.again, False
        if again:
            wanted_seconds = 0.0
        if wanted_seconds is None:
            self._items.pop(item.key, None)
        else:
            self._schedule(item, wanted_seconds)


def _looked_at(item: _Item) -> float | None:
    """One thing that fails must not hurt another; it is looked at again a minute later."""
    try:
        return item.look()
    except Exception:
        LOG.exception("looking at %s failed", item.key)
        return 60.0
