"""The production supervisor in simulated clouds: nothing is lost, leaked or spent too much."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from finsched.testing.chaos.simulation import Report, simulate

FIXED = range(1, 25)
FRESH = [random.SystemRandom().randrange(10**6, 10**9) for _ in range(8)]


@pytest.mark.parametrize("seed", FIXED)
def test_every_invariant_holds(seed: int) -> None:
    report = simulate(seed)
    assert report.violation is None
    check_size(report)


@pytest.mark.parametrize("number", range(len(FRESH)))
def test_every_invariant_holds_in_a_fresh_run(number: int) -> None:
    report = simulate(FRESH[number])
    assert report.violation is None, f"make chaos SEED={FRESH[number]}"
    check_size(report)


def check_size(report: Report) -> None:
    """A run that meets too little proves too little."""
    assert report.hours >= 24
    assert report.decisions >= 200
    assert sum(report.faults.values()) >= 10


def test_a_seed_replays_exactly_whatever_the_hash_seed() -> None:
    script = "from finsched.testing.chaos.simulation import simulate; print(simulate(5))"
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert told == [f"{simulate(5)}\n"] * 2
