"""Waiting for a condition: how tests wait for other processes, instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_AGAIN_SECONDS = 0.02


def until(
    condition: Callable[[], Found],
    seconds: float = 90,
    *,
    why: Callable[[], object] | str = "this has not come true",
) -> Found:
    """Return what the condition gives once it is true; fail with `why` after so many seconds."""
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up_at, why if isinstance(why, str) else why()
        time.sleep(_LOOK_AGAIN_SECONDS)
    return found
