"""A user of the command line who asks clouds for their prices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class Asker:
    """Calls commands in a folder that holds a `config.toml` of its own."""

    def __init__(self, folder: Path, cache: Path, **environ: str) -> None:
        self._folder = folder
        self._environ = {
            "FINSCHED_CONFIG": str(folder / "config.toml"),
            "FINSCHED_STATE_DIR": str(folder / "state"),
            "FINSCHED_CACHE_DIR": str(cache),
            "HOME": str(folder),
            **environ,
        }

    def __call__(
        self, *words: str, code: int = 0, script: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, or a script with its words; the exit code is asserted."""
        program = ["-c", script] if script else ["-m", "finsched"]
        done = subprocess.run(
            [sys.executable, *program, *words],
            cwd=self._folder,
            env={**os.environ, **self._environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def refresh(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Ask for prices, with more patience than a busy computer needs."""
        return self("catalog", "refresh", *words, "--timeout", "60", code=code)
