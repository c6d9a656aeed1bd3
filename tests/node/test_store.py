"""The store on a real folder, with what can go wrong there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from finsched.node.numbered import NumberedObjects
from finsched.node.store import Missing, Store, StoreError, with_retries


def test_an_object_is_created_once(store: Store) -> None:
    assert store.create("log/1", b"first")
    assert not store.create("log/1", b"second")
    assert store.get("log/1") == b"first"


def test_a_listing_is_sorted_and_starts_behind_a_key(store: Store) -> None:
    for name in ("b", "c", "a"):
        store.upload(f"folder/{name}", [name.encode()])
    store.upload("folder-of-others/a", [b""])
    assert [item.key for item in store.list("folder")] == ["folder/a", "folder/b", "folder/c"]
    assert [item.key for item in store.list("folder", after="folder/b")] == ["folder/c"]
    assert store.list("nothing") == []


def test_a_large_object_comes_back_in_blocks(store: Store) -> None:
    content = os.urandom(12 << 20)
    store.upload("large", (content[i : i + 100_000] for i in range(0, len(content), 100_000)))
    assert b"".join(store.download("large")) == content


def test_what_is_not_there_is_missing_and_may_be_deleted(store: Store) -> None:
    with pytest.raises(Missing):
        store.get("nothing")
    with pytest.raises(Missing):
        list(store.download("nothing"))
    store.delete("nothing")


@pytest.mark.parametrize("uri", ["s4://bucket/x", "nothing", "s3://bucket/x?"])
def test_a_wrong_uri_or_option_is_told_in_words(uri: str) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store(uri, {"bogus": 1})


def test_a_full_disk_is_told_in_words(tiny_disk: Path) -> None:
    store = Store(f"file://{tiny_disk}/store")
    with pytest.raises(StoreError, match="no space left on the device"):
        store.upload("large", (bytes(100_000) for _ in range(10)))


def test_a_read_only_disk_is_told_in_words(tiny_disk: Path) -> None:
    store = Store(f"file://{tiny_disk}/store")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(StoreError, match="no permission"):
        store.create("log/1", b"x")


def test_retries_end_with_the_first_success_or_with_the_error() -> None:
    answers = iter([StoreError("busy"), 7])

    def action() -> int:
        answer = next(answers)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    assert with_retries(action) == 7
    answers = iter([StoreError("busy"), StoreError("still busy"), 8])
    with pytest.raises(StoreError, match="still busy"):
        with_retries(action, tries=2)


def test_numbers_are_taken_once_and_a_repeated_put_is_its_own(store: Store) -> None:
    objects = NumberedObjects(store, "mailbox", suffix=".json")
    assert objects.append(b"a", after=0) == 1
    assert objects.append(b"b", after=0) == 2
    assert objects.create(2, b"b"), "the answer was lost and the put was sent again"
    assert not objects.create(2, b"c")
    assert objects.numbers() == [1, 2]
    assert objects.numbers(after=1) == [2]
