"""Disks that are nearly full: nothing is begun that does not fit, and what is kept stays."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from finsched.node.checkpoints.checkpoint import Committer
from finsched.node.checkpoints.commit_log import CommitLog, CommittedFile, CommitWriter
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.parts import Parts
from finsched.node.checkpoints.prefetch import Prefetch
from finsched.node.checkpoints.restore import restore
from finsched.node.checkpoints.room import NoRoom, in_words, require_room
from finsched.node.checkpoints.snapshot import look
from finsched.node.checkpoints.staging import staged
from finsched.node.store import Store, StoreError

from .test_checkpoint import Bench, wait_for, wait_for_messages

HALF = 150_000  # the tiny disk has 256 KiB: one fits, two do not


@pytest.fixture
def writer(store: Store) -> CommitWriter:
    writer = CommitWriter(store, 1)
    writer.open()
    return writer


def commit(store: Store, writer: CommitWriter, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"parts/000001/{sha256}"
    store.upload(key, [content])
    writer.commit((CommittedFile(name="w", size=size_bytes, sha256=sha256, key=key),), None)


def test_a_restore_that_does_not_fit_says_so_and_fetches_nothing(
    store: Store, writer: CommitWriter, tiny_disk: Path
) -> None:
    commit(store, writer, HALF)
    commit(store, writer, 300_000)
    fetcher = Fetcher(store)
    with pytest.raises(NoRoom, match=r"checkpoint 3 needs 300 kB, the disk has .* kB left"):
        restore(fetcher, CommitLog(store).newest_first(), tiny_disk / "restored", keep=2)
    assert fetcher.downloaded_bytes == 0, "nor is an older one taken, which would lose work"
    assert not list(tiny_disk.iterdir())


def test_what_a_standby_has_staged_gives_way_to_a_newer_one(
    store: Store, writer: CommitWriter, tiny_disk: Path
) -> None:
    prefetch = Prefetch(store, Fetcher(store), tiny_disk / "prefetched")
    commit(store, writer, HALF)
    prefetch.refresh()
    assert prefetch.commit
    commit(store, writer, HALF + 1)
    prefetch.refresh()
    prefetch.refresh()
    assert prefetch.commit
    assert prefetch.commit.size_bytes == HALF + 1
    assert len(list((tiny_disk / "prefetched").iterdir())) == 1


def test_files_that_cannot_be_linked_are_copied_only_where_they_fit(
    tiny_disk: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "w").write_bytes(bytes(HALF))
    with staged(look(saved), saved, tiny_disk / "aside") as aside:
        assert (aside / "w").stat().st_size == HALF
    (saved / "w").write_bytes(bytes(2 * HALF))
    with pytest.raises(NoRoom), staged(look(saved), saved, tiny_disk / "aside"):
        pass
    assert not list(tiny_disk.iterdir()), "the job finds the room that it had"


def test_a_save_that_cannot_be_set_aside_is_told_and_the_one_before_stays(
    store: Store, tiny_disk: Path, tmp_path: Path
) -> None:
    bench = Bench(store, tmp_path)
    bench.finish(whole=False)
    committer = Committer(bench.directory, tiny_disk / "aside", bench.tools)
    committer.start()
    bench.save("weights", os.urandom(1000))
    wait_for(bench.commits)
    bench.save("weights", os.urandom(300_000))
    [warning] = wait_for_messages(bench, "warning")
    assert "not stored yet, trying on: a copy set aside" in str(warning["text"])
    bench.save("weights", os.urandom(2000))
    wait_for(lambda: len(bench.commits()) == 2)
    bench.committer = committer
    assert bench.finish()


def test_a_file_that_does_not_fit_is_not_begun_in_a_store_on_a_disk(
    tiny_disk: Path, tmp_path: Path
) -> None:
    parts = Parts(Store(f"file://{tiny_disk}/store"), 1, keep=2)
    (tmp_path / "w").write_bytes(os.urandom(300_000))
    with pytest.raises(StoreError, match="no space left on the device: a file needs 300 kB"):
        parts.store_all(tmp_path, ["w"])
    assert not [path for path in tiny_disk.rglob("*") if path.is_file()]


def test_a_job_whose_next_save_may_not_fit_is_told_of_once(tiny_disk: Path, store: Store) -> None:
    bench = Bench(store, tiny_disk)
    for number in range(1, 4):
        bench.save("weights", os.urandom(60_000))
        wait_for(lambda expected=number: len(bench.commits()) == expected)
        (bench.directory / "ballast").write_bytes(bytes(110_000))
    [warning] = wait_for_messages(bench, "warning")
    assert "little room for one more checkpoint of 170 kB" in str(warning["text"])
    assert bench.finish()


def test_room_is_looked_at_where_a_directory_would_be(tmp_path: Path) -> None:
    require_room(tmp_path / "not/yet/there", 1, what="a file")
    with pytest.raises(NoRoom, match="a file needs 1e\\+03 TB"):
        require_room(tmp_path / "not/yet/there", 10**15, what="a file")


@pytest.mark.parametrize(
    ("size_bytes", "words"), [(0, "0 B"), (999, "999 B"), (16_000_000_000, "16 GB")]
)
def test_sizes_in_words(size_bytes: int, words: str) -> None:
    assert in_words(size_bytes) == words
