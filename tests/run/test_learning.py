"""A run on this machine teaches the next quote of the same job."""

import pytest

from .conftest import Machine

pytestmark = pytest.mark.slow

WORK = "work: {hours: 2}"


def test_a_finished_run_is_measured_in_the_next_quote(machine: Machine) -> None:
    machine.settings("local_price_usd_per_hour = 36.0")
    job = machine.job(STEPS="20", more=WORK)
    before = machine.document("quote", job)["quotes"][0]
    machine.document("launch", job)
    after = machine.document("quote", job)["quotes"][0]
    assert before["hours"]["work"] == 2
    assert 0 < after["hours"]["work"] < 60 / 3600
    assert after["cost"]["compute_usd"] < before["cost"]["compute_usd"] / 100
    sources = {each["what"]: each for each in after["evidence"]}
    assert sources["speed of this-machine in this job"]["quality"] == "measured"
    assert sources["boot time"]["source"] == "1 own start"
    assert "measured" in machine.finsched("quote", job).partition("stated work")[2]


def test_a_rehearsal_leaves_the_next_quote_as_it_was(machine: Machine) -> None:
    job = machine.job(STEPS="20", PACE="0.2", more=WORK)
    before = machine.document("quote", job)["quotes"]
    machine.finsched("launch", job, "--rehearse")
    after = machine.document("quote", job)["quotes"]
    assert [each["hours"] for each in after] == [each["hours"] for each in before]
