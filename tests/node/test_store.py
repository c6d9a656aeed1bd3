"""The store on a real folder, with what can go wrong there."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Missing, Store, StoreError, with_retries

from .cloud_labs import FakeLab, Lab


def test_an_object_is_created_once(any_store: Store) -> None:
    assert any_store.create("log/1", b"first")
    assert not any_store.create("log/1", b"second")
    assert any_store.get("log/1") == b"first"


def test_a_listing_is_sorted_and_starts_behind_a_key(any_store: Store) -> None:
    for name in ("b", "c", "a"):
        any_store.upload(f"folder/{name}", [name.encode()])
    any_store.upload("folder-of-others/a", [b""])
    assert [item.key for item in any_store.list("folder")] == ["folder/a", "folder/b", "folder/c"]
    assert [item.key for item in any_store.list("folder", after="folder/b")] == ["folder/c"]
    assert any_store.list("nothing") == []


def test_an_object_may_be_empty_and_is_replaced_as_a_whole(any_store: Store) -> None:
    any_store.upload("parts/1", [])
    assert list(any_store.download("parts/1")) == []
    any_store.upload("parts/1", [b"new"])
    assert any_store.get("parts/1") == b"new"


def test_keys_are_taken_as_they_are(any_store: Store) -> None:
    keys = ["odd/a+b", "odd/a b", "odd/a&b=c", "odd/(ü)~"]
    for key in keys:
        assert any_store.create(key, key.encode())
    assert [item.key for item in any_store.list("odd")] == sorted(keys)
    assert [any_store.get(key).decode() for key in keys] == keys


@pytest.mark.slow
@pytest.mark.parametrize("cloud", ["s3", "gs", "az"])
def test_a_long_listing_is_complete(cloud: str, request: pytest.FixtureRequest) -> None:
    lab = request.getfixturevalue(cloud)
    count = 1003  # the pages of S3 have a thousand keys
    if isinstance(lab, FakeLab):
        lab.server.page_keys, count = 10, 35
    store = lab.open("stdlib")
    keys = [f"log/{number:04d}" for number in range(count)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda key: store.create(key, b""), keys))
    assert [item.key for item in store.list("log")] == keys
    assert [item.key for item in store.list("log", after=keys[1])] == keys[2:]


def test_launcher_and_node_see_the_same(cloud_lab: Lab) -> None:
    """One of them writes, the other one reads, and neither overwrites what the other created."""
    content = os.urandom((33 << 20) + 7)
    pairs = (("obstore", "stdlib"), ("stdlib", "obstore"))
    for writer, reader in pairs:
        one, other = cloud_lab.open(writer), cloud_lab.open(reader)
        assert one.create(f"log/{writer}", writer.encode())
        assert not other.create(f"log/{writer}", b"another")
        assert other.get(f"log/{writer}") == writer.encode()
        key = f"parts/{writer} (ü)+"
        one.upload(key, (content[i : i + 1_000_000] for i in range(0, len(content), 1_000_000)))
        assert b"".join(other.download(key)) == content
        assert key in [stored.key for stored in other.list("parts")]
        other.delete(key)
        assert key not in [stored.key for stored in one.list("parts")]


def test_a_large_object_comes_back_in_blocks(any_store: Store) -> None:
    content = os.urandom((33 << 20) + 7)
    any_store.upload("large", (content[i : i + 100_000] for i in range(0, len(content), 100_000)))
    assert b"".join(any_store.download("large")) == content


def test_what_is_not_there_is_missing_and_may_be_deleted(any_store: Store) -> None:
    with pytest.raises(Missing):
        any_store.get("nothing")
    with pytest.raises(Missing):
        list(any_store.download("nothing"))
    any_store.delete("nothing")


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


def test_numbers_are_taken_once_and_a_repeated_put_is_its_own(any_store: Store) -> None:
    objects = NumberedObjects(any_store, "mailbox", suffix=".json")
    assert objects.append(b"a", after=0) == 1
    assert objects.append(b"b", after=0) == 2
    assert objects.create(2, b"b"), "the answer was lost and the put was sent again"
    assert not objects.create(2, b"c")
    assert objects.numbers() == [1, 2]
    assert objects.numbers(after=1) == [2]
