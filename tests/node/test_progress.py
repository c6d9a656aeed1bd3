"""A progress file is the job's own: whatever it puts there, reading it is quick and harmless."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from finsched.node.job.progress import Progress, read_report


@pytest.mark.parametrize(
    ("content", "fraction"),
    [
        (b"0.25", 0.25),
        (b" 1\n", 1.0),
        (b"1e-3" + b"\n" * 100, 0.001),
        (b"0", 0.0),
        (b"", None),
        (b"nan", None),
        (b"1.5", None),
        (b"-0.1", None),
        (b"half", None),
        (b"\xff\0", None),
    ],
)
def test_only_a_fraction_is_a_report(
    tmp_path: Path, content: bytes, fraction: float | None
) -> None:
    path = tmp_path / "progress"
    path.write_bytes(content)
    report = read_report(path)
    assert (report and report.fraction) == fraction
    if report:
        assert report.written_ns == path.stat().st_mtime_ns


@pytest.mark.timeout(5)
def test_a_fifo_does_not_hold_the_reader_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for name in ("fifo", "link", ".", "missing"):
        assert read_report(tmp_path / name) is None


def test_of_a_huge_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    with path.open("wb") as file:
        file.write(b"0.5" + b" " * 100)
        file.truncate(100 << 30)  # sparse: reading it all would take minutes and all memory
    started = time.process_time()
    assert Progress(path).read() == 0.5
    assert time.process_time() - started < 1
