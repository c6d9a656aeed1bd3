"""Budgets of many runs, with real processes at once on one ledger."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from finsched.errors import OverThreshold
from finsched.ledger import Ledger
from finsched.model.event import Ended, Resumed, Submitted
from finsched.model.job import Budget, JobSpec
from finsched.model.run import Outcome
from finsched.run.reserving import ABANDONED_AFTER, reserve
from finsched.testing.builders import job

from .conftest import Home

LIMITS = {"team=ai": 1000.0}
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def costly(usd: float) -> JobSpec:
    return job(tags={"team": "ai"}, budget=Budget(max_cost_usd=usd))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def submit(ledger: Ledger, run: str, usd: float, at: datetime = NOW) -> None:
    reserve(ledger, run, costly(usd), LIMITS, at)
    ledger.append(run, Submitted(job=costly(usd), store_uri="file:///nowhere"), at)


def taken(ledger: Ledger, month: str = "2026-11") -> Decimal:
    return sum(ledger.counted("team=ai", month).values(), Decimal(0))


RESERVE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from finsched.errors import OverThreshold
from finsched.ledger import Ledger
from finsched.model.job import Budget
from finsched.run.reserving import reserve
from finsched.testing.builders import job

ledger, got = Ledger(Path(sys.argv[1])), 0
sys.stdin.readline()  # all begin together
for number in range(25):
    wanted = job(tags={"team": "ai"}, budget=Budget(max_cost_usd=70.0))
    try:
        reserve(ledger, f"{sys.argv[2]}-{number}", wanted, {"team=ai": 1000.0}, datetime.now(UTC))
        got += 1
    except OverThreshold:
        pass
print(got)
"""


@pytest.mark.slow
def test_a_hundred_launches_at_once_pass_no_budget_together(ledger: Ledger) -> None:
    command = [sys.executable, "-c", RESERVE, str(ledger.path)]
    processes = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two", "three", "four")
    ]
    for each in processes:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    got = [int(each.communicate(timeout=120)[0]) for each in processes]
    assert sum(got) == 14, "as many as fit, and not one more"
    month = f"{datetime.now(UTC):%Y-%m}"
    assert taken(ledger, month) == 980


def test_what_is_not_spent_is_free_again(ledger: Ledger) -> None:
    submit(ledger, "first", 900)
    with pytest.raises(OverThreshold, match=r"\$100.00 left of \$1,000.00, held or spent by first"):
        submit(ledger, "second", 200)
    ledger.append("first", Ended(outcome=Outcome.STOPPED), NOW + timedelta(hours=1))
    submit(ledger, "second", 200, NOW + timedelta(hours=2))
    assert taken(ledger) == 200, "the first had no machine: it has spent nothing"


def test_a_launch_that_died_holds_its_share_for_an_hour(ledger: Ledger) -> None:
    reserve(ledger, "dead", costly(900), LIMITS, NOW)
    with pytest.raises(OverThreshold):
        submit(ledger, "next", 200, NOW + ABANDONED_AFTER / 2)
    submit(ledger, "next", 200, NOW + ABANDONED_AFTER)


def test_another_month_is_another_budget(ledger: Ledger) -> None:
    submit(ledger, "november", 900)
    december = datetime(2026, 12, 1, tzinfo=UTC)
    submit(ledger, "december", 900, december)
    assert taken(ledger) == taken(ledger, "2026-12") == 900


def test_a_resumed_run_takes_its_worst_case_again(ledger: Ledger) -> None:
    submit(ledger, "first", 900)
    ledger.append("first", Ended(outcome=Outcome.STOPPED), NOW)
    submit(ledger, "second", 500)
    with pytest.raises(OverThreshold):
        reserve(ledger, "first", costly(900), LIMITS, NOW)
    reserve(ledger, "first", costly(400), LIMITS, NOW)
    ledger.append("first", Resumed(max_cost_usd=400), NOW)
    assert taken(ledger) == 900


@pytest.mark.slow
def test_over_the_budget_a_launch_is_exit_4_and_says_who_holds_it(home: Home) -> None:
    home.settings('budgets = {"team=ai" = 10}\nlocal_price_usd_per_hour = 0.01')
    job_file = home.job(STEPS="200", more="tags: {team: ai}\n")
    home.finsched("launch", job_file, "--detach", code=2)
    assert "--max-cost" in home.errors
    first = home.hand_over(job_file, "--max-cost", "8")
    home.finsched("launch", job_file, "--detach", "--max-cost", "8", code=4)
    assert f"held or spent by {first} $8.00" in home.errors
    home.finsched("stop", first)
    second = home.hand_over(job_file, "--max-cost", "8")
    home.finsched("stop", second)
