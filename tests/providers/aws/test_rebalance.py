"""EC2 recommends to leave a machine, and takes it back without a notice a while later."""

from __future__ import annotations

import pytest

from finsched.model.run import AttemptEnd, Outcome
from tests.providers.scenario import account_of, assert_counted_on
from tests.waiting import until

from .conftest import Lab
from .fleet import Fleet
from .test_scenario import User, fleet, user, what_is_left

__all__ = ["fleet", "user"]
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]


def test_a_recommendation_to_leave_is_heard_and_the_job_works_on_until_it_must(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    launch = user.start("launch", user.job_file, "--json")
    machine = user.machine_of(1)
    fleet.machines[machine].give_hint()
    until(lambda: "take the machine back soon" in user.finsched("status", "--why"))
    kept = len(user.commits(1))
    until(lambda: len(user.commits(1)) >= kept + 2)
    [attempt] = user.run().attempts
    assert attempt.live, "a hint ends nothing"
    fleet.take_back(machine)
    user.go_ahead_after(1)
    account_of(launch)
    run = user.run()
    assert run.outcome is Outcome.FINISHED
    assert [each.end for each in run.attempts] == [AttemptEnd.INTERRUPTED, AttemptEnd.FINISHED]
    assert_counted_on(user, attempts=2)
    assert fleet.most_at_once == 1
    assert not any(what_is_left(lab).values())
