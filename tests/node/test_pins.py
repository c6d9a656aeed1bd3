"""Retention: the last K commits and the pinned ones can be restored, and nothing else is stored."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from finsched.node.checkpoints.commit_log import CommitLog, Committed, CommitWriter
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.parts import Parts
from finsched.node.checkpoints.pins import Pins
from finsched.node.checkpoints.restore import restore
from finsched.node.store import Store, StoredObject, StoreError

KEEP = 2


class Attempt:
    """What an agent does of retention, without its threads."""

    def __init__(self, store: Store, folder: Path, number: int, *, keep: int = KEEP) -> None:
        self._folder = folder / f"saved-{number}"
        self._folder.mkdir()
        self._writer = CommitWriter(store, number)
        self._writer.open()
        into = folder / f"restored-{number}"
        log = CommitLog(store)
        restored = restore(Fetcher(store), log.newest_first(), into, keep=keep)
        self._parts = Parts(store, number, keep=keep)
        known = [commit for commit in (restored.commit, *restored.older) if commit]
        self._parts.trust(reversed(known))
        self._parts.delete_left_behind()

    def save(self, **files: str) -> Committed:
        for name, content in files.items():
            (self._folder / name).write_text(content)
        commit = self._writer.commit(self._parts.store_all(self._folder, files), None)
        self._parts.retain(commit)
        return commit


def parts_in(store: Store) -> set[str]:
    return {stored.key for stored in store.list("parts")}


def keys(*commits: Committed) -> set[str]:
    return {file.key for commit in commits for file in commit.files}


@pytest.fixture
def attempt(store: Store, tmp_path: Path) -> Attempt:
    return Attempt(store, tmp_path, 1)


def test_a_pinned_commit_is_kept_by_this_attempt_and_by_the_next(
    attempt: Attempt, store: Store, tmp_path: Path
) -> None:
    pinned = attempt.save(weights="the best so far", vocabulary="never changes")
    Pins(store).pin(pinned.number)
    for number in range(KEEP + 1):
        attempt.save(weights=f"later {number}", vocabulary="never changes")
    assert keys(pinned) <= parts_in(store)
    successor = Attempt(store, tmp_path, 2)
    for number in range(KEEP + 1):
        successor.save(weights=f"much later {number}")
    assert keys(pinned) <= parts_in(store), "a content that it shared with others as well"
    Fetcher(store).fetch(pinned, tmp_path / "back")
    assert (tmp_path / "back/weights").read_text() == "the best so far"


def test_what_is_unpinned_goes_with_the_next_commit(attempt: Attempt, store: Store) -> None:
    pinned = attempt.save(weights="0")
    Pins(store).pin(pinned.number)
    later = [attempt.save(weights=f"{number}") for number in range(1, 5)]
    assert parts_in(store) == keys(pinned, *later[-KEEP:])
    Pins(store).unpin(pinned.number)
    last = attempt.save(weights="5")
    assert parts_in(store) == keys(later[-1], last)


class Forgetful(Store):
    """A store that cannot list the pins for a while."""

    silent = False

    def list(self, folder: str, *, after: str = "") -> list[StoredObject]:
        if self.silent and folder == "pins":
            raise StoreError("no answer")
        return super().list(folder, after=after)


def test_where_nobody_can_tell_what_is_pinned_nothing_is_deleted(tmp_path: Path) -> None:
    store = Forgetful(f"file://{tmp_path}/store")
    attempt = Attempt(store, tmp_path, 1)
    pinned = attempt.save(weights="0")
    Pins(store).pin(pinned.number)
    store.silent = True
    later = [attempt.save(weights=f"{number}") for number in range(1, 5)]
    assert parts_in(store) == keys(pinned, *later)
    store.silent = False
    last = attempt.save(weights="5")
    assert parts_in(store) == keys(pinned, later[-1], last), "it is made up for"
    store.silent = True
    Attempt(store, tmp_path, 2)
    assert keys(pinned) <= parts_in(store)


def test_pinning_twice_and_unpinning_what_is_not_pinned_are_fine(store: Store) -> None:
    pins = Pins(store)
    for _ in range(2):
        pins.pin(7)
    assert pins.numbers() == {7}
    for _ in range(2):
        pins.unpin(7)
    assert pins.numbers() == set()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_newest_and_the_pinned_can_be_restored(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    store, number, commits = Store(f"file://{tmp_path}/store"), 1, []
    keep = chance.choice([1, 2, 3])
    attempt = Attempt(store, tmp_path, number, keep=keep)
    for _ in range(25):
        match chance.choice(["save", "save", "save", "pin", "unpin", "restart"]):
            case "save":
                contents = {name: f"{chance.randrange(4)}" for name in ("a", "b")}
                commits.append(attempt.save(**contents))
            case "pin" if commits:
                Pins(store).pin(chance.choice(commits[-keep:]).number)
            case "unpin" if commits:
                Pins(store).unpin(chance.choice(commits).number)
            case "restart":
                number += 1
                attempt = Attempt(store, tmp_path, number, keep=keep)
        pinned = Pins(store).numbers()
        for commit in commits:
            if commit in commits[-keep:] or commit.number in pinned:
                Fetcher(store).fetch(commit, tmp_path / f"check-{commit.number}-{chance.random()}")
    newest = islice(reversed(commits), keep)
    attempt = Attempt(store, tmp_path, number + 1, keep=keep)
    kept = {*newest, *(commit for commit in commits if commit.number in Pins(store).numbers())}
    assert parts_in(store) == keys(*kept)
