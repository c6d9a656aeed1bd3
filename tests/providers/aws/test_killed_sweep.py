"""A sweep that is killed in each of its calls: nothing is forgotten, and the next one finishes."""

from __future__ import annotations

import pytest

from finsched.model.event import Warned
from finsched.model.run import AttemptEnd, Outcome
from finsched.run.home import installation, open_ledger
from tests.providers.scenario import kill
from tests.waiting import until

from .conftest import Lab
from .fleet import Fleet
from .test_inventory import leave_behind
from .test_scenario import REGION, User, assert_swept, fleet, user, what_is_left

__all__ = ["fleet", "user"]
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

IN_ORDER = [
    "TerminateInstances",
    "DeleteNetworkInterface",
    "DeleteVolume",
    "DeleteSnapshot",
    "ReleaseAddress",
    "DeleteSecurityGroup",
    "DeleteParameter",
]


def lost_run(user: User) -> str:
    """Launch, wait for a checkpoint and kill the launcher; return the run."""
    launch = user.start("launch", user.job_file)
    user.machine_of(1)
    kill(launch)
    return user.run().id


def test_a_sweep_that_is_killed_in_every_call_is_finished_by_the_last(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    user.write_job(400)
    run_id = lost_run(user)
    leave_behind(lab, REGION, installation=installation(user.state_dir), run=run_id)
    sweep = ["sweep", "aws", "--run", run_id, "--apply"]
    for times, operation in enumerate(IN_ORDER, start=1):
        lab("fault", operation=operation, hang_seconds=60)
        process = user.start(*sweep)
        until(lambda times=times: lab("hanging") == times)
        kill(process)
        assert lab.calls(operation)
    user.finsched(*sweep)
    assert not any(what_is_left(lab).values())
    assert_swept(user)
    until(lambda: fleet.is_off)
    one_end_is_written_down(user, run_id)
    user.finsched("resume", run_id, seconds=150)
    assert user.run().outcome is Outcome.FINISHED
    assert user.began_at()[-1] > 0, "the checkpoints were not swept"
    assert user.finsched("logs").count("counted 400\n") == 1


def one_end_is_written_down(user: User, run_id: str) -> None:
    """The ledger hears of each deletion before it, and once of the end of the machine."""
    [attempt] = user.run().attempts
    assert attempt.end is AttemptEnd.STOPPED
    assert attempt.billing_from
    assert attempt.ended_at
    assert attempt.billing_from < attempt.ended_at
    records = open_ledger(user.state_dir).records(run_id)
    told = [each.event.text for each in records if isinstance(each.event, Warned)]
    kinds = ("instance", "network-interface", "volume", "snapshot", "address", "parameter")
    assert all(any(f"sweep deletes the {kind}" in text for text in told) for kind in kinds)
