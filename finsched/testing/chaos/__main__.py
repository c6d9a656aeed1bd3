"""`python -m finsched.testing.chaos --seed N`: replay one seed; `--runs N` runs many."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from multiprocessing import Pool

from finsched.testing.chaos.simulation import simulate
from finsched.testing.chaos.summary import Timed, failures, summary

_MANY_RUNS = 200
_CHUNK = 8
_SECONDS_BETWEEN_LINES = 60.0


def main() -> int:
    """Run seeds and print what they came to; 1 where one was violated or met too little."""
    parser = argparse.ArgumentParser(prog="python -m finsched.testing.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--processes", type=int, default=2, help="how many at once")
    given = parser.parse_args()
    runs = _one(given.seed) if given.runs == 1 else _many(given)
    print("\n".join((*failures(runs), *summary(runs))))
    return int(any(run.failure for run in runs))


def _one(seed: int) -> list[Timed]:
    run = _timed(seed)
    print("\n".join(run.report.story))
    return [run]


def _many(given: argparse.Namespace) -> list[Timed]:
    began_s, progress = time.monotonic(), Progress(given.runs)
    seeds = range(given.seed, given.seed + given.runs)
    runs = []
    with Pool(given.processes) as pool:
        for run in pool.imap_unordered(_timed, seeds, chunksize=_CHUNK):
            runs.append(run)
            progress.note(run)
        pool.close()
        pool.join()
    seconds = time.monotonic() - began_s
    each = _cpu_seconds() / given.runs
    print(f"{given.runs:,} runs in {seconds:,.1f} s, {each:.3f} CPU seconds a run")
    return runs


def _timed(seed: int) -> Timed:
    began_s, cpu_began_s = time.monotonic(), time.process_time()
    report = simulate(seed)
    return Timed(
        report=report,
        cpu_seconds=time.process_time() - cpu_began_s,
        wall_seconds=time.monotonic() - began_s,
    )


def _cpu_seconds() -> float:
    """What this process and those that it has waited for took, starting included."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Progress:
    """Tells on stderr how far many runs are: one line that changes, or now and then a new one."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._done = 0
        self._failed = 0
        self._on_terminal = sys.stderr.isatty()
        self._told_s = time.monotonic()

    def note(self, run: Timed) -> None:
        """Count a run; a failed one is told at once."""
        self._done += 1
        if run.failure:
            self._failed += 1
            self._say(f"seed {run.report.seed}: {run.failure}", end="\n")
        if self._runs > _MANY_RUNS and self._is_due:
            self._told_s = time.monotonic()
            said = f"{self._done:,} of {self._runs:,} runs, {self._failed} failed"
            self._say(said, end="" if self._on_terminal and self._done < self._runs else "\n")

    @property
    def _is_due(self) -> bool:
        pause_s = 0.5 if self._on_terminal else _SECONDS_BETWEEN_LINES
        return self._done == self._runs or time.monotonic() - self._told_s >= pause_s

    def _say(self, text: str, *, end: str) -> None:
        print(f"\r{text:<79}" if self._on_terminal else text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
