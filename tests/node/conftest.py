from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.node.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/store")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "finsched-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("disk full: mounting a small tmpfs needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A directory at the end of a path that is nested deeper than Python recurses."""
    top = tmp_path / "d"
    deep = top / "/".join(["d"] * 1499)
    subprocess.run(["mkdir", "-p", deep], check=True)
    yield deep
    subprocess.run(["rm", "-rf", top], check=True)  # pytest itself cannot
