"""Several transfers at a time, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

# A store gives a connection some 85 MiB/s: AWS advises many. Each holds a part in memory.
AT_ONCE = 8
PART_BYTES = 16 << 20
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def several_at_once(
    action: Callable[[_Item], _Result], items: Iterable[_Item], *, at_once: int | None = None
) -> Iterator[_Result]:
    """Act on every item and yield the results in order; items are taken as they are needed."""
    at_once = at_once or AT_ONCE
    with ThreadPoolExecutor(at_once) as threads:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(threads.submit(action, item))
            if len(waiting) == at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
