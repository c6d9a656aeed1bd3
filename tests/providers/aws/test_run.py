"""The scheduler's own launch and recovery, on EC2: no machine without a record, no second one."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finsched.errors import NotAuthorized
from finsched.ledger import Ledger
from finsched.model.event import Submitted
from finsched.model.run import AttemptEnd, AttemptState, Placement
from finsched.node.clock import time_from
from finsched.provider import Provider
from finsched.run.clock import wall_clock
from finsched.run.journal import Journal
from finsched.run.launching import LaunchTerms, launch
from finsched.run.reconcile import reconcile
from finsched.testing.builders import job
from finsched.testing.runs import placement
from tests.waiting import until

from .conftest import Lab, offer

pytestmark = pytest.mark.slow

TERMS = LaunchTerms(installation="finsched-test", lease=timedelta(minutes=10))

LAUNCHER = """
import pickle, sys
from pathlib import Path
from finsched.ledger import Ledger
from finsched.run.clock import wall_clock
from finsched.run.journal import Journal
from finsched.run.launching import launch
from finsched_aws.settings import AwsSettings
from finsched_aws.assembly import assemble
class Nothing:
    def __call__(self, request): return ""
    def forget(self, request): pass
terms, chosen = pickle.loads(Path(sys.argv[2]).read_bytes())
provider = assemble(AwsSettings(regions=("us-west-2",)), bootstrap=Nothing())
journal = Journal(Ledger(Path(sys.argv[1])), "r1")
launch(journal, provider, wall_clock(), terms, chosen)
"""


class Later:
    """Ten minutes from now: lists tell of everything by then."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=10)

    def monotonic(self) -> float:
        return time.monotonic() + 600.0

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append("r1", Submitted(job=job(), store_uri="file:///nowhere"), wall_clock().now())
    yield ledger
    ledger.close()


def chosen(zone: str = "usw2-az1", nodes: int = 1) -> Placement:
    return placement(offer(zone=zone), nodes=nodes)


def test_a_launch_is_written_down_with_its_machines(provider: Provider, ledger: Ledger) -> None:
    journal = Journal(ledger, "r1")
    launch(journal, provider, wall_clock(), TERMS, chosen(zone="", nodes=4))
    [attempt] = journal.run.attempts
    assert attempt.state is AttemptState.LAUNCHED
    assert len(attempt.instance_ids) == 4
    assert attempt.billing_from
    assert provider.compute
    assert provider.compute.poll(attempt.instance_ids).keys() == set(attempt.instance_ids)


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "VcpuLimitExceeded"])
def test_a_refusal_that_another_pool_may_mend_ends_the_attempt_only(
    lab: Lab, provider: Provider, ledger: Ledger, code: str
) -> None:
    lab("fault", operation="RunInstances", code=code, times=99)
    journal = Journal(ledger, "r1")
    launch(journal, provider, wall_clock(), TERMS, chosen())
    [attempt] = journal.run.attempts
    assert attempt.end is AttemptEnd.NOT_LAUNCHED
    assert code in attempt.detail
    assert journal.run.outcome is None


def test_a_launch_without_any_answer_stays_open_until_lists_can_tell(
    lab: Lab, provider: Provider, ledger: Ledger
) -> None:
    lab("fault", operation="RunInstances", code="InternalError", times=99)
    journal = Journal(ledger, "r1")
    launch(journal, provider, wall_clock(), TERMS, chosen())
    [attempt] = journal.run.attempts
    assert attempt.state is AttemptState.INTENDED
    reconcile(journal, attempt, provider, wall_clock())
    assert journal.run.attempts[0].state is AttemptState.INTENDED
    with time_from(Later()):
        reconcile(journal, attempt, provider, wall_clock())
    assert journal.run.attempts[0].end is AttemptEnd.NOT_LAUNCHED


def test_a_missing_permission_stops_the_launching(
    lab: Lab, provider: Provider, ledger: Ledger
) -> None:
    lab("fault", operation="RunInstances", code="UnauthorizedOperation", times=99)
    with pytest.raises(NotAuthorized, match="UnauthorizedOperation"):
        launch(Journal(ledger, "r1"), provider, wall_clock(), TERMS, chosen())


@pytest.mark.parametrize("vcpus", [0, 3, 4])
def test_a_quota_that_is_too_small_is_said_before_anything_is_asked_for(
    lab: Lab, provider: Provider, ledger: Ledger, vcpus: float
) -> None:
    lab("quota", code="L-3819A6DF", value=vcpus)
    journal = Journal(ledger, "r1")
    launch(journal, provider, wall_clock(), TERMS, chosen())
    [attempt] = journal.run.attempts
    is_enough = vcpus >= 4
    assert (attempt.state is AttemptState.LAUNCHED) is is_enough
    assert bool(lab.calls("RunInstances")) is is_enough
    if not is_enough:
        have = f"{vcpus:g} vCPUs" if vcpus else "nothing"
        assert attempt.end is AttemptEnd.NOT_LAUNCHED
        assert f"allows {have}, and 4 vCPUs are needed" in attempt.detail
    assert journal.run.outcome is None


def kill_a_launch_in(operation: str, lab: Lab, ledger_file: Path) -> None:
    """Start a launch and kill it once EC2 has done an operation whose answer is still out."""
    arguments = ledger_file.with_name("launch")
    arguments.write_bytes(pickle.dumps((TERMS, chosen())))
    lab("fault", operation=operation, hang_seconds=60)
    command = [sys.executable, "-c", LAUNCHER, str(ledger_file), str(arguments)]
    process = subprocess.Popen(command)
    until(lambda: lab("hanging") or process.poll() is not None)
    assert lab("hanging")
    process.kill()
    process.wait()


def test_a_launcher_that_is_killed_in_the_create_call_pays_for_one_machine(
    lab: Lab, provider: Provider, ledger: Ledger, tmp_path: Path
) -> None:
    kill_a_launch_in("RunInstances", lab, tmp_path / "ledger.sqlite")
    journal = Journal(ledger, "r1")
    [attempt] = journal.run.attempts
    assert attempt.state is AttemptState.INTENDED
    reconcile(journal, attempt, provider, wall_clock())
    [attempt] = journal.run.attempts
    [instance] = lab.instances()
    assert attempt.state is AttemptState.LAUNCHED
    assert attempt.instance_ids == (f"us-west-2/{instance['InstanceId']}",)


def test_a_launcher_that_is_killed_before_the_create_call_has_made_nothing(
    lab: Lab, provider: Provider, ledger: Ledger, tmp_path: Path
) -> None:
    kill_a_launch_in("DescribeImages", lab, tmp_path / "ledger.sqlite")
    journal = Journal(ledger, "r1")
    with time_from(Later()):
        reconcile(journal, journal.run.attempts[0], provider, wall_clock())
    [attempt] = journal.run.attempts
    assert attempt.end is AttemptEnd.NOT_LAUNCHED
    assert lab.instances() == []
    assert provider.inventory
    assert {each.kind for each in provider.inventory.owned("finsched-test")} == {"security-group"}
