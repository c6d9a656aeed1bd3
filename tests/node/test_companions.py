"""Which parts of the other nodes belong to a save of the leader."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from finsched.node.checkpoints.cadence import Cadence, Pace
from finsched.node.checkpoints.parts import Changed
from finsched.node.gangs.companions import Companions, Save
from finsched.node.gangs.gang import Gang, GangBoard
from finsched.node.store import Store

INTERVAL_SECONDS = 600.0
SECOND_NS = 1_000_000_000


@pytest.fixture
def companions(tmp_path: Path) -> Companions:
    board = GangBoard(Store(tmp_path.as_uri()), 1, rank=0, nodes=2)
    pace = Pace(Cadence.read(INTERVAL_SECONDS), age_seconds=0.0)
    return Companions(cast("Gang", board), pace, None)  # which never waits here


def save_at(seconds: float) -> Save:
    return Save(written_ns=int(seconds * SECOND_NS))


def accepted(companions: Companions, seconds: float) -> None:
    companions.saw(save_at(seconds).written_ns)
    companions.ask(save_at(seconds))
    companions.take(save_at(seconds), {1: part_at(seconds)})
    companions.accept()


def part_at(seconds: float) -> dict[str, object]:
    """What node 1 answers with."""
    file = {"name": "shard", "rank": 1, "key": "parts/1", "size": 1, "sha256": "0" * 64}
    written_ns = save_at(seconds).written_ns
    state = {"fresh": True, "settled": True, "whole": False}
    return {"files": [file], "written_ns": written_ns, **state}


def newer_than_seconds(companions: Companions, seconds: float) -> float:
    companions.saw(save_at(seconds).written_ns)
    return companions.ask(save_at(seconds)).newer_than_ns / SECOND_NS


def test_a_part_belongs_to_the_save_that_it_is_nearer_to(companions: Companions) -> None:
    accepted(companions, 1000)
    assert newer_than_seconds(companions, 1600) == 1300


def test_a_save_that_was_not_kept_counts_too(companions: Companions) -> None:
    accepted(companions, 1000)
    companions.saw(save_at(1600).written_ns)  # the store was away
    assert newer_than_seconds(companions, 2200) == 1900


def test_a_save_in_two_steps_is_one(companions: Companions) -> None:
    accepted(companions, 1000)
    companions.saw(save_at(1600).written_ns)
    assert newer_than_seconds(companions, 1620) == 1310


def test_every_part_belongs_to_the_first_save(companions: Companions) -> None:
    assert newer_than_seconds(companions, 1000) == 0


def test_a_part_that_was_saved_at_the_signal_is_none_of_the_save_before(
    companions: Companions,
) -> None:
    accepted(companions, 1000)
    assert newer_than_seconds(companions, 1600) == 1300
    companions.signalled(save_at(1650).written_ns)
    with pytest.raises(Changed, match="at the signal"):
        companions.take(save_at(1600), {1: part_at(1660)})
    assert companions.take(save_at(1600), {1: part_at(1605)})


def test_after_the_signal_only_what_was_saved_since_belongs_together(
    companions: Companions,
) -> None:
    accepted(companions, 1000)
    companions.signalled(save_at(1650).written_ns)
    assert newer_than_seconds(companions, 1600) == 1300
    assert newer_than_seconds(companions, 1700) == 1650
    assert companions.take(save_at(1700), {1: part_at(1660)})
