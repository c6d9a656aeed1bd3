"""What a store holds may be damaged: it is told as such, and nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from finsched.node.checkpoints.commit_log import (
    CommitLog,
    Committed,
    CommitWriter,
    Opened,
    Unreadable,
)
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.restore import restore
from finsched.node.mail.orders import OrderReader, lease_until
from finsched.node.store import Store

from .fuzzing import contents, fuzz

HASH = hashlib.sha256(b"state").hexdigest()
FILE = {"name": "a/state", "size": 5, "sha256": HASH, "key": "parts/1", "rank": 0}
COMMITTED = {
    "kind": "committed",
    "attempt": 1,
    "at": "2026-06-15T12:00:00+00:00",
    "progress": 0.5,
    "files": [FILE, {**FILE, "name": "b"}],
    "size_bytes": 10,
}
OPENED = {"kind": "opened", "attempt": 1, "at": "2026-06-15T12:00:00Z"}
ORDERS: list[dict[str, Any]] = [
    {"kind": "lease", "until": "2026-06-15T12:00:00+00:00", "at": "2026-06-15T12:00:00+00:00"},
    {"kind": "stop", "reason": "limit", "at": "2026-06-15T12:00:00+00:00"},
]


@contextmanager
def store_with(folder: str, bodies: list[bytes]) -> Iterator[tuple[Store, Path]]:
    with tempfile.TemporaryDirectory() as top:
        store = Store(f"file://{top}/store")
        store.create("parts/1", b"state")
        for number, body in enumerate(bodies, start=1):
            store.create(f"{folder}/{number:08d}.json", body)
        yield store, Path(top)


@fuzz(st.lists(contents(COMMITTED) | contents(OPENED), max_size=4))
def test_every_entry_of_the_log_has_a_type_and_a_restore_stays_in_its_folder(
    bodies: list[bytes],
) -> None:
    with store_with("log", bodies) as (store, top):
        before = {path for path in top.rglob("*") if path.is_file()}
        entries = CommitLog(store).entries()
        assert len(entries) == len(bodies)
        for entry in entries:
            assert isinstance(entry, Opened | Committed | Unreadable)
        into = top / "restored"
        found = restore(Fetcher(store), reversed(entries), into, keep=2)
        written = {path for path in top.rglob("*") if path.is_file()} - before
        assert all(path.is_relative_to(into) for path in written)
        if found.commit and found.directory:
            for file in found.commit.files_for(0):
                assert (found.directory / file.name).read_bytes() == b"state"


@fuzz(st.lists(contents(COMMITTED) | contents(OPENED), max_size=4), st.integers(1, 3))
def test_a_writer_passes_over_what_cannot_be_read(bodies: list[bytes], attempt: int) -> None:
    from finsched.node.checkpoints.commit_log import Fenced

    with store_with("log", bodies) as (store, _):
        writer = CommitWriter(store, attempt)
        try:
            writer.open()
            commit = writer.commit((), 0.5)
        except Fenced:
            entries = CommitLog(store).entries()
            attempts = [each.attempt for each in entries if not isinstance(each, Unreadable)]
            assert max(attempts) >= attempt
            return
        assert CommitLog(store).newest_commit() == commit


@fuzz(st.lists(contents(ORDERS[0]) | contents(ORDERS[1]), max_size=4))
def test_an_order_that_cannot_be_read_is_not_followed(bodies: list[bytes]) -> None:
    with store_with("orders/000001", bodies) as (store, _):
        reader = OrderReader(store, 1, lease_seconds=60)
        reader.read_new()
        assert reader.lease_until.tzinfo is not None
        assert reader.stop_reason is None or isinstance(reader.stop_reason, str)
        moment = lease_until(store, 1)
        assert moment is None or moment.tzinfo is not None
