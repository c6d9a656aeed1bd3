"""`python -m benchmarks.bench_checkpoint [MIB]`: a large checkpoint into S3, against bare obstore.

Both send the same four files to the same server, which does no work, in the same run, in turn. A
commit also hashes every file before and while it is sent; a second commit sends what has changed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import obstore
from obstore.store import S3Store

from benchmarks.bench_node_s3 import OPENERS
from finsched.node.parts import Parts
from finsched.node.store import Store

FILES = 4
ROUNDS = 3


def main() -> int:
    """Print MiB per second of each way, and their ratio."""
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
    }
    with tempfile.TemporaryDirectory() as folder:
        files = made(Path(folder), mebibytes)
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bench_node_s3", "serve", "1"], stdout=subprocess.PIPE
        )
        try:
            assert server.stdout
            port = int(server.stdout.readline())
            return compared(files, f"http://127.0.0.1:{port}", mebibytes)
        finally:
            server.kill()


def made(folder: Path, mebibytes: int) -> list[Path]:
    """Write files of random bytes, so that no two parts are the same."""
    files = [folder / f"shard-{number}" for number in range(FILES)]
    for file in files:
        with file.open("wb") as stream:
            for _ in range(mebibytes // FILES):
                stream.write(os.urandom(1 << 20))
    return files


def compared(files: list[Path], url: str, mebibytes: int) -> int:
    """Send the files in each way, in turn, and print the medians."""
    bare = S3Store("bucket-b", endpoint=url, client_options={"allow_http": True})

    def plain() -> None:
        for file in files:
            obstore.put(bare, file.name, file)

    ways: dict[str, Callable[[], None]] = {"bare obstore": plain}
    for name, opener in OPENERS.items():
        options = {"endpoint": url, "allow_http": True, "region": "us-east-1"}
        store = Store("s3://bucket-b/run", options, opener=opener)
        ways[f"a commit's parts, {name}"] = lambda store=store: commit(files, store)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, send in ways.items():
            seconds[name].append(timed(send))
    best = {name: statistics.median(each) for name, each in seconds.items()}
    for name, each in best.items():
        ratio = best["bare obstore"] / each
        print(f"{name:28} {mebibytes / each:7.0f} MiB/s  {ratio:5.2f} of bare obstore")
    return 0


def commit(files: list[Path], store: Store) -> None:
    """Send the files as a committer does."""
    parts = Parts(store, 1, keep=2)
    for file in files:
        parts.store(file, file.name)


def timed(action: Callable[[], None]) -> float:
    """Return how many seconds an action took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
