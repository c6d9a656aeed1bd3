"""Processes are found and ended also where they hide their environment."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from finsched.node.job.process_tree import kill_marked

_PR_GET_DUMPABLE = 3
SLEEP = [sys.executable, "-ISc", "import time; time.sleep(60)"]


@contextmanager
def sleeping(*words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*SLEEP, *words], env={**os.environ, **variables})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_is_found_by_its_mark_or_by_its_whole_command() -> None:
    name = uuid.uuid4().hex
    with (
        sleeping(FINSCHED_INSTANCE=name) as marked,
        sleeping("finsched.node", name) as agent,
        sleeping(name) as reader,
        sleeping(FINSCHED_INSTANCE=f"{name}0") as other,
    ):
        command = ("finsched.node", name)
        processes = (marked, agent, reader, other)
        assert kill_marked(f"FINSCHED_INSTANCE={name}", or_command=command, timeout_seconds=5)
        assert [process.poll() for process in processes] == [-9, -9, None, None]


def test_a_hidden_process_is_not_dumpable_and_its_children_are() -> None:
    show = f"print(ctypes.CDLL(None).prctl({_PR_GET_DUMPABLE}, 0, 0, 0, 0), flush=True)"
    program = f"""
import ctypes, subprocess, sys
from finsched.node.job.process_tree import hide_environment
{show}
hide_environment()
{show}
subprocess.run([sys.executable, "-c", "import ctypes; {show}"], check=True)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert shown.split() == [b"1", b"0", b"1"]
