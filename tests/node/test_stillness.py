"""A job that stands still is noticed once, and nothing that works is taken for it."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from pathlib import Path
from subprocess import Popen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.node.job.stillness import LEAST_CPU_SHARE, Signs, Stillness, told_of_stillness

SPIN = "while True: pass"
SLEEP = "import time; time.sleep(600)"


def looks(*moving: bool) -> list[bool]:
    """What is told at one look a second, with three seconds of patience."""
    stillness, cpu = Stillness(still_after_seconds=3.0), 0.0
    told = []
    for second, moves in enumerate(moving):
        cpu += 0.5 if moves else 0.001
        told.append(stillness.begins_with(Signs(float(second), cpu, 0.0, None)))
    return told


def test_a_spell_is_told_once() -> None:
    assert looks(*[False] * 8) == [False, False, False, True, False, False, False, False]


def test_a_second_spell_is_told_again() -> None:
    assert looks(*[False] * 4, True, *[False] * 4) == 2 * [*[False] * 3, True] + [False]


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_told_as_often_as_there_are_long_spells(moving: list[bool]) -> None:
    spells = "".join("m" if moves else "." for moves in [True, *moving]).split("m")
    assert sum(looks(True, *moving)) == sum(len(spell) >= 3 for spell in spells)


@pytest.mark.parametrize(
    "signs",
    [
        Signs(10.0, 10 * LEAST_CPU_SHARE, 0.0, None),
        Signs(10.0, 0.0, 1.0, None),
        Signs(10.0, 0.0, 0.0, 0.5),
    ],
    ids=["processor", "gpu", "progress"],
)
def test_any_sign_of_life_is_enough(signs: Signs) -> None:
    stillness = Stillness(still_after_seconds=1.0)
    stillness.begins_with(Signs(0.0, 0.0, 0.0, None))
    assert not stillness.begins_with(signs)


def told_within(seconds: float, *code: str) -> bool:
    told = threading.Event()
    jobs = [Popen([sys.executable, "-c", each]) for each in code]
    try:
        with told_of_stillness(
            lambda: None,
            lambda _: told.set(),
            still_after_seconds=1.0,
            look_every_seconds=0.2,
        ):
            return told.wait(seconds)
    finally:
        for job in jobs:
            job.kill()
            job.wait()


def test_a_process_that_only_waits_is_still() -> None:
    assert told_within(30.0, SLEEP)


def test_one_that_works_beside_it_is_not() -> None:
    assert not told_within(3.0, SLEEP, SPIN)


def test_a_gpu_that_works_is_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for nvidia-smi, in the form of its answer; the real one was not at hand."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n37\\n'\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    assert not told_within(3.0, SLEEP)
    assert time.monotonic() - began >= 3.0
