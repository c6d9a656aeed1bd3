"""S3 servers on the loopback: SeaweedFS, which keeps what it gets, and one that does no work."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEYS = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark-secret",
    "AWS_REGION": "us-east-1",
}
_INSTALLED = Path(__file__).parents[1] / ".venv-bench/bin/weed"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A folder whose speed is not that of a disk which others use as well, where there is one."""

_WEED_STARTS_IN_SECONDS = 60


def weed() -> str | None:
    """Return SeaweedFS where FINSCHED_WEED names it, `make bench` has put it, or PATH has it."""
    named = os.environ.get("FINSCHED_WEED") or (str(_INSTALLED) if _INSTALLED.exists() else "")
    return named or shutil.which("weed")


@contextmanager
def seaweedfs(program: str) -> Iterator[str]:
    """Run SeaweedFS, a real object store in one process, on a folder in memory; yield its URL."""
    ports = _free_ports(8)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    options = [f"-{name}={port}" for name, port in zip(names, ports[:4], strict=True)]
    options += [f"-{name}.grpc={port}" for name, port in zip(names, ports[4:], strict=True)]
    options += ["-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=100"]
    url = f"http://127.0.0.1:{ports[3]}"
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        command = [program, "server", f"-dir={folder}", *options]
        log = Path(folder, "log").open("wb")  # noqa: SIM115 - as long as the server
        server = subprocess.Popen(command, env={**os.environ, **KEYS}, stdout=log, stderr=log)
        try:
            _wait_for(server, ports[3], Path(folder, "log"))
            yield url
            assert server.poll() is None, Path(folder, "log").read_text(errors="replace")[-2000:]
        finally:
            server.kill()
            server.wait()
            log.close()


@contextmanager
def nothing() -> Iterator[str]:
    """Run a server that takes every part and forgets it; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.bench_node_s3", "serve", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


@contextmanager
def bucket(url: str, name: str, *, keeps: bool) -> Iterator[str]:
    """Yield the name of a bucket, which goes with all that is in it; some servers need none."""
    if not keeps:
        yield name
        return
    client = boto3.client("s3", endpoint_url=url, region_name=KEYS["AWS_REGION"])
    give_up_at = time.monotonic() + _WEED_STARTS_IN_SECONDS
    while True:
        try:
            client.create_bucket(Bucket=name)
            break
        except (BotoCoreError, ClientError):  # it takes connections before it takes buckets
            assert time.monotonic() < give_up_at, "the server makes no bucket"
            time.sleep(0.2)
    yield name
    client.delete_bucket(Bucket=name)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up_at = time.monotonic() + _WEED_STARTS_IN_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            text = log.read_text(errors="replace")[-2000:]
            assert server.poll() is None, text
            assert time.monotonic() < give_up_at, text
            time.sleep(0.1)
