"""`finsched check azure` and `finsched sweep azure`, from the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finsched.ledger import Ledger
from finsched.model.event import AttemptEnded, Ended, Intended, Launched, Submitted
from finsched.model.run import AttemptEnd, Outcome
from finsched.run.home import installation
from finsched.testing.builders import job
from finsched.testing.runs import placement
from finsched_azure.names import LAUNCHED

from ...run.conftest import Machine  # noqa: TID252 - the one user of the command line
from .cloud import IDENTITY, LOW_PRIORITY, SUBSCRIPTION, VM
from .conftest import Lab, launch_request, offer

pytestmark = pytest.mark.slow

LONG_AGO = timedelta(hours=3)
ALL = {
    "instance",
    "disk",
    "network-interface",
    "address",
    "network",
    "security-group",
    "resource-group",
}


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Machine:
    user = Machine(tmp_path)
    user.environ |= {
        "FINSCHED_STATE_DIR": str(tmp_path / "state"),
        "FINSCHED_CACHE_DIR": str(tmp_path / "cache"),
        "AZURE_CLIENT_SECRET": "canary-secret",
    }
    user.settings(
        f'store = "{(tmp_path / "store").as_uri()}"\n[azure]\nsubscription = "{SUBSCRIPTION}"\n'
        f'endpoint = "{lab.arm.url}"\nregions = ["eastus"]\nidentity = "{IDENTITY}"\n'
    )
    return user


def launched(lab: Lab, user: Machine, run: str, nodes: int = 1) -> None:
    """Leave the machines of a run that has ended, and the ledger of whoever launched it."""
    user.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ledger = Ledger(user.state_dir / "ledger.sqlite")
    began = datetime.now(UTC) - LONG_AGO
    store = (user.folder / "store" / run).as_uri()
    ledger.append(run, Submitted(job=job(name=run), store_uri=store), began)
    place = placement(offer(), nodes=nodes)
    token = f"{run}-1"
    intended = Intended(attempt=1, token=token, provider="azure", placement=place)
    ledger.append(run, intended, began)
    own = installation(user.state_dir)
    request = launch_request(token, run=run, installation=own, nodes=nodes)
    made = tuple(each.id for each in lab.compute().launch(request))
    for group in lab.arm.cloud.groups.values():
        group["tags"][LAUNCHED] = began.isoformat()
    ledger.append(run, Launched(attempt=1, instance_ids=made, billing_from=began), began)
    ledger.append(run, AttemptEnded(attempt=1, end=AttemptEnd.FINISHED), began)
    ledger.append(run, Ended(outcome=Outcome.FINISHED), began)
    ledger.close()


def test_a_check_finds_nothing_wrong(lab: Lab, user: Machine) -> None:
    told = user.document("check", "azure")
    assert told["passed"]
    names = {each["name"] for each in told["findings"] if each["about"] == "azure"}
    assert {"set up", "subscription", "permissions", "identity", "quota in eastus"} <= names
    text = user.finsched("check", "azure")
    assert max(map(len, text.splitlines())) <= 80
    assert "canary" not in text + user.errors


def test_a_check_says_what_is_wrong_and_what_to_do(lab: Lab, user: Machine) -> None:
    lab.arm.account.providers["Microsoft.Compute"] = "NotRegistered"
    lab.arm.cloud.limits = {LOW_PRIORITY: 0, "cores": 0}
    text = " ".join(user.finsched("check", "azure", code=5).split())
    assert "az provider register --namespace Microsoft.Compute" in text
    assert "0 vCPUs on spot" in text


def test_without_credentials_a_check_says_so(lab: Lab, user: Machine, tmp_path: Path) -> None:
    user.environ |= {"AZURE_CLIENT_SECRET": "", "AZURE_CONFIG_DIR": str(tmp_path)}
    assert "az login" in user.finsched("check", "azure", code=5)


def test_a_sweep_shows_what_is_left_and_deletes_it_when_asked(lab: Lab, user: Machine) -> None:
    launched(lab, user, "dead", nodes=2)
    survey = user.document("sweep", "azure")
    assert {each["kind"] for each in survey["resources"]} == ALL
    assert len(lab.arm.cloud.of_kind(VM)) == 2
    applied = user.document("sweep", "azure", "--apply")
    assert all(each["deleted"] for each in applied["resources"]), applied
    lab.wait_for_nothing()
    assert user.document("sweep", "azure")["resources"] == []


def test_a_sweep_leaves_what_is_another_installations(lab: Lab, user: Machine) -> None:
    lab.compute().launch(launch_request("r9-1", run="r9"))
    assert user.document("sweep", "azure", "--apply")["resources"] == []
    assert len(lab.arm.cloud.of_kind(VM)) == 1


def test_a_sweep_says_when_azure_does_not_answer(lab: Lab, user: Machine) -> None:
    launched(lab, user, "dead")
    lab.arm.fault("GET", "/resourcegroups$", times=99, status=403, code="AuthorizationFailed")
    told = user.finsched("sweep", "azure", code=5)
    assert "AuthorizationFailed" in " ".join((told + user.errors).split())
