"""The interval between saves by the age of the machine, and the uploads that it spares."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.node.checkpoints.cadence import Cadence, Pace, PaceFile, Thrift

TABLE = [
    {"age_seconds": 0, "every_seconds": 300},
    {"age_seconds": 1800, "every_seconds": 600},
]


@pytest.mark.parametrize(
    ("age_seconds", "every_seconds"), [(0, 300), (1799, 300), (1800, 600), (1e6, 600)]
)
def test_the_interval_is_that_of_the_age(age_seconds: float, every_seconds: float) -> None:
    assert Cadence.read(TABLE).at(age_seconds) == every_seconds


def test_a_number_holds_at_every_age() -> None:
    cadence = Cadence.read(60)
    assert (cadence.at(0), cadence.at(1e9), cadence.by_age) == (60, 60, False)


@pytest.mark.parametrize(
    "value",
    [
        [],
        0,
        float("inf"),
        [{"age_seconds": 1, "every_seconds": 300}],
        [*TABLE, {"age_seconds": 1800, "every_seconds": 900}],
        [*reversed(TABLE)],
        [{"age_seconds": 0, "every_seconds": -1}],
    ],
)
def test_a_wrong_table_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"checkpoint\.every_seconds"):
        Cadence.read(value)


def test_the_pace_counts_from_the_machines_start() -> None:
    assert Pace(Cadence.read(TABLE), age_seconds=1790).every_seconds == 300
    assert Pace(Cadence.read(TABLE), age_seconds=1810).every_seconds == 600


def test_a_hint_wants_a_save_at_once_and_then_the_shortest_interval(tmp_path: Path) -> None:
    pace, path = Pace(Cadence.read(TABLE), age_seconds=1e6), tmp_path / "every"
    file = PaceFile(path, pace)
    told = []
    for event in (lambda: None, pace.hint, pace.save_began):
        event()
        file.update()
        told.append(float(path.read_text()))
    assert told == [600, 0, 300]


def test_a_full_disk_leaves_the_old_interval(tmp_path: Path) -> None:
    PaceFile(tmp_path / "gone" / "every", Pace(Cadence.read(60), age_seconds=0)).update()
    assert not (tmp_path / "gone").exists()


def pace_of(every_seconds: float, *, by_age: bool = True) -> Pace:
    rows = [{"age_seconds": 0, "every_seconds": every_seconds}]
    if by_age:
        rows.append({"age_seconds": 1e9, "every_seconds": 2 * every_seconds})
    return Pace(Cadence.read(rows), age_seconds=0)


def kept(pace: Pace, saves: list[float], until: float) -> list[tuple[float, float]]:
    """Play a job's saves, ten looks a second; return what was uploaded: (when, which save)."""
    thrift, uploads, done = Thrift(pace), [], None
    for tick in range(int(until * 10) + 1):
        now = tick / 10
        newest = max((save for save in saves if save <= now), default=None)
        if newest is not None and newest != done and thrift.is_due(newest, now):
            thrift.keep()
            uploads.append((now, newest))
            done = newest
    return uploads


def test_a_job_that_saves_three_times_an_interval_is_uploaded_once() -> None:
    saves = [10.0 * k for k in range(1, 13)]
    assert [save for _, save in kept(pace_of(31), saves, 125)] == [10, 40, 70, 100]


def test_a_job_that_saves_on_time_never_waits() -> None:
    saves = [30.0, 60.0, 90.0]
    assert kept(pace_of(30), saves, 100) == [(save, save) for save in saves]


def test_a_plain_number_spares_nothing() -> None:
    saves = [float(k) for k in range(1, 10)]
    assert kept(pace_of(30, by_age=False), saves, 10) == [(save, save) for save in saves]


def test_a_save_left_out_is_uploaded_when_the_next_one_does_not_come() -> None:
    assert kept(pace_of(30), [10, 20], 100) == [(10, 10), (40, 20)]


def test_after_a_hint_every_save_counts() -> None:
    pace = pace_of(30)
    thrift = Thrift(pace)
    assert thrift.is_due("a", 10.0)
    thrift.keep()
    assert not thrift.is_due("b", 12.0)
    pace.hint()
    assert thrift.is_due("b", 12.1)


@given(st.lists(st.floats(0.2, 60), min_size=1, max_size=40), st.floats(5, 100))
def test_never_more_than_an_interval_is_at_risk_where_a_newer_save_exists(
    gaps: list[float], every_seconds: float
) -> None:
    saves = [sum(gaps[: k + 1]) for k in range(len(gaps))]
    uploads = kept(pace_of(every_seconds), saves, saves[-1] + every_seconds + 1)
    assert uploads[-1][1] == saves[-1], "the last one is kept in the end"
    seen_at = {save: -(-save * 10 // 1) / 10 for save in saves}
    for (_, before), (at, _) in pairwise(uploads):
        first_newer = min(save for save in saves if save > before)
        assert at <= max(seen_at[before] + every_seconds, seen_at[first_newer]) + 0.2


def test_the_age_moves_the_pace() -> None:
    rows = [{"age_seconds": 0, "every_seconds": 1}, {"age_seconds": 0.2, "every_seconds": 2}]
    pace = Pace(Cadence.read(rows), age_seconds=0)
    assert pace.every_seconds == 1
    time.sleep(0.25)
    assert pace.every_seconds == 2
