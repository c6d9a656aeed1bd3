"""Which parts of the other nodes belong to a save of the leader."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from finsched.node.checkpoints.cadence import Cadence, Pace
from finsched.node.checkpoints.commit_log import Committed
from finsched.node.clock import time_from
from finsched.node.gangs.answered import Answered
from finsched.node.gangs.companions import Apart, Companions, Save
from finsched.node.gangs.gang import Gang, GangBoard, Round
from finsched.node.store import Store

INTERVAL_SECONDS = 600.0
SECOND_NS = 1_000_000_000
NOW = datetime(2026, 6, 15, tzinfo=UTC)
FILE = {"name": "shard", "rank": 1, "key": "parts/1", "size": 1, "sha256": "0" * 64}
PART = {
    "files": [FILE],
    "written_ns": 0,
    "upload_seconds": 2.0,
    "fresh": True,
    "signalled": False,
    "settled": True,
    "whole": False,
}


@pytest.fixture
def companions(tmp_path: Path) -> Companions:
    return companions_in(tmp_path, last=None)


def companions_in(folder: Path, last: Committed | None) -> Companions:
    board = GangBoard(Store(folder.as_uri()), 1, rank=0, nodes=2)
    pace = Pace(Cadence.read(INTERVAL_SECONDS), age_seconds=0.0)
    return Companions(cast("Gang", board), pace, last, save_seconds=60.0)


def save_at(seconds: float) -> Save:
    return Save(written_ns=int(seconds * SECOND_NS))


def accepted(companions: Companions, seconds: float) -> None:
    companions.saw(save_at(seconds).written_ns)
    companions.ask(save_at(seconds))
    companions.take(save_at(seconds), {1: PART})
    companions.accept()


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


@pytest.mark.parametrize("leader_knows", [True, False])
def test_a_part_that_was_saved_at_the_signal_is_none_of_the_save_before(
    companions: Companions, leader_knows: bool
) -> None:
    accepted(companions, 1000)
    if leader_knows:
        companions.signalled(save_at(1650).written_ns)
    assert not companions.ask(save_at(1600)).signalled
    with pytest.raises(Apart, match="again"):
        companions.take(save_at(1600), {1: PART | {"signalled": True}})
    assert companions.take(save_at(1600), {1: PART})


def test_after_the_signal_only_what_was_saved_since_is_asked_for(companions: Companions) -> None:
    accepted(companions, 1000)
    companions.signalled(save_at(1650).written_ns)
    assert not companions.ask(save_at(1600)).signalled
    assert companions.ask(save_at(1700)).signalled
    assert companions.take(save_at(1700), {1: PART | {"signalled": True}})


@pytest.mark.parametrize("signalled", [True, False])
def test_a_save_at_the_signal_belongs_to_a_round_of_its_own(signalled: bool) -> None:
    told, asked = Answered(), round_of(signalled=signalled)
    assert told.are_new(asked, 100) is not signalled
    told.signalled(at_ns=200)
    assert told.are_new(asked, 300) is signalled
    assert told.are_new(asked, 100) is not signalled


class AtSecond:
    """A clock that stands still at a second of 1970."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds, UTC)

    def monotonic(self) -> float:
        return self._seconds

    def pause(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits here for {seconds} s")


def part_at(seconds: float, *, whole: bool = False) -> dict[str, object]:
    return PART | {"written_ns": int(seconds * SECOND_NS), "whole": whole}


@pytest.mark.parametrize("seconds", [1590, 1610, 1900])
def test_a_part_may_be_late(companions: Companions, seconds: float) -> None:
    accepted(companions, 1000)
    assert companions.take(save_at(1600), {1: part_at(seconds)})


def test_a_part_of_the_next_save_is_none_of_this_one(companions: Companions) -> None:
    accepted(companions, 1000)
    with pytest.raises(Apart, match="again"):
        companions.take(save_at(1600), {1: part_at(2190)})


def test_a_command_that_has_ended_may_have_made_its_last_save(companions: Companions) -> None:
    accepted(companions, 1000)
    ended = {1: part_at(1650, whole=True)}
    with time_from(AtSecond(1700)):
        assert companions.may_be_overtaken(save_at(1600), ended)
        with pytest.raises(Apart, match="again"):
            companions.take(save_at(1600), ended)
    with time_from(AtSecond(1720)):  # the leader's command goes on without another save
        assert not companions.may_be_overtaken(save_at(1600), ended)
        assert companions.take(save_at(1600), ended)
    assert companions.take(save_at(1600), {1: part_at(1590, whole=True)})
    last = Save(written_ns=save_at(1600).written_ns, last=True, whole=True)
    assert companions.take(last, {1: part_at(1650, whole=True)})


def round_of(*, signalled: bool) -> Round:
    return Round(number=1, accepted=0, newer_than_ns=50, signalled=signalled, last=False, silent=())


def test_a_save_that_was_kept_is_old_however_late_it_came() -> None:
    told, first = Answered(), round_of(signalled=False)
    told.note(first, 100)
    second = replace(first, number=2, accepted=first.number)
    assert not told.are_new(second, 100)
    assert told.are_new(second, 200)


@pytest.mark.parametrize(("seconds", "counts"), [(900, False), (200, True)])
def test_a_node_that_saved_of_late_is_not_silent(
    tmp_path: Path, seconds: float, counts: bool
) -> None:
    alone = Committed(number=1, attempt=1, at=NOW, progress=None, files=(), size_bytes=0)
    companions = companions_in(tmp_path, alone)
    old = part_at(seconds) | {"fresh": False}
    assert companions.ask(save_at(1600)).silent == (1,)
    if counts:
        assert companions.take(save_at(1600), {1: old})
        return
    with pytest.raises(Apart, match="before"):
        companions.take(save_at(1600), {1: old})
    assert companions.ask(save_at(1600)).silent == ()


def test_a_save_at_the_signal_waits_for_no_other(companions: Companions) -> None:
    accepted(companions, 1000)
    companions.signalled(save_at(1600).written_ns)
    ended = {1: part_at(1606, whole=True) | {"signalled": True}}
    with time_from(AtSecond(1607)):
        assert not companions.may_be_overtaken(save_at(1605), ended)
        assert companions.take(save_at(1605), ended)


def test_a_part_since_the_leaders_signal_is_none_of_the_save_before(companions: Companions) -> None:
    accepted(companions, 1000)
    companions.signalled(save_at(1650).written_ns)
    with pytest.raises(Apart, match="again"):
        companions.take(save_at(1600), {1: part_at(1660)})  # its own signal is yet to come


def test_nobody_knows_how_late_a_part_of_the_first_save_may_be(companions: Companions) -> None:
    assert companions.take(save_at(1600), {1: part_at(1600 + 2 * INTERVAL_SECONDS)})


def test_a_part_of_the_last_commit_may_stay_as_it_is(companions: Companions) -> None:
    companions.saw(save_at(1600).written_ns)
    companions.ask(save_at(1600))
    companions.take(save_at(1600), {1: part_at(1601)})
    companions.accept()
    companions._silent = {1}
    same = {1: part_at(1601) | {"fresh": False}}
    assert companions.take(save_at(2200), same)
