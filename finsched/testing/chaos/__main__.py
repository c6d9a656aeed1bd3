"""`python -m finsched.testing.chaos --seed N`: replay one seed; `--runs N` runs many."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from multiprocessing import Pool

from finsched.testing.chaos.simulation import Report, simulate


def main() -> int:
    """Run seeds and print what they came to; 1 where an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m finsched.testing.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--processes", type=int, default=2, help="how many at once")
    given = parser.parse_args()
    if given.runs == 1:
        report = simulate(given.seed)
        print("\n".join(report.story))
        _print([report], 0.0)
        return int(report.violation is not None)
    began = time.monotonic()
    seeds = range(given.seed, given.seed + given.runs)
    with Pool(given.processes) as pool:
        reports = list(pool.imap_unordered(simulate, seeds, chunksize=8))
    _print(reports, time.monotonic() - began)
    return int(any(report.violation for report in reports))


def _print(reports: Iterable[Report], seconds: float) -> None:
    reports = sorted(reports, key=lambda report: report.seed)
    faults: Counter[str] = Counter()
    for report in reports:
        faults.update(report.faults)
        if report.violation:
            print(f"seed {report.seed}: {report.violation}")
    outcomes = Counter(outcome for report in reports for outcome in report.outcomes)
    print(f"{len(reports)} runs in {seconds:.1f} s; outcomes {dict(outcomes)}")
    print(f"simulated hours {_spread([r.hours for r in reports])}")
    print(f"decisions {_spread([r.decisions for r in reports])}")
    print(f"attempts {_spread([r.attempts for r in reports])}")
    print(f"faults {_spread([sum(r.faults.values()) for r in reports])}")
    print(f"crashes {_spread([r.crashes for r in reports])}")
    print(f"violations {sum(r.violation is not None for r in reports)}")
    for fault, number in sorted(faults.items()):
        print(f"  {fault}: {number}")


def _spread(values: list[float] | list[int]) -> str:
    values = sorted(values)
    middle = values[len(values) // 2]
    return f"least {values[0]:.1f}, median {middle:.1f}, most {values[-1]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
