"""The loop and the shared polls: due in order, fair, and nobody hurt by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.decide.queue.attention import LONGEST_SECONDS, LOOKS_PER_SECOND, seconds_to_next_look
from finsched.errors import NoAnswer, Throttled
from finsched.host.loop import Loop
from finsched.host.polls import SharedPolls
from finsched.model.event import Noticed
from finsched.provider import Instance, InstanceState, InstanceStatus, LaunchRequest
from finsched.testing.runs import Story

from .conftest import until_true


def test_a_look_that_fails_hurts_no_other() -> None:
    loop, looks = Loop(workers=2), list[float]()

    def fails() -> float:
        raise RuntimeError("on purpose")

    def works() -> float:
        looks.append(time.monotonic())
        return 0.02

    for number in range(10):
        loop.hold(f"bad {number}", fails)
    loop.hold("good", works)
    until_true(lambda: len(looks) >= 5, "the good one is looked at")
    assert loop.close(timeout_seconds=5)


def test_a_dead_group_leaves_workers_to_the_others() -> None:
    loop, release, seen = Loop(workers=8), threading.Event(), threading.Event()
    for number in range(50):
        loop.hold(f"dead {number}", lambda: release.wait(20) and None, group="s3://dead")
    time.sleep(0.2)

    def alive() -> None:
        seen.set()

    loop.hold("alive", alive, group="s3://alive")
    assert seen.wait(2), "it had to wait for a dead store"
    release.set()
    assert loop.close(timeout_seconds=5)


def test_nothing_is_looked_at_twice_at_once_however_often_it_is_woken() -> None:
    loop, busy, most, count = Loop(workers=8), [0], [0], [0]

    def look() -> float:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        time.sleep(0.002)
        busy[0] -= 1
        count[0] += 1
        return 100.0

    loop.hold("one", look)
    for _ in range(50):
        loop.wake("one")
        time.sleep(0.001)
    until_true(lambda: count[0] >= 10, "woken")
    loop.close(timeout_seconds=5)
    assert most[0] == 1


def test_all_of_a_thousand_get_their_share() -> None:
    loop, counts = Loop(workers=4), [0] * 1000

    def look_at(number: int) -> float:
        counts[number] += 1
        return 0.01

    for number in range(1000):
        loop.hold(str(number), lambda number=number: look_at(number))  # type: ignore[misc]
    until_true(lambda: sum(counts) > 20_000, "many looks")
    loop.close(timeout_seconds=5)
    assert min(counts) > 0.5 * max(counts)


# --- shared polls ------------------------------------------------------------------------------


class Cloud:
    """A cloud that counts its calls, and may be slow or throttle."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.states: dict[str, InstanceState] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.throttles = False

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        self.calls.append(tuple(ids))
        self.gate.wait(20)
        if self.throttles:
            raise Throttled("slow down")
        running = InstanceState.RUNNING
        return {i: InstanceStatus(id=i, state=self.states.get(i, running)) for i in ids}

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        raise NotImplementedError

    def find(self, token: str) -> Sequence[Instance]:
        return ()

    def terminate(self, instance_id: str) -> None:
        return


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_many_runs_are_one_call_an_interval(watch: Watch) -> None:
    cloud, woken = Cloud(), list[str]()
    polls = SharedPolls(cloud, 15.0, woken.append, watch)
    for number in range(100):
        polls.of_run(f"run {number}", [f"i-{number}"])
    cloud.calls.clear()
    watch.now = 20.0
    for number in range(100):
        assert polls.of_run(f"run {number}", [f"i-{number}"])[f"i-{number}"]
    assert [len(ids) for ids in cloud.calls] == [100]
    cloud.states["i-7"] = InstanceState.TERMINATED
    watch.now = 40.0
    polls.refresh()
    assert woken == ["run 7"]


def test_a_refusal_is_one_call_an_interval_too(watch: Watch) -> None:
    cloud = Cloud()
    polls = SharedPolls(cloud, 15.0, lambda _: None, watch)
    cloud.throttles = True
    for _ in range(50):
        with pytest.raises(Throttled):
            polls.of_run("run", ["i-1"])
    assert len(cloud.calls) == 1
    cloud.throttles, watch.now = False, 16.0
    assert polls.of_run("run", ["i-1"])


def test_nobody_waits_for_a_question_that_another_asked(watch: Watch) -> None:
    cloud = Cloud()
    polls = SharedPolls(cloud, 15.0, lambda _: None, watch)
    polls.of_run("one", ["i-1"])
    cloud.gate.clear()
    watch.now = 16.0
    asking = threading.Thread(target=polls.of_run, args=("one", ["i-1"]))
    asking.start()
    until_true(lambda: len(cloud.calls) == 2, "it is asked")
    assert polls.of_run("one", ["i-1"]), "the last answer is young enough"
    with pytest.raises(NoAnswer):
        polls.of_run("two", ["i-2"])
    cloud.gate.set()
    asking.join()


def test_machines_that_no_run_asks_for_are_forgotten(watch: Watch) -> None:
    cloud = Cloud()
    polls = SharedPolls(cloud, 15.0, lambda _: None, watch)
    polls.of_run("one", ["i-1"])
    watch.now = 1000.0
    polls.of_run("two", ["i-2"])
    assert cloud.calls[-1] == ("i-2",)


# --- how often to look -------------------------------------------------------------------------


@settings(deadline=None)  # others may use the processor
@given(
    st.floats(0.1, 60),
    st.integers(0, 200),
    st.integers(1, 20_000),
    st.floats(10, 3600),
    st.floats(-10, 10_000),
)
def test_a_calm_run_is_looked_at_less_often_within_its_lease_and_limits(
    wanted: float, quiet: int, runs: int, lease: float, left: float
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    limit_at = now + timedelta(seconds=left)
    seconds = seconds_to_next_look(
        Story().launched().run,
        wanted,
        quiet_looks=quiet,
        runs=runs,
        lease_seconds=lease,
        now=now,
        limit_at=limit_at,
    )
    assert wanted <= seconds <= max(4 * wanted, runs / LOOKS_PER_SECOND)
    assert seconds <= max(LONGEST_SECONDS, wanted)
    assert seconds <= max(lease / 6, wanted)
    assert seconds <= max(left, wanted) + 1e-6


def test_a_run_that_stirs_is_looked_at_as_often_as_it_asked() -> None:
    story = Story().launched()
    stirring = story.tell(Noticed(attempt=1)).run
    now = story.now
    assert (
        seconds_to_next_look(stirring, 15, quiet_looks=99, runs=9999, lease_seconds=600, now=now)
        == 15
    )
