"""Nodes of a gang pass over what cannot be read, and hear what comes after it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from finsched.node.checkpoints.cadence import Cadence, Pace
from finsched.node.checkpoints.commit_log import CommittedFile
from finsched.node.checkpoints.parts import Changed
from finsched.node.gangs.companions import Apart, Companions, Save, Share, question
from finsched.node.gangs.gang import HERE, Begun, Gang, PeerEnd, Round
from finsched.node.store import Store

from .fuzzing import contents, documents, fuzz
from .test_store_objects import FILE

BOARD: list[dict[str, Any]] = [
    {"kind": "begin", "by": 0, "address": "10.0.0.1", "checkpoint": 3},
    {
        "kind": "round",
        "by": 0,
        "number": 1,
        "accepted": 0,
        "newer_than_ns": 5,
        "signalled": False,
        "last": False,
        "silent": [],
    },
    {"kind": "end", "by": 0, "rank": 0, "end": "stopped", "detail": "x", "ends_at": None},
]
OVER = json.dumps({"kind": "over", "by": 0}).encode()
ANSWER = {
    "files": [FILE],
    "written_ns": 1,
    "upload_seconds": 0.5,
    "fresh": True,
    "signalled": False,
    "settled": True,
    "whole": False,
}

PACE = Pace(Cadence.read(60.0), age_seconds=0.0)


def until(true: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not true():
        assert time.monotonic() < give_up_at
        time.sleep(0.002)


def is_of(kinds: type | tuple[type, ...], value: object) -> bool:
    return isinstance(value, kinds) and not (kinds is int and isinstance(value, bool))


@fuzz(st.lists(st.one_of([contents(told) for told in BOARD]), max_size=4))
def test_what_stands_behind_an_unreadable_word_is_heard(bodies: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as top:
        store = Store(f"file://{top}/store")
        for number, body in enumerate([*bodies, OVER], start=1):
            store.create(f"gang/000001/board/{number:08d}.json", body)
        gang = Gang(store, 1, rank=1, nodes=3, poll_seconds=0.001)
        try:
            until(lambda: gang.is_over)
        finally:
            gang.close()
        if begun := gang.begun:
            assert isinstance(begun, Begun)
            assert is_of(str, begun.leader_address)
            assert begun.checkpoint is None or is_of(int, begun.checkpoint)
        if asked := gang.round:
            assert isinstance(asked, Round)
            assert all(is_of(int, each) for each in (asked.number, asked.newer_than_ns))
            assert is_of(bool, asked.last)
        if end := gang.end:
            assert isinstance(end, PeerEnd)
            assert is_of(str, end.detail)
            assert is_of(int, end.rank)


@fuzz(st.lists(contents(ANSWER), min_size=2, max_size=2), st.booleans())
def test_an_answer_that_cannot_be_read_is_no_part_of_a_checkpoint(
    answers: list[bytes], named: bool
) -> None:
    with tempfile.TemporaryDirectory() as top:
        store = Store(f"file://{top}/store")
        for asked in (HERE, question(1)):
            for rank, body in enumerate(answers, start=1):
                store.create(f"gang/000001/answers/{asked}/{rank:06d}.json", body)
            if named:
                store.create(f"gang/000001/answers/{asked}/strange.json", b"{}")
                store.create(f"gang/000001/answers/{asked}/000099.json", b"{}")
        gang = Gang(store, 1, rank=0, nodes=3, poll_seconds=0.05)
        try:
            assert gang.gather(HERE, go_on=lambda: False).keys() == {1, 2}
            companions = Companions(gang, PACE, None, save_seconds=0.0)
            files = companions.collect(Save(written_ns=1), go_on=lambda: True)
        except (Apart, Changed):
            return
        finally:
            gang.close()
        assert all(isinstance(file, CommittedFile) for file in files)
        assert all(file.size >= 0 and is_of(str, file.name) for file in files)


@fuzz(st.dictionaries(st.sampled_from(sorted(ANSWER)), documents()))
def test_a_share_is_read_as_what_it_must_be(document: dict[str, Any]) -> None:
    try:
        share = Share.from_document(document)
    except Apart:
        return
    assert is_of(bool, share.fresh)
    assert is_of(bool, share.signalled)
    assert is_of(bool, share.whole)
