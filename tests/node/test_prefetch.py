"""A standby's copy of the newest checkpoint: fetched once, file by file, never fencing anybody."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finsched.node.checkpoints.commit_log import CommitLog, Committed, CommittedFile, CommitWriter
from finsched.node.checkpoints.fetch import Damaged, Fetcher
from finsched.node.checkpoints.prefetch import Prefetch
from finsched.node.checkpoints.restore import restore
from finsched.node.store import Store


def commit(store: Store, writer: CommitWriter, **files: bytes) -> Committed:
    committed = []
    for name, content in files.items():
        sha256 = hashlib.sha256(content).hexdigest()
        key = f"parts/000001/{sha256}"
        store.upload(key, [content])
        committed.append(CommittedFile(name=name, size=len(content), sha256=sha256, key=key))
    return writer.commit(tuple(committed), None)


@pytest.fixture
def writer(store: Store) -> CommitWriter:
    writer = CommitWriter(store, 1)
    writer.open()
    return writer


def staged(prefetch: Prefetch, into: Path) -> dict[str, bytes]:
    assert prefetch.commit is not None
    [directory] = list(into.iterdir())
    assert directory.name == f"{prefetch.commit.number:08d}"
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_only_changed_files_are_fetched_again(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    fetcher, into = Fetcher(store), tmp_path / "prefetched"
    prefetch = Prefetch(store, fetcher, into)
    commit(store, writer, tokenizer=bytes(1000), weights=b"1" * 10)
    prefetch.refresh()
    assert fetcher.downloaded_bytes == 1010
    commit(store, writer, tokenizer=bytes(1000), weights=b"2" * 20)
    prefetch.refresh()
    assert fetcher.downloaded_bytes == 1030
    assert staged(prefetch, into) == {"tokenizer": bytes(1000), "weights": b"2" * 20}


def test_a_take_over_downloads_nothing_that_is_staged(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    fetcher = Fetcher(store)
    prefetch = Prefetch(store, fetcher, tmp_path / "prefetched")
    newest = commit(store, writer, weights=b"state")
    prefetch.refresh()
    entries = CommitLog(store).newest_first()
    restored = restore(fetcher, entries, tmp_path / "restored", keep=2)
    assert restored.commit == newest
    assert restored.directory is not None
    assert (restored.directory / "weights").read_bytes() == b"state"
    assert fetcher.downloaded_bytes == len(b"state")


def test_a_staged_file_that_somebody_wrote_to_is_fetched_again(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    fetcher, into = Fetcher(store), tmp_path / "prefetched"
    prefetch = Prefetch(store, fetcher, into)
    commit(store, writer, weights=b"state")
    prefetch.refresh()
    next(into.rglob("weights")).write_bytes(b"STATE")
    restored = restore(fetcher, CommitLog(store).newest_first(), tmp_path / "back", keep=2)
    assert restored.directory is not None
    assert (restored.directory / "weights").read_bytes() == b"state"


def test_two_names_of_one_content_never_share_their_bytes(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    fetcher = Fetcher(store)
    first = commit(store, writer, a=b"same", b=b"same")
    fetcher.fetch(first, tmp_path / "first")
    fetcher.fetch(first, tmp_path / "second")
    (tmp_path / "second" / "a").write_bytes(b"mine")
    assert (tmp_path / "second" / "b").read_bytes() == b"same"


def test_the_log_is_only_read(store: Store, writer: CommitWriter, tmp_path: Path) -> None:
    commit(store, writer, weights=b"1")
    before = [item.key for item in store.list("log")]
    prefetch = Prefetch(store, Fetcher(store), tmp_path)
    prefetch.refresh()
    assert [item.key for item in store.list("log")] == before
    commit(store, writer, weights=b"2")  # the working attempt is not fenced


def test_a_damaged_checkpoint_keeps_the_one_before_and_is_not_tried_again(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    fetcher, into = Fetcher(store), tmp_path / "prefetched"
    prefetch = Prefetch(store, fetcher, into)
    whole = commit(store, writer, weights=b"whole")
    prefetch.refresh()
    torn = commit(store, writer, weights=b"torn!")
    store.upload(torn.files[0].key, [b"to"])
    prefetch.refresh()
    tried_bytes = fetcher.downloaded_bytes
    prefetch.refresh()
    assert fetcher.downloaded_bytes == tried_bytes == len(b"whole") + len(b"to")
    assert prefetch.commit == whole
    assert staged(prefetch, into) == {"weights": b"whole"}


def test_a_fetch_that_fails_leaves_nothing(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    gone = commit(store, writer, a=b"a", b=b"b")
    store.delete(gone.files[1].key)
    with pytest.raises(Damaged, match="b is gone"):
        Fetcher(store).fetch(gone, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_store_that_is_away_is_looked_at_again(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    committed = commit(store, writer, weights=b"1")
    log = tmp_path / "store" / "log"
    log.rename(tmp_path / "elsewhere")
    log.write_text("in the way")
    prefetch = Prefetch(store, Fetcher(store), tmp_path / "prefetched")
    prefetch.refresh()
    assert prefetch.commit is None
    log.unlink()
    (tmp_path / "elsewhere").rename(log)
    prefetch.refresh()
    assert prefetch.commit == committed


def test_it_follows_the_log_until_it_is_closed(
    store: Store, writer: CommitWriter, tmp_path: Path
) -> None:
    prefetch = Prefetch(store, Fetcher(store), tmp_path)
    prefetch.keep_fresh(every_seconds=0.01)
    newest = commit(store, writer, weights=b"1")
    wait_for(lambda: prefetch.commit == newest)
    prefetch.close()
    commit(store, writer, weights=b"2")
    time.sleep(0.1)
    assert prefetch.commit == newest


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.01)
