"""What a look at a run loads: nothing that only a launch needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from finsched.ledger import Ledger
from finsched.model.event import Submitted
from finsched.testing.builders import NOW, job

SCRIPT = """
import atexit, sys
sys.argv = ["finsched", "status"]
heavy = ("finsched.quoting", "finsched.jobfile", "finsched.catalog", "finsched.host", "obstore")
atexit.register(lambda: print([name for name in heavy if name in sys.modules], file=sys.stderr))
import finsched.cli
finsched.cli.main()
"""


def test_status_loads_neither_the_market_nor_a_store(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append("run-1", Submitted(job=job(), store_uri="file:///nowhere"), NOW)
    environ = {**os.environ, "FINSCHED_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert "run-1" in done.stdout
    assert done.stderr.strip() == "[]"
