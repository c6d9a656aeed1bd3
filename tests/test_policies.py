"""A policy of another package: found by its entry point, and named when it breaks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.decide.spot.situation import Off, Pool, Situation, SpotJob
from finsched.errors import MachineProblem, SpecError
from finsched.policies import policy

SOURCE = """
from finsched.decide.spot.situation import Off

class Patient:
    def __init__(self, job):
        if job.work_s < 0:
            raise ValueError("no work")
    def decide(self, now):
        if now.work_left_s == 7:
            return 99
        return Off.ON_DEMAND if 1 / now.time_left_s > 1 else Off.IDLE
"""
JOB = SpotJob(
    tick_s=60,
    deadline_s=7200,
    work_s=3600,
    changeover_s=60,
    on_demand_price_per_hour=1.0,
    egress_price=0.0,
    pools=(Pool(region="", price_per_hour=0.3),),
)
NOW = Situation(
    time_left_s=7200,
    work_left_s=3600,
    placement=Off.IDLE,
    changeover_left_s=0,
    data_region=None,
    available=(True,),
    ages_s=(0.0,),
)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[None]:
    """A distribution that registers the policy `patient`."""
    (tmp_path / "acme_policy.py").write_text(SOURCE, encoding="utf-8")
    info = tmp_path / "acme_policy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-policy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[finsched.policies]\npatient = acme_policy:Patient\n")
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("acme_policy", None)


@pytest.mark.usefixtures("installed")
def test_a_registered_policy_decides() -> None:
    assert policy("patient")(JOB).decide(NOW) is Off.IDLE


@pytest.mark.usefixtures("installed")
def test_what_it_raises_is_told_as_its_fault() -> None:
    from dataclasses import replace

    make = policy("patient")
    with pytest.raises(MachineProblem, match="'patient' is broken: ZeroDivisionError"):
        make(JOB).decide(replace(NOW, time_left_s=0))
    with pytest.raises(MachineProblem, match="99 is no placement"):
        make(JOB).decide(replace(NOW, work_left_s=7))
    with pytest.raises(MachineProblem, match="no work"):
        make(replace(JOB, work_s=-1))


def test_a_name_that_nobody_has_is_refused() -> None:
    with pytest.raises(SpecError, match="clever"):
        policy("clever")
