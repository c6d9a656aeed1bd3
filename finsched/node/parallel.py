"""Several transfers at a time, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AT_ONCE = 4
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def several_at_once(
    action: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[_Result]:
    """Act on every item and yield the results in order; items are taken as they are needed."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(threads.submit(action, item))
            if len(waiting) == _AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
