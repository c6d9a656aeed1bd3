"""What fuzzing has found once, small enough to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger, recorded
from finsched.node.checkpoints.commit_log import CommitLog, Unreadable
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.restore import restore
from finsched.node.clock import from_iso
from finsched.node.mail.mailbox import UNREADABLE, read_messages
from finsched.node.mail.orders import lease_until
from finsched.node.store import Store

from .test_store_objects import COMMITTED, FILE, ORDERS

DEEP = b"[" * 100_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/store")


@pytest.mark.parametrize("content", [DEEP, b"null", b"3", b"\xff", b""], ids=repr)
def test_what_is_no_object_is_told_as_such(store: Store, content: bytes) -> None:
    for folder in ("log", "mailbox/000001", "orders/000001"):
        store.create(f"{folder}/00000001.json", content)
    assert CommitLog(store).entries() == [Unreadable(number=1)]
    assert [message.kind for message in read_messages(store, 1)] == [UNREADABLE]
    assert lease_until(store, 1) is None


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "something"},
        {"at": None},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"progress": "half"},
        {"progress": 1e999},
        {"files": [{**FILE, "name": 3}]},
        {"files": [{**FILE, "size": -1}]},
        {"files": [{**FILE, "name": "\ud800"}]},
        {"files": {"a": 1}},
        {"attempt": 1e999},
    ],
    ids=repr,
)
def test_a_manifest_with_a_wrong_field_is_none(store: Store, change: dict[str, object]) -> None:
    store.create("log/00000001.json", json.dumps({**COMMITTED, **change}).encode())
    assert CommitLog(store).entries() == [Unreadable(number=1)]


@pytest.mark.parametrize("name", ["", ".", "/", "a\0b", "../x", "/etc/x"], ids=repr)
def test_a_name_that_is_no_file_is_damage(store: Store, tmp_path: Path, name: str) -> None:
    store.create("parts/1", b"state")
    body = {**COMMITTED, "files": [{**FILE, "name": name}]}
    store.create("log/00000001.json", json.dumps(body).encode())
    [entry] = CommitLog(store).entries()
    assert not isinstance(entry, Unreadable)
    found = restore(Fetcher(store), [entry], tmp_path / "into", keep=2)
    assert found.commit is None
    assert len(found.damaged) == 1


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")], ids=repr)
def test_a_file_that_is_a_directory_too_is_damage(
    store: Store, tmp_path: Path, names: tuple[str, ...]
) -> None:
    store.create("parts/1", b"state")
    body = {**COMMITTED, "files": [{**FILE, "name": name} for name in names]}
    store.create("log/00000001.json", json.dumps(body).encode())
    found = restore(Fetcher(store), CommitLog(store).newest_first(), tmp_path / "into", keep=2)
    assert found.commit is None
    assert "is a file and a directory" in found.damaged[0]


def test_the_lease_before_a_damaged_one_counts(store: Store) -> None:
    store.create("orders/000001/00000001.json", json.dumps(ORDERS[0]).encode())
    store.create("orders/000001/00000002.json", b'{"kind": "lease"}')
    assert lease_until(store, 1) == from_iso(ORDERS[0]["until"])


@pytest.mark.parametrize("at", ["2026-06-15T12:00:00", "0001-01-01T00:00:00+14:00", ""], ids=repr)
def test_a_row_without_a_moment_in_utc_is_a_problem(at: str) -> None:
    with pytest.raises(LedgerProblem, match="row 1"):
        recorded(1, "r-1", at, "StopRequested", '{"reason": "x"}')


def test_a_row_that_is_nested_deeply_is_a_problem() -> None:
    with pytest.raises(LedgerProblem, match="row 1"):
        recorded(1, "r-1", "2026-06-15T12:00:00+00:00", "Warned", DEEP.decode())


def test_a_file_whose_error_is_no_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    content = path.read_bytes()
    at = content.index(b"append-only")
    path.write_bytes(content[: at - 4] + b"\x01\x80'" + content[at - 1 :])
    with pytest.raises(LedgerProblem):
        Ledger(path).run_ids()
