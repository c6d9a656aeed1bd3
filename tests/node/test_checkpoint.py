"""Commits and restores on real files: torn saves, retention, damage, failing stores."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finsched.node.checkpoints.cadence import Cadence, Pace
from finsched.node.checkpoints.checkpoint import Committer, CommitTools
from finsched.node.checkpoints.commit_log import CommitLog, Committed, CommitWriter
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.parts import Changed, Parts
from finsched.node.checkpoints.restore import Restored, restore
from finsched.node.job.progress import Progress
from finsched.node.mail.mailbox import Mailbox, read_messages
from finsched.node.reports import Reports
from finsched.node.store import Store


class Bench:
    """One attempt's committer over a directory, as the agent sets it up."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        attempt: int = 1,
        keep: int = 2,
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self.directory = folder / f"ckpt-{attempt}"
        self.directory.mkdir()
        self.progress = Progress(folder / f"progress-{attempt}")
        self.progress_file = folder / f"progress-{attempt}"
        self.mailbox = Mailbox(store, attempt)
        self.attempt = attempt
        writer = CommitWriter(store, attempt)
        writer.open()
        self.restored = restored_from(store, folder / f"restored-{attempt}")
        self.parts = Parts(store, attempt, keep=keep)
        commits = (self.restored.commit, *self.restored.older)
        self.parts.trust(reversed([commit for commit in commits if commit]))
        self.tools = CommitTools(
            writer=writer,
            parts=self.parts,
            progress=self.progress,
            reports=Reports(self.mailbox, self.progress, rank=0),
            pace=pace or Pace(Cadence.read(1.0), age_seconds=0.0),
            marker=folder / f"committed-{attempt}",
        )
        self.committer = Committer(self.directory, folder / f"staging-{attempt}", self.tools)
        self.committer.start()

    def save(self, name: str, content: bytes) -> None:
        target = self.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_bytes(content)
        temporary.replace(target)

    def commits(self) -> list[Committed]:
        return [e for e in CommitLog(self.store).entries() if isinstance(e, Committed)]

    def finish(self, *, whole: bool = True, seconds: float = 5.0) -> bool:
        return self.committer.finish(whole=whole, deadline=time.monotonic() + seconds)


def restored_from(store: Store, into: Path) -> Restored:
    return restore(Fetcher(store), CommitLog(store).newest_first(), into, keep=2)


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.02)


def files_in(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(store, tmp_path)
    yield bench
    bench.finish(whole=False, seconds=2.0)


def test_a_save_at_rest_is_committed_and_comes_back_bit_for_bit(
    bench: Bench, store: Store, tmp_path: Path
) -> None:
    saved = {"state.json": b'{"i": 1}', "deep/er/weights.bin": os.urandom(3 << 20), "empty": b""}
    for name, content in saved.items():
        bench.save(name, content)
    wait_for(bench.commits)
    restored = restored_from(store, tmp_path / "back")
    assert restored.directory is not None
    assert files_in(restored.directory) == saved
    assert restored.damaged == ()
    [message] = wait_for_messages(bench, "committed")
    assert message["files"] == 3
    assert message["size_bytes"] == sum(map(len, saved.values()))


def wait_for_messages(bench: Bench, kind: str) -> list[dict[str, object]]:
    def found() -> list[dict[str, object]]:
        messages = read_messages(bench.store, bench.attempt)
        return [dict(message.document) for message in messages if message.kind == kind]

    wait_for(found)
    return found()


def test_an_unchanged_file_is_sent_once(bench: Bench, store: Store) -> None:
    bench.save("tokenizer", b"never changes")
    bench.save("weights", b"1")
    wait_for(lambda: len(bench.commits()) == 1)
    before = {item.key for item in store.list("parts")}
    bench.save("weights", b"22")
    wait_for(lambda: len(bench.commits()) == 2)
    assert len({item.key for item in store.list("parts")} - before) == 1


def by_age(every_seconds: float) -> Pace:
    rows = [
        {"age_seconds": 0, "every_seconds": every_seconds},
        {"age_seconds": 3600, "every_seconds": 2 * every_seconds},
    ]
    return Pace(Cadence.read(rows), age_seconds=0)


def test_a_save_left_out_for_a_newer_one_is_committed_at_the_end(
    store: Store, tmp_path: Path
) -> None:
    bench = Bench(store, tmp_path, pace=by_age(2.0))
    for content in (b"1", b"2", b"3"):
        bench.save("weights", content)
        time.sleep(0.4)
    assert bench.finish()
    hashes = [commit.files[0].sha256 for commit in bench.commits()]
    assert hashes == [hashlib.sha256(content).hexdigest() for content in (b"1", b"3")]


def test_a_hint_commits_what_was_left_out(store: Store, tmp_path: Path) -> None:
    pace = by_age(2.0)
    bench = Bench(store, tmp_path, pace=pace)
    bench.save("weights", b"1")
    wait_for(bench.commits)
    bench.save("weights", b"2")
    time.sleep(0.6)
    assert len(bench.commits()) == 1
    pace.hint()
    wait_for(lambda: len(bench.commits()) == 2, seconds=0.5)
    assert bench.finish()


def test_only_parts_of_the_last_two_commits_are_kept(bench: Bench, store: Store) -> None:
    for number in range(1, 5):
        bench.save("weights", f"generation {number}".encode())
        wait_for(lambda expected=number: len(bench.commits()) == expected)
    assert bench.finish()
    kept = {file.key for commit in bench.commits()[-2:] for file in commit.files}
    assert {item.key for item in store.list("parts")} == kept
    assert len(bench.commits()) == 4, "the log is never shortened"


def test_a_new_attempt_deletes_what_the_old_one_left_behind(store: Store, tmp_path: Path) -> None:
    first = Bench(store, tmp_path, attempt=1)
    for content in (b"one", b"two", b"three"):
        first.save("weights", content)
        count = len(first.commits())
        wait_for(lambda before=count: len(first.commits()) > before)
    first.finish()
    store.upload("parts/000001/never-committed", [b"an interrupted upload"])
    store.upload("parts/000009/of-a-newer-attempt", [b"not ours to delete"])
    second = Bench(store, tmp_path, attempt=2)
    needed = {file.key for commit in second.commits()[-2:] for file in commit.files}
    wait_for(lambda: len(store.list("parts")) == 3)
    left = {item.key for item in store.list("parts")}
    assert left == needed | {"parts/000009/of-a-newer-attempt"}
    second.save("weights", b"four")
    assert second.finish()
    assert restored_from(store, tmp_path / "back").damaged == ()


def test_a_job_killed_in_a_save_leaves_the_last_commit(bench: Bench) -> None:
    bench.save("weights", b"whole")
    wait_for(bench.commits)
    (bench.directory / "weights").write_bytes(b"torn")
    assert bench.finish(whole=False), "nothing to commit is no failure"
    [commit] = bench.commits()
    assert commit.files[0].sha256 == hashlib.sha256(b"whole").hexdigest()


def test_a_job_that_exits_with_0_has_its_last_save_committed(bench: Bench) -> None:
    bench.save("weights", b"the last one")
    assert bench.finish(whole=True)
    assert bench.commits()[-1].files[0].sha256 == hashlib.sha256(b"the last one").hexdigest()


def test_a_file_that_is_written_all_the_time_is_never_committed(bench: Bench) -> None:
    end_at = time.monotonic() + 1.2
    with (bench.directory / "weights").open("wb", buffering=0) as file:
        while time.monotonic() < end_at:
            file.write(os.urandom(512))
            time.sleep(0.01)
        assert bench.commits() == []
        assert bench.finish(whole=False)
    assert bench.commits() == []


def test_a_part_that_is_written_to_during_its_upload_is_never_kept(
    store: Store, tmp_path: Path
) -> None:
    """What is stored under a hash has that hash, whatever the job does meanwhile."""
    parts, path = Parts(store, 1, keep=2), tmp_path / "weights"
    path.write_bytes(bytes(4 << 20))
    stop, changed = threading.Event(), 0

    def writes() -> None:
        with path.open("r+b", buffering=0) as file:
            while not stop.is_set():
                file.seek(random.randrange(4 << 20))
                file.write(os.urandom(8))
                time.sleep(0.001)

    job = threading.Thread(target=writes, daemon=True)
    job.start()
    for _ in range(10):
        try:
            parts.store_all(tmp_path, ["weights"])
        except Changed:
            changed += 1
    stop.set()
    job.join()
    assert changed, "the writer was never in the way"
    assert all(
        item.key.endswith(hashlib.sha256(store.get(item.key)).hexdigest())
        for item in store.list("parts")
    )


def test_files_that_are_written_in_place_are_committed_together_or_not_at_all(
    bench: Bench, store: Store
) -> None:
    """The small file, sent last, is rewritten while others are sent: never old beside new."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    generations: dict[str, int] = {}
    for generation in range(1, 9):
        files = {"small": bytes([generation])}
        files |= {
            f"large-{number:02}": bytes([generation, number]) * (1 << 19) for number in range(24)
        }
        generations |= {hashlib.sha256(each).hexdigest(): generation for each in files.values()}
        for name, content in files.items():
            (bench.directory / name).write_bytes(content)
            time.sleep(0.05 if name == "small" else 0)  # far less than what counts as at rest
        time.sleep(chance.uniform(0.2, 0.35))
    bench.finish()
    assert bench.commits()
    for commit in bench.commits():
        assert len({generations[file.sha256] for file in commit.files}) == 1


def test_a_job_that_replaces_its_files_during_the_upload_does_not_starve(
    store: Store, tmp_path: Path
) -> None:
    """Every commit holds one generation: each is a folder that was renamed into place."""
    bench = Bench(store, tmp_path)
    stop = threading.Event()

    def saves() -> None:
        generation = 0
        while not stop.wait(0.35):
            generation += 1
            content = str(generation).encode() * 400_000
            bench.save("a", content)
            bench.save("b", content)

    job = threading.Thread(target=saves, daemon=True)
    job.start()
    wait_for(lambda: len(bench.commits()) >= 3)
    stop.set()
    job.join()
    bench.finish(whole=False)
    for commit in bench.commits():
        assert len({file.sha256 for file in commit.files}) == 1


def test_progress_is_that_of_the_save_and_not_of_the_commit(bench: Bench) -> None:
    bench.progress_file.write_text("0.5")
    bench.progress.read()
    bench.save("weights", b"half")
    time.sleep(0.03)
    bench.progress_file.write_text("0.7")
    bench.progress.read()
    wait_for(bench.commits)
    assert bench.commits()[0].progress == 0.5


@pytest.mark.parametrize("text", ["", "nan", "-0.1", "1.5", "half", "0.5 0.6", "\0"])
def test_garbage_is_no_progress(tmp_path: Path, text: str) -> None:
    progress = Progress(tmp_path / "progress")
    assert progress.read() is None
    (tmp_path / "progress").write_text("0.25")
    assert progress.read() == 0.25
    (tmp_path / "progress").write_text(text)
    assert progress.read() == 0.25


@pytest.fixture
def two_commits(store: Store, tmp_path: Path) -> Bench:
    bench = Bench(store, tmp_path)
    for count, content in enumerate((b"older", b"newer"), start=1):
        bench.save("weights", content)
        wait_for(lambda expected=count: len(bench.commits()) == expected)
    assert bench.finish()
    return bench


def cut_in_half(part: Path, _: Path) -> None:
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])


def flip_a_bit(part: Path, _: Path) -> None:
    content = part.read_bytes()
    part.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def delete_the_part(part: Path, _: Path) -> None:
    part.unlink()


def cut_the_manifest(_: Path, manifest: Path) -> None:
    manifest.write_bytes(manifest.read_bytes()[:40])


def lead_outside(_: Path, manifest: Path) -> None:
    document = json.loads(manifest.read_text())
    document["files"][0]["name"] = "../../outside"
    manifest.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "damage", [cut_in_half, flip_a_bit, delete_the_part, cut_the_manifest, lead_outside]
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    two_commits: Bench, store: Store, tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    newest = two_commits.commits()[-1]
    folder = tmp_path / "store"
    damage(folder / newest.files[0].key, folder / f"log/{newest.number:08d}.json")
    restored = restored_from(store, tmp_path / "back")
    assert restored.directory is not None
    assert files_in(restored.directory) == {"weights": b"older"}
    assert restored.commit == two_commits.commits()[0]
    assert len(restored.damaged) == 1
    assert f"checkpoint {newest.number} is damaged" in restored.damaged[0]
    assert not (tmp_path / "outside").exists()


def test_with_every_checkpoint_damaged_the_job_starts_afresh(
    two_commits: Bench, store: Store, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "store/parts")
    restored = restored_from(store, tmp_path / "back")
    assert (restored.commit, restored.directory, len(restored.damaged)) == (None, None, 2)


def test_a_full_store_is_warned_about_and_does_not_stop_the_agent(
    tiny_disk: Path, tmp_path: Path
) -> None:
    bench = Bench(Store(f"file://{tiny_disk}/store"), tmp_path)
    bench.save("weights", os.urandom(400_000))
    [warning] = wait_for_messages(bench, "warning")
    assert "no space left on the device" in str(warning["text"])
    bench.save("weights", os.urandom(10_000))
    wait_for(bench.commits)
    assert bench.finish()


def test_a_store_that_stays_full_is_a_failure_at_the_end(tiny_disk: Path, tmp_path: Path) -> None:
    bench = Bench(Store(f"file://{tiny_disk}/store"), tmp_path)
    bench.save("weights", os.urandom(400_000))
    assert not bench.finish(seconds=1.0)


def test_an_overtaken_committer_stops_and_says_so(store: Store, tmp_path: Path) -> None:
    old = Bench(store, tmp_path, attempt=1)
    CommitWriter(store, 2).open()
    old.save("weights", b"from the past")
    wait_for(lambda: old.committer.fenced)
    assert "attempt 2 has taken over" in (old.committer.fenced or "")
    assert not old.finish()
    assert old.commits() == []
