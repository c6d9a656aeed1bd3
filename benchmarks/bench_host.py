"""The background process with many runs: CPU, memory, latency, ledger; start-up; `status`.

    python benchmarks/bench_host.py --runs 10000 --minutes 5 --old-runs 100000

The runs live on the make-believe cloud of host_cloud.py, in real time and in the process that is
measured: what it costs is in the figures. Latency is from the end of a machine, by the cloud's
clock, to the intent of the next.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finsched.host.client import Client
from finsched.ledger import Ledger
from finsched.model.codec import encode
from finsched.model.event import (
    AttemptEnded,
    Committed,
    Decided,
    Ended,
    Event,
    Intended,
    Launched,
    Queued,
    Started,
    Submitted,
)
from finsched.model.job import CheckpointSpec, GpuRequest, JobSpec, Requirements, Where, Work
from finsched.model.run import AttemptEnd, Checkpoint, Choice, Outcome, Restore
from finsched.settings import LEDGER_FILE
from finsched.testing.runs import placement

HERE = Path(__file__).parent
FINSCHED = [sys.executable, "-m", "finsched"]
TICKS = os.sysconf("SC_CLK_TCK")
IDLE = """
import importlib.metadata, json, platformdirs, rich.console, rich.live, rich.table, sqlite3, typer
app = typer.Typer()
@app.command()
def idle(run: str | None = None) -> None: pass
app()
"""
JOB = JobSpec(
    name="bench",
    run="python train.py",
    requirements=Requirements(gpus=(GpuRequest(count=8, name="A100-80GB"),)),
    where=Where(clouds=("bench",)),
    work=Work(hours=500),
    checkpoint=CheckpointSpec(size_gb=1, save_time=timedelta(seconds=30)),
)


class Bench:
    """A state directory, and the environment of its commands."""

    def __init__(self, folder: Path, life_seconds: float) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self._make_cloud_known()
        self.environ = {
            **os.environ,
            "FINSCHED_STATE_DIR": str(self.state_dir),
            "FINSCHED_CONFIG": str(folder / "config.toml"),
            "PYTHONPATH": f"{folder}{os.pathsep}{HERE}",
            "BENCH_LIFE_SECONDS": str(life_seconds),
        }
        self.ledger = Ledger(self.state_dir / LEDGER_FILE)

    def _make_cloud_known(self) -> None:
        (self.folder / "config.toml").write_text('providers = ["bench"]\n')
        about = self.folder / "bench_cloud-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-cloud\nVersion: 1\n")
        (about / "entry_points.txt").write_text(
            "[finsched.providers]\nbench = host_cloud:provider\n"
        )

    def submit(self, count: int, store: Path) -> None:
        """Write runs down that were handed over."""
        now = datetime.now(UTC)
        events = (
            (f"bench-{number:06d}", now, event)
            for number in range(count)
            for event in (
                Submitted(job=JOB, store_uri=(store / f"bench-{number:06d}").as_uri()),
                Queued(),
            )
        )
        self.write(events)

    def write(self, events: Iterator[tuple[str, datetime, Event]]) -> None:
        """Write many events as one transaction, which the ledger itself never does."""
        with sqlite3.connect(self.ledger.path) as connection:
            connection.executemany(
                "INSERT INTO events (run, at, kind, body) VALUES (?, ?, ?, ?)",
                (
                    (run, at.isoformat(), type(event).__name__, json.dumps(encode(event)))
                    for run, at, event in events
                ),
            )
        connection.close()

    @contextmanager
    def process(self) -> Iterator[int]:
        """The background process, from its start to its end; yields its id."""
        os.environ.update(self.environ)
        client = Client(self.state_dir)
        pid = int(client.start()["pid"])
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGTERM)
            while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
                time.sleep(0.1)


def _is_zombie(pid: int) -> bool:
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int) -> dict[str, float]:
    """Return what a process holds, and the most that it has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(told[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}


# --- many live runs ----------------------------------------------------------------------------


def held(count: int, minutes: float, life_seconds: float) -> None:
    """Hold runs, let them settle, then measure."""
    shm = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=shm) as store,
    ):
        bench = Bench(Path(folder), life_seconds)
        bench.submit(count, Path(store))
        began = time.monotonic()
        with bench.process() as pid:
            _until_all_run(bench, count)
            print(f"{count:,} runs launched in {time.monotonic() - began:.0f} s", flush=True)
            time.sleep(20)
            _measure(bench, pid, count, minutes)


def _until_all_run(bench: Bench, count: int) -> None:
    while (started := _count(bench, "Started")) < count:
        print(f"  {started:,} started", file=sys.stderr, flush=True)
        time.sleep(5)


def _count(bench: Bench, kind: str) -> int:
    with sqlite3.connect(bench.ledger.path) as connection:
        (found,) = connection.execute(
            "SELECT COUNT(*) FROM events WHERE kind = ?", (kind,)
        ).fetchone()
    return int(found)


def _measure(bench: Bench, pid: int, count: int, minutes: float) -> None:
    sequence, size = bench.ledger.newest(), _bytes(bench)
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(minutes * 60)
    seconds = time.monotonic() - began
    cores = (cpu_seconds(pid) - before) / seconds
    memory = memory_mib(pid)
    print(f"over {seconds:.0f} s, 1-minute load of the machine {os.getloadavg()[0]:.1f}:")
    print(f"  CPU {cores:.2f} cores")
    print(f"  memory {memory['VmRSS']:.0f} MiB, at most {memory['VmHWM']:.0f} MiB")
    _print_latency(bench, sequence)
    per_day = (_bytes(bench) - size) / count / seconds * 86_400 / 1000
    written = bench.ledger.newest() - sequence
    print(f"  ledger: {written:,} events, {per_day:.0f} kB a run and day at that pace")


def _bytes(bench: Bench) -> int:
    """What the events take, without the space that SQLite keeps free."""
    with sqlite3.connect(bench.ledger.path) as connection:
        (size,) = connection.execute("SELECT SUM(LENGTH(body) + 60) FROM events").fetchone()
    return int(size)


def _print_latency(bench: Bench, after: int) -> None:
    query = "SELECT run, at, kind FROM events WHERE sequence > ? ORDER BY sequence"
    ended: dict[str, datetime] = {}
    waits = []
    with sqlite3.connect(bench.ledger.path) as connection:
        for run, at, kind in connection.execute(query, (after,)):
            if kind == "AttemptEnded":
                ended[run] = datetime.fromisoformat(at)
            elif kind == "Intended" and run in ended:
                waits.append((datetime.fromisoformat(at) - ended.pop(run)).total_seconds())
    if len(waits) < 2:
        print("  too few interruptions to tell a latency")
        return
    hundredths = statistics.quantiles(waits, n=100)
    print(
        f"  from a machine's end to the next intent: median {hundredths[49]:.2f} s,"
        f" p99 {hundredths[98]:.2f} s, most {max(waits):.2f} s, of {len(waits):,} interruptions"
    )


# --- start-up and status -----------------------------------------------------------------------


def old(count: int) -> None:
    """Start the process, and look at a run, over a ledger of runs that have ended."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), 3600.0)
        bench.write(_old_runs(count))
        size = bench.ledger.path.stat().st_size / 1e6
        print(f"{count:,} old runs, a ledger of {size:,.0f} MB:")
        for _ in range(3):
            began = time.monotonic()
            with bench.process() as pid:
                seconds, cpu = time.monotonic() - began, cpu_seconds(pid)
                print(f"  the process answers after {seconds:.2f} s, {cpu:.2f} s of CPU")
        _compare(bench, "bench-000007")


def _old_runs(count: int) -> Iterator[tuple[str, datetime, Event]]:
    began = datetime.now(UTC) - timedelta(days=300)
    chosen = replace(placement(), why="cheapest feasible")
    restore = Restore(sequence=None, attempt=1, at=began, size_bytes=0)
    for number in range(count):
        run, at = f"bench-{number:06d}", began + timedelta(minutes=number)
        kept = Checkpoint(sequence=1, attempt=1, at=at, size_bytes=10**9)
        choice = Choice(step="launch", why="cheapest feasible")
        for event in (
            Submitted(job=JOB, store_uri="file:///nowhere", best_on_demand=chosen),
            Queued(),
            Decided(choice=choice),
            Intended(attempt=1, token=run, provider="bench", placement=chosen),
            Launched(attempt=1, instance_ids=("i-1",), billing_from=at),
            Started(attempt=1, restore=restore),
            Committed(attempt=1, checkpoint=kept),
            AttemptEnded(attempt=1, end=AttemptEnd.FINISHED),
            Ended(outcome=Outcome.FINISHED),
        ):
            yield run, at, event


def _compare(bench: Bench, run: str) -> None:
    """`status` beside a command that does nothing, with the same libraries, one after the other."""
    commands = {
        "status": [*FINSCHED, "status", run],
        "its libraries": [sys.executable, "-c", IDLE],
    }
    for command in commands.values():
        _children_cpu_seconds(command, bench.environ)
    pairs = [
        {name: _children_cpu_seconds(command, bench.environ) for name, command in commands.items()}
        for _ in range(15)
    ]
    medians = {name: statistics.median(pair[name] for pair in pairs) for name in commands}
    ratio = medians["status"] / medians["its libraries"]
    told = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in medians.items())
    print(f"  CPU of {told}: {ratio:.2f} times")


def _children_cpu_seconds(command: list[str], environ: dict[str, str]) -> float:
    before = os.times()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="live runs; 0 for none")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--life-seconds", type=float, default=3600.0, help="mean of a spot machine")
    parser.add_argument("--old-runs", type=int, default=100_000, help="0 for none")
    told = parser.parse_args()
    if told.old_runs:
        old(told.old_runs)
    if told.runs:
        held(told.runs, told.minutes, told.life_seconds)


if __name__ == "__main__":
    main()
