"""What many seeds came to, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finsched.testing.chaos.simulation import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A report, and the time that its run took: of a processor, and of a wall clock."""

    report: Report
    cpu_seconds: float
    wall_seconds: float

    @property
    def failure(self) -> str | None:
        """What is wrong with the run: a violation, or that it has met too little."""
        return self.report.violation or self.report.too_small


def failures(runs: Sequence[Timed]) -> Iterator[str]:
    """Yield a line for each run that failed, by seed."""
    for run in sorted(runs, key=lambda run: run.report.seed):
        if run.failure:
            yield f"seed {run.report.seed}: {run.failure}"


def summary(runs: Sequence[Timed]) -> Iterator[str]:
    """Yield lines that say how the runs ended, what they met, and which one took longest."""
    reports = [run.report for run in runs]
    outcomes = Counter(outcome for report in reports for outcome in report.outcomes)
    slowest = max(runs, key=lambda run: run.cpu_seconds)
    longest = max(runs, key=lambda run: run.wall_seconds)
    yield f"outcomes {', '.join(f'{name} {number}' for name, number in outcomes.most_common())}"
    yield f"simulated hours: {_spread([each.hours for each in reports])}"
    yield f"decisions: {_spread([each.decisions for each in reports])}"
    yield f"attempts: {_spread([each.attempts for each in reports])}"
    yield f"faults: {_spread([each.faults.total() for each in reports])}"
    yield f"crashes: {_spread([each.crashes for each in reports])}"
    yield f"slowest: seed {slowest.report.seed}, {slowest.cpu_seconds:.2f} CPU seconds"
    yield f"longest: seed {longest.report.seed}, {longest.wall_seconds:.2f} s on the clock"
    faults: Counter[str] = sum((each.faults for each in reports), Counter())
    yield from (f"  {fault}: {number}" for fault, number in sorted(faults.items()))
    yield f"violations: {sum(each.violation is not None for each in reports)}"
    yield f"runs that met too little: {sum(each.too_small is not None for each in reports)}"


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return f"least {ordered[0]:,.1f}, median {middle:,.1f}, most {ordered[-1]:,.1f}"
