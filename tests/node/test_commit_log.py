"""The fence: whatever the interleaving, an overtaken attempt never commits again."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsched.node.checkpoints.commit_log import (
    CommitLog,
    Committed,
    CommittedFile,
    CommitWriter,
    Fenced,
    Opened,
    Unreadable,
)
from finsched.node.store import Store

FILES = (CommittedFile(name="a/b.bin", size=3, sha256="0" * 64, key="parts/000001/0"),)


def attempts_of(store: Store) -> list[int]:
    return [e.attempt for e in CommitLog(store).entries() if not isinstance(e, Unreadable)]


def test_entries_come_back_as_they_were_written(store: Store) -> None:
    writer = CommitWriter(store, 1)
    writer.open()
    commit = writer.commit(FILES, 0.25)
    opened, committed = CommitLog(store).entries()
    assert isinstance(opened, Opened)
    assert committed == commit
    assert committed.number == 2
    assert committed.size_bytes == 3
    assert CommitLog(store).entries(after=1) == [committed]
    assert list(CommitLog(store).newest_first()) == [committed, opened]


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=25))
def test_no_interleaving_lets_an_overtaken_attempt_commit(steps: list[tuple[int, bool]]) -> None:
    """Writers act in any order, each on what it knew last; the log's attempts never fall."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"file://{folder}")
        writers: dict[int, CommitWriter] = {}
        highest = 0
        for attempt, second_agent in steps:
            if attempt not in writers or second_agent:
                writer = CommitWriter(store, attempt)
                if attempt <= highest:
                    with pytest.raises(Fenced):
                        writer.open()
                    continue
                writer.open()
                writers[attempt], highest = writer, attempt
            elif attempt < highest:
                with pytest.raises(Fenced):
                    writers[attempt].commit(FILES, None)
            else:
                writers[attempt].commit(FILES, None)
        attempts = attempts_of(store)
        assert attempts == sorted(attempts)


def test_racing_attempts_leave_a_log_that_never_falls(store: Store) -> None:
    """Threads race for real on one folder; every loser is fenced, the highest attempt commits."""
    ends: dict[int, int | Fenced] = {}

    def race(attempt: int) -> None:
        writer = CommitWriter(store, attempt)
        try:
            writer.open()
            ends[attempt] = sum(bool(writer.commit(FILES, None)) for _ in range(10))
        except Fenced as error:
            ends[attempt] = error

    threads = [threading.Thread(target=race, args=(attempt,)) for attempt in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    attempts = attempts_of(store)
    assert attempts == sorted(attempts)
    assert ends[6] == 10
    numbers = [entry.number for entry in CommitLog(store).entries()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_unreadable_entry_hides_nothing(store: Store, tmp_path: Path) -> None:
    writer = CommitWriter(store, 3)
    writer.open()
    writer.commit(FILES, None)
    (tmp_path / "store/log/00000002.json").write_text('{"kind": "committed", "attempt": 3')
    assert CommitLog(store).read(2) == Unreadable(number=2)
    with pytest.raises(Fenced):
        CommitWriter(store, 2).open()
    CommitWriter(store, 4).open()
    with pytest.raises(Fenced, match="attempt 4 has taken over"):
        writer.commit(FILES, None)
    assert not any(isinstance(e, Committed) for e in CommitLog(store).entries(after=2))
