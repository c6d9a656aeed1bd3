"""Bad input through the real command line: words, an exit code, no traceback."""

import pytest

from finsched.ledger import Ledger
from finsched.model.event import Submitted, Warned
from finsched.testing.builders import NOW, job

from .conftest import Machine

pytestmark = pytest.mark.slow


def test_a_run_that_cannot_be_read_hides_no_other(machine: Machine) -> None:
    ledger = Ledger(machine.state_dir / "ledger.sqlite")
    ledger.append("good-1", Submitted(job=job(), store_uri=""), NOW)
    ledger.append("bad-1", Warned(attempt=1, text="nothing before"), NOW)
    ledger.append("good-2", Submitted(job=job(), store_uri=""), NOW)
    listed = machine.document("runs")["runs"]
    assert [run["run"] for run in listed] == ["good-2", "good-1"]
    assert "run bad-1" in machine.errors
    machine.finsched("status", "bad-1", code=1)
    assert "run bad-1" in machine.errors


def test_a_ledger_deleted_under_a_run_ends_it_with_exit_1(machine: Machine) -> None:
    process = machine.start("launch", machine.job(STEPS="2000"))
    machine.wait_for(lambda run: run.live_attempt and run.live_attempt.progress)
    for file in machine.state_dir.glob("ledger.sqlite*"):
        file.unlink()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert "deleted or replaced" in err
    assert "Traceback" not in err
