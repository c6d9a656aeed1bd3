"""Whole processes against whole processes: time, memory and what they load, as ratios of one run.

    python benchmarks/bench_cli.py --sky-python .venv-bench/bin/python

Each pair is run alternately, so that a busy machine slows both sides; the medians' ratio is what
counts. CPU time is the fairer figure on a shared machine; wall time is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
JOB = ROOT / "examples" / "digits" / "job.yaml"
FINSCHED = [str(Path(sys.executable).parent / "finsched")]
QUOTE = [*FINSCHED, "quote", str(JOB)]
# A command that does nothing, with all that a quote loads of others: the command line, which loads
# more when it parses, text, YAML, validation, SQLite, entry points, paths.
IDLE = """
import importlib.metadata, platformdirs, rich.console, rich.text, sqlite3, typer, yaml
from pydantic import BaseModel, TypeAdapter

app = typer.Typer()

@app.command()
def idle(job_file: str) -> None:
    pass

app()
"""
LARGEST_MIB = 120


@dataclass(frozen=True, slots=True)
class Process:
    """What one process took."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two commands, and how their CPU times should relate: one is so many times the other."""

    title: str
    ours: list[str]
    theirs: list[str]
    at_least_faster: float | None = None
    at_most_slower: float | None = None


def comparisons(sky_python: str | None) -> list[Comparison]:
    """Return what is compared; SkyPilot only where it is installed."""
    python = sys.executable
    found = [
        Comparison(
            title="finsched quote / an idle command that loads its libraries",
            ours=QUOTE,
            theirs=[python, "-c", IDLE, str(JOB)],
            at_most_slower=1.4,
        ),
        Comparison(
            title="finsched --help / import typer, rich.console",
            ours=[*FINSCHED, "--help"],
            theirs=[python, "-c", "import typer, rich.console"],
            at_most_slower=2.0,
        ),
    ]
    if sky_python:
        sky = Comparison(
            title="import sky / finsched quote",
            ours=QUOTE,
            theirs=[sky_python, "-c", "import sky"],
            at_least_faster=7.0,
        )
        found.insert(0, sky)
    return found


def run(command: list[str], environment: dict[str, str]) -> Process:
    """Run a command to its end and return what it took; a failure ends the benchmark."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}")
    return Process(
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
    )


def compare(comparison: Comparison, rounds: int, environment: dict[str, str]) -> bool:
    """Run both sides alternately, print their medians and ratio, and say whether it holds."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run(comparison.ours, environment))
        theirs.append(run(comparison.theirs, environment))
    cpu = _ratio(comparison, ours, theirs, "cpu_seconds")
    wall = _ratio(comparison, ours, theirs, "wall_seconds")
    wanted, holds = _judge(comparison, cpu)
    print(f"{comparison.title}: {cpu:.2f} x CPU, {wall:.2f} x wall, wanted {wanted}")
    print(f"  ours    {_medians(ours)}")
    print(f"  theirs  {_medians(theirs)}")
    return holds


def _ratio(comparison: Comparison, ours: list[Process], theirs: list[Process], what: str) -> float:
    mine, other = _median(ours, what), _median(theirs, what)
    return other / mine if comparison.at_least_faster else mine / other


def _judge(comparison: Comparison, ratio: float) -> tuple[str, bool]:
    if comparison.at_least_faster:
        return f">= {comparison.at_least_faster:g}", ratio >= comparison.at_least_faster
    assert comparison.at_most_slower
    return f"<= {comparison.at_most_slower:g}", ratio <= comparison.at_most_slower


def _medians(processes: list[Process]) -> str:
    cpu_ms, wall_ms = (1000 * _median(processes, what) for what in ("cpu_seconds", "wall_seconds"))
    return f"{cpu_ms:.0f} ms CPU, {wall_ms:.0f} ms wall, {_median(processes, 'peak_mib'):.0f} MiB"


def _median(processes: list[Process], what: str) -> float:
    figures: list[float] = [getattr(process, what) for process in processes]
    return statistics.median(figures)


def small_enough(environment: dict[str, str], rounds: int) -> bool:
    """Measure the memory of a quote."""
    peak_mib = max(run(QUOTE, environment).peak_mib for _ in range(rounds))
    print(f"finsched quote: {peak_mib:.0f} MiB at its peak, wanted <= {LARGEST_MIB}")
    return peak_mib <= LARGEST_MIB


def main() -> None:
    """Print every comparison; exit 1 when one does not hold."""
    parser = argparse.ArgumentParser(description="Time finsched's command line.")
    parser.add_argument("--sky-python", help="a Python in whose environment SkyPilot is installed")
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        own = {f"FINSCHED_{name}_DIR": folder for name in ("CACHE", "STATE")}
        environment = {**os.environ, "HOME": folder, **own}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling each time is nobody's start
        first = run(QUOTE, environment)
        print(f"finsched quote, the first one ever: {1000 * first.cpu_seconds:.0f} ms CPU")
        held = [
            compare(each, arguments.rounds, environment)
            for each in comparisons(arguments.sky_python)
        ]
        held.append(small_enough(environment, arguments.rounds))
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
