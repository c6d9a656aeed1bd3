"""How a job's files are removed."""

from __future__ import annotations

import subprocess
from pathlib import Path


def remove_tree(directory: Path) -> None:
    """Remove a directory and all below it; what cannot be removed stays.

    By `rm`, which neither recurses nor keeps a file open for each level as shutil.rmtree does.
    """
    command = ["rm", "-rf", "--", str(directory)]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - our own words
