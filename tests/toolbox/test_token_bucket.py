"""A bucket never lets more calls through than it says, whoever takes them and when."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.toolbox.token_bucket import TokenBucket


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@given(
    capacity=st.integers(1, 20),
    per_second=st.floats(0.5, 50),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_stretch_of_time_sees_more_calls_than_the_bucket_allows(
    capacity: int, per_second: float, pauses: list[float]
) -> None:
    clock = Clock()
    bucket = TokenBucket(capacity=capacity, per_second=per_second, now=clock.now, sleep=clock.sleep)
    calls = []
    for pause in pauses:
        clock.sleep(pause)
        bucket.take()
        calls.append(clock.now())
    for first in range(len(calls)):
        for last in range(first, len(calls)):
            allowed = capacity + (calls[last] - calls[first]) * per_second
            assert last - first + 1 <= allowed + 1e-6


def test_a_full_bucket_lets_calls_through_at_once() -> None:
    clock = Clock()
    bucket = TokenBucket(capacity=3, per_second=1, now=clock.now, sleep=clock.sleep)
    for _ in range(3):
        bucket.take()
    assert clock.now() == 0
    bucket.take()
    assert clock.now() == pytest.approx(1)


def test_threads_share_a_bucket() -> None:
    waits: list[float] = []
    bucket = TokenBucket(capacity=5, per_second=1, now=lambda: 0.0, sleep=waits.append)
    threads = [threading.Thread(target=bucket.take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx(range(1, 16))
