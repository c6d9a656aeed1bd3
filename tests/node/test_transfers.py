"""Large checkpoints on a slow cable, and on one that is cut: told while it lasts, and resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.node.checkpoints import parts
from finsched.node.checkpoints.commit_log import CommitLog
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.meter import SILENT_SECONDS, Meter
from finsched.node.store import Store
from finsched.node.stores import multipart, parallel
from finsched.node.stores.s3 import S3Objects
from tests.object_stores import S3Lab

from .cable import Cable, cable
from .test_checkpoint import Bench, files_in, restored_from, wait_for, wait_for_messages

MIB = 1 << 20
PART = 5 * MIB  # the smallest that S3 takes
SIZE = 8 * PART + 3


@pytest.fixture
def laid(s3: S3Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    monkeypatch.setattr(multipart, "PART_BYTES", PART)
    monkeypatch.setattr(parts, "PART_BYTES", PART)
    monkeypatch.setattr(parallel, "AT_ONCE", 4)
    with cable(s3.url) as laid:
        yield laid


@pytest.fixture
def bench(s3: S3Lab, laid: Cable, tmp_path: Path) -> Iterator[Bench]:
    options = {"endpoint": laid.url, "allow_http": True}
    bench = Bench(Store(f"s3://{s3.bucket}/run", options, opener=S3Objects), tmp_path)
    yield bench
    bench.finish(whole=False, seconds=2.0)


@pytest.mark.slow
def test_an_upload_whose_connection_is_cut_goes_on_where_it_was(
    bench: Bench, laid: Cable, s3: S3Lab, tmp_path: Path
) -> None:
    content = os.urandom(SIZE)
    log = CommitLog(s3.store(folder="run"))  # over no cable
    laid.cut_after(6 * PART, seconds=4.0)
    bench.save("weights", content)
    wait_for(log.newest_commit, seconds=60)
    assert laid.cuts == 1
    [warning] = wait_for_messages(bench, "warning")
    assert "trying on" in str(warning["text"])
    in_flight = 4 * PART  # several parts are sent at a time, and none of them was whole
    assert laid.sent_bytes < SIZE + in_flight + 2 * MIB, "what had arrived is not sent again"
    uploads = [call for call in s3.calls("POST") if call["query"].startswith("uploads")]
    assert len(uploads) == 1, "it is the same upload"
    restored = restored_from(s3.store(folder="run"), tmp_path / "back")
    assert restored.directory
    assert files_in(restored.directory) == {"weights": content}


@pytest.mark.slow
def test_a_slow_upload_is_told_while_it_lasts_and_so_is_a_slow_restore(
    bench: Bench, laid: Cable, tmp_path: Path
) -> None:
    laid.most_bytes_per_second = 3 * MIB  # for each of the connections
    bench.save("weights", os.urandom(SIZE))
    bench.save("state", b"small")
    wait_for(bench.commits, seconds=60)
    told = wait_for_messages(bench, "uploading")
    assert {each["total_bytes"] for each in told} == {SIZE + 5}
    done = [int(str(each["done_bytes"])) for each in told]
    assert done == sorted(set(done))
    assert 0 < done[0] <= done[-1] <= SIZE + 5
    assert float(str(told[0]["seconds"])) >= SILENT_SECONDS
    heard: list[tuple[int, int, float]] = []
    [commit] = bench.commits()
    Fetcher(bench.store).fetch(commit, tmp_path / "back", lambda *told: heard.append(told))
    assert heard
    assert heard[-1][:2] == (SIZE + 5, SIZE + 5) or heard[-1][0] < heard[-1][1]


def test_what_is_done_soon_is_not_worth_a_word(store: Store, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    bench.save("weights", os.urandom(MIB))
    wait_for_messages(bench, "committed")
    bench.finish(whole=True)
    bench.mailbox.close(timeout_seconds=5)
    assert not [each for each in store.list("mailbox") if b"uploading" in store.get(each.key)]


def test_a_meter_tells_at_most_once_for_each_twentieth(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    told: list[tuple[int, int, float]] = []
    meter = Meter(1000, lambda *news: told.append(news))
    for _ in range(1000):
        now[0] += 0.01
        meter.passed(1)
    assert 15 <= len(told) <= 20
    assert all(seconds >= SILENT_SECONDS for _, _, seconds in told)
    now[0] += 60
    meter.passed(0)
    assert told[-1] == (1000, 1000, pytest.approx(70.0)), "a stall is told, too"
