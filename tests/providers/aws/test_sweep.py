"""A sweep on AWS: every region, in order, with failures that stop nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finsched.decide.leftovers.orphans import Fate
from finsched.errors import NoAnswer, NotConfigured
from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Ended, Intended, Launched, Submitted
from finsched.model.run import AttemptEnd, Outcome
from finsched.run.home import installation, supervision
from finsched.run.removing import Remover
from finsched.run.sweep import Find, Sweep
from finsched.settings import Settings
from finsched.testing.builders import job
from finsched.testing.runs import placement

from .conftest import REGIONS, Lab, launch_request, offer
from .test_inventory import leave_behind

pytestmark = pytest.mark.slow

LONG_AGO = timedelta(hours=3)
COSTLY = {"instance", "volume", "network-interface", "spot-request"}


class Account:
    """An emulated account and the state directory of the user who launched there."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.provider = lab.provider()
        self.settings = Settings(
            state_dir=folder,
            cache_dir=folder / "cache",
            store=(folder / "store").as_uri(),
            clouds={"aws": {"regions": list(REGIONS)}},
        )
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.told: list[str] = []

    def launched(
        self, run: str, *, nodes: int = 1, region: str = "us-west-2", confirmed: bool = True
    ) -> None:
        """Launch an attempt of a run on spot, and write the ledger as a launch does.

        One that is not confirmed died between the create call and its record.
        """
        place = offer(region=region, zone="usw2-az1" if region == "us-west-2" else "use1-az1")
        began = datetime.now(UTC) - LONG_AGO
        store_uri = (self.settings.state_dir / "runs" / run).as_uri()
        self.ledger.append(run, Submitted(job=job(name=run), store_uri=store_uri), began)
        chosen = placement(place, nodes=nodes)
        token = f"{run}-1"
        intended = Intended(attempt=1, token=token, provider="aws", placement=chosen)
        self.ledger.append(run, intended, began)
        assert self.provider.compute
        own = installation(self.settings.state_dir)
        request = launch_request(token, run=run, installation=own, offer=place, nodes=nodes)
        made = tuple(each.id for each in self.provider.compute.launch(request))
        launched = Launched(attempt=1, instance_ids=made, billing_from=began)
        if confirmed:
            self.ledger.append(run, launched, began)

    def ended(self, run: str) -> None:
        """Say that it has ended, which its machines do not know."""
        at = datetime.now(UTC) - LONG_AGO
        self.ledger.append(run, AttemptEnded(attempt=1, end=AttemptEnd.FINISHED), at)
        self.ledger.append(run, Ended(outcome=Outcome.FINISHED), at)

    def survey(self) -> list[Find]:
        return list(self.sweep.survey(["aws"]).finds)

    @property
    def sweep(self) -> Sweep:
        return Sweep(settings=self.settings, ledger=self.ledger)

    def remove(self, patience_seconds: float = 10) -> list[Find]:
        patience = timedelta(seconds=patience_seconds)
        sweep = self.sweep
        remover = Remover(sweep, told=self.told.append, patience=patience)
        return remover.remove(sweep.survey(["aws"]).finds)

    def left(self) -> set[str]:
        return {find.resource.kind for find in self.survey()}


@pytest.fixture
def account(lab: Lab, tmp_path: Path) -> Account:
    return Account(lab, tmp_path)


def test_everything_of_a_dead_gang_goes_and_a_supervised_run_stays(account: Account) -> None:
    account.launched("dead", nodes=2)
    account.launched("alive", region="us-east-1")
    account.ended("dead")
    with supervision(account.settings.state_dir, "alive"):
        found = account.survey()
        removed = account.remove()
        assert {find.resource.run for find in found if find.is_orphan} == {"dead"}
        assert {find.resource.run for find in removed} == {"dead"}
        assert account.left() == {*COSTLY, "security-group"}
    machines = [find for find in found if find.resource.kind == "instance"]
    assert {find.usd_per_month for find in machines} == {0.5 * 730}
    assert all(find.deleted for find in removed)
    assert COSTLY | {"security-group"} == {find.resource.kind for find in removed}


def test_what_costs_of_its_own_has_the_price_of_the_catalog(account: Account) -> None:
    account.launched("r9")
    account.ended("r9")
    own = installation(account.settings.state_dir)
    leave_behind(account.lab, installation=own)
    found = {find.resource.kind: find for find in account.survey() if find.resource.billed_as}
    assert {kind: find.usd_per_month for kind, find in found.items()} == {
        "volume": pytest.approx(30 * 0.08),
        "snapshot": pytest.approx(20 * 0.05),
        "address": pytest.approx(3.65),
    }
    assert {find.ruling.fate for find in found.values()} == {Fate.ORPHAN}
    assert {find.resource.kind for find in account.remove() if find.deleted} >= found.keys()


def test_a_machine_that_outlived_its_lease_goes_and_its_attempt_ends_in_the_ledger(
    account: Account,
) -> None:
    account.launched("lost")
    assert all(find.deleted for find in account.remove())
    [attempt] = account.ledger.run("lost").attempts
    assert attempt.end is AttemptEnd.STOPPED
    assert attempt.ended_at
    assert datetime.now(UTC) - attempt.ended_at < timedelta(minutes=1)
    [group] = account.survey()
    assert (group.resource.shared, group.ruling.fate) == (True, Fate.KEPT)


def test_a_launch_that_died_behind_its_create_call_is_found_and_accounted(
    account: Account,
) -> None:
    account.launched("torn", nodes=2, confirmed=False)
    assert account.ledger.run("torn").attempts[0].instance_ids == ()
    assert all(find.deleted for find in account.remove())
    [attempt] = account.ledger.run("torn").attempts
    assert len(attempt.instance_ids) == 2
    assert attempt.end is AttemptEnd.STOPPED
    assert attempt.billing_from
    assert COSTLY.isdisjoint(account.left())


def test_machines_end_before_what_hangs_on_them_is_deleted(account: Account) -> None:
    account.launched("dead", nodes=2)
    account.ended("dead")
    account.remove()
    done = [call["operation"] for call in account.lab.calls()]
    changes = [name for name in done if name.startswith(("Terminate", "Delete", "Cancel"))]
    assert changes[:2] == ["TerminateInstances"] * 2
    assert "TerminateInstances" not in changes[2:]
    assert changes[-1] == "DeleteSecurityGroup"


def test_what_is_in_use_is_tried_again_and_a_failure_stops_nothing(account: Account) -> None:
    account.launched("first", nodes=2)
    account.launched("second", nodes=2, region="us-east-1")
    for run in ("first", "second"):
        account.ended(run)
    lab = account.lab
    lab("fault", operation="DeleteSecurityGroup", code="DependencyViolation", region="us-west-2")
    denied = {"code": "UnauthorizedOperation", "region": "us-east-1", "times": 99}
    lab("fault", operation="TerminateInstances", **denied)
    removed = account.remove(patience_seconds=3)
    failed = {find.resource.run for find in removed if find.problem}
    assert failed == {"second"}
    refused = [find for find in removed if find.resource.kind == "instance" and find.problem]
    assert all("UnauthorizedOperation" in find.problem for find in refused)
    assert {find.resource.run for find in removed if find.deleted} == {"first"}
    lab("mend")
    assert all(find.deleted for find in account.remove())


def test_a_region_that_does_not_answer_is_said_and_the_others_are_swept(account: Account) -> None:
    account.launched("dead")
    account.ended("dead")
    account.lab("fault", region="us-east-1", code="InternalError", status=500, times=999)
    survey = account.sweep.survey(["aws"])
    [(name, problem)] = survey.unasked
    assert (name, type(problem)) == ("aws", NoAnswer)
    assert {find.resource.kind for find in survey.finds} >= COSTLY


def test_a_sweep_without_credentials_says_that_machines_may_be_there(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.launched("dead")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    [(name, problem)] = account.sweep.survey().unasked
    assert (name, type(problem)) == ("aws", NotConfigured)
