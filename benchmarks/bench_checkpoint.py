"""`python -m benchmarks.bench_checkpoint [MIB]`: a large checkpoint through S3, and bare obstore.

All ways send the same four files to the same server in turn, in several rounds; what counts is the
median of the ratios within a round. A commit reads and hashes every file twice and writes its entry
of the log. In the last round one file is changed and saved, and the checkpoint is restored.
The server is SeaweedFS where it is found, else one that does no work and keeps nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import obstore
from obstore.store import S3Store

from benchmarks.bench_node_s3 import OPENERS
from benchmarks.emulated_s3 import IN_MEMORY, KEYS, bucket, nothing, seaweedfs, weed
from finsched.node.checkpoints.commit_log import Committed, CommitWriter
from finsched.node.checkpoints.fetch import Fetcher
from finsched.node.checkpoints.parts import Parts
from finsched.node.store import Store

FILES = 4
MIB = 1 << 20
BARE = "bare obstore"


class Cost(NamedTuple):
    """Seconds by the clock and of this process's processor time."""

    seconds: float
    cpu_seconds: float


class CountingStore(Store):
    """A store that counts what is uploaded."""

    uploaded_bytes = 0

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size."""
        super().upload(key, self._counted(blocks))

    def _counted(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.uploaded_bytes += len(block)
            yield block


class Job:
    """An attempt that saves one folder into one store."""

    def __init__(self, store: CountingStore, saved: Path) -> None:
        self.store = store
        self._saved = saved
        self._writer = CommitWriter(store, 1)
        self._parts = Parts(store, 1, keep=2)
        self.commits: list[Committed] = []

    def commit(self) -> None:
        """Commit what is saved."""
        files = self._parts.store_all(self._saved, names(self._saved))
        self.commits.append(self._writer.commit(files, None))

    def restore(self, into: Path) -> None:
        """Fetch and verify the newest commit."""
        Fetcher(self.store).fetch(self.commits[-1], into)


def main() -> int:
    """Print what each way costs, and their ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mebibytes", type=int, nargs="?", default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--forgetful", action="store_true", help="a server that does no work")
    chosen = parser.parse_args()
    os.environ |= KEYS
    program = None if chosen.forgetful else weed()
    server = "SeaweedFS" if program else "a server that does no work"
    print(f"{chosen.mebibytes} MiB in {FILES} files, {chosen.rounds} rounds, {server}", flush=True)
    with (
        tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder,
        seaweedfs(program) if program else nothing() as url,
    ):
        saved = made(Path(folder, "saved"), chosen.mebibytes)
        jobs: dict[str, Job] = {}
        costs: dict[str, list[Cost]] = {}
        for number in range(1, chosen.rounds + 1):
            last = number == chosen.rounds
            with bucket(url, f"round-{number}", keeps=bool(program)) as name:
                jobs = play(url, name, saved, costs)
                if last:
                    report(costs, chosen.mebibytes)
                    save_and_restore_again(jobs, saved, keeps=bool(program))
    return 0


def play(url: str, name: str, saved: Path, costs: dict[str, list[Cost]]) -> dict[str, Job]:
    """Save once in each way."""
    bare = S3Store(name, endpoint=url, client_options={"allow_http": True})
    options = {"endpoint": url, "allow_http": True, "region": "us-east-1"}
    jobs = {
        way: Job(CountingStore(f"s3://{name}/{way}", options, opener=opener), saved)
        for way, opener in OPENERS.items()
    }

    def put() -> None:
        for each in names(saved):
            obstore.put(bare, f"bare/{each}", saved / each)

    ways: dict[str, Callable[[], None]] = {BARE: put}
    ways |= {f"a commit, {way}": job.commit for way, job in jobs.items()}
    for way, action in ways.items():
        costs.setdefault(way, []).append(cost(action))
    return jobs


def report(costs: dict[str, list[Cost]], mebibytes: int) -> None:
    """Print the medians; ratios are of two times within one round."""
    for way, each in costs.items():
        seconds = statistics.median(one.seconds for one in each)
        cpu_seconds = statistics.median(one.cpu_seconds for one in each)
        ratios = [bare.seconds / own.seconds for bare, own in zip(costs[BARE], each, strict=True)]
        print(
            f"{way:18} {seconds:6.2f} s {mebibytes / seconds:6.0f} MiB/s"
            f" {1000 * cpu_seconds / mebibytes:5.1f} ms of CPU per MiB"
            f" {statistics.median(ratios):6.2f} of bare ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def save_and_restore_again(jobs: dict[str, Job], saved: Path, *, keeps: bool) -> None:
    """Change one file and save; fetch all of it where the server has it."""
    changed = saved / names(saved)[0]
    with changed.open("r+b") as stream:
        stream.write(os.urandom(16))
    for way, job in jobs.items():
        before = job.store.uploaded_bytes
        again = cost(job.commit)
        sent = job.store.uploaded_bytes - before
        assert sent == changed.stat().st_size, "only the changed file is sent"
        print(f"second commit, {way}: {again.seconds:.2f} s, {sent / MIB:.0f} MiB sent")
        if keeps:
            into = saved.with_name(f"restored-{way}")
            seconds = cost(partial(job.restore, into)).seconds
            print(f"verified restore, {way}: {seconds:.2f} s")
            shutil.rmtree(into)


def names(folder: Path) -> list[str]:
    """Return the names of the files."""
    return sorted(path.name for path in folder.iterdir())


def made(folder: Path, mebibytes: int) -> Path:
    """Write files of random bytes, so that no two parts are the same."""
    folder.mkdir()
    for number in range(FILES):
        with (folder / f"shard-{number}").open("wb") as stream:
            for _ in range(mebibytes // FILES):
                stream.write(os.urandom(MIB))
    return folder


def cost(action: Callable[[], object]) -> Cost:
    """Return what an action took."""
    began, used = time.perf_counter(), time.process_time()
    action()
    return Cost(time.perf_counter() - began, time.process_time() - used)


if __name__ == "__main__":
    sys.exit(main())
