"""A job on emulated Azure spot, from the command line to a subscription that holds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from finsched.model.run import Outcome
from finsched.testing.azure_blob import FakeAzureBlob
from tests.providers.scenario import (
    SECRET,
    CloudUser,
    Place,
    account_of,
    assert_counted_on,
    assert_kept_the_secret,
    kill,
)
from tests.waiting import until

from . import cloud
from .cloud import IDENTITY, SUBSCRIPTION, VM
from .conftest import Lab
from .fleet import NODE_TOKEN, Fleet
from .test_permissions import WITHOUT_A_CALL, action

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

LAUNCHER_TOKEN = "token-of-the-launcher"
STEPS = 500
SIZES = tuple(
    cloud.Size(f"Standard_NC{vcpus}as_T4_v3", "Standard NCASv3_T4 Family", vcpus, 1)
    for vcpus in (4, 8, 16)
)


class User(CloudUser):
    """A person with a subscription at the emulated Azure."""

    def __init__(self, folder: Path, lab: Lab, blobs: FakeAzureBlob) -> None:
        access = {**blobs.options, "token": LAUNCHER_TOKEN}
        super().__init__(
            folder,
            Place(cloud="azure", gpu="T4", uri="az://acme/llama", access=access),
            STEPS,
            AZURE_CLIENT_SECRET="canary-secret",
            AZURE_STORAGE_ACCOUNT_NAME=blobs.options["account_name"],
            AZURE_STORAGE_ENDPOINT=blobs.options["endpoint"],
            AZURE_STORAGE_TOKEN=LAUNCHER_TOKEN,
        )
        self.settings(
            'store = "az://acme/runs"\npoll_seconds = 2\n'
            f'[azure]\nsubscription = "{SUBSCRIPTION}"\n'
            f'endpoint = "{lab.arm.url}"\n'
            f'regions = ["eastus"]\nidentity = "{IDENTITY}"\n'
        )


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Iterator[User]:
    lab.arm.cloud.sizes = SIZES
    blobs = FakeAzureBlob("acme", tokens=(NODE_TOKEN, LAUNCHER_TOKEN))
    user = User(tmp_path, lab, blobs)
    yield user
    user.leave()
    blobs.close()


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(lab, tmp_path / "machines")
    yield fleet
    fleet.close()


def let_the_grace_pass(lab: Lab) -> None:
    """Pretend that the machines of now were launched an hour ago."""
    for group in lab.arm.cloud.groups.values():
        if "finsched:launched" in group["tags"]:
            group["tags"]["finsched:launched"] = "2026-01-01T00:00:00+00:00"


def test_a_job_survives_what_azure_does_to_it_and_leaves_nothing(
    lab: Lab, user: User, fleet: Fleet
) -> None:
    lab.deny("ZonalAllocationFailed", "later", zone="1")
    lab.arm.fault("PUT", "/virtualMachines/", after=True)
    launch = user.start("launch", user.job_file, "--json")
    fleet.take_back(user.machine_of(1))
    fleet.take_back(user.machine_of(2), notice_seconds=5)
    user.go_ahead_after(2)
    account = account_of(launch)
    ends = [each["end"] for each in account["attempts"]]
    assert ends == ["interrupted", "interrupted", "finished"]
    assert fleet.most_at_once == 1
    assert_counted_on(user, attempts=3)
    assert_kept_the_secret(user, fleet, attempts=3)
    assert SECRET not in str(lab.arm.calls)
    called = {action(call) for call in lab.arm.calls if "simulate" not in call.path}
    assert not called & WITHOUT_A_CALL
    lab.wait_for_nothing()
    assert user.document("sweep", "azure")["resources"] == []


def test_a_machine_deletes_itself_where_nobody_watches(lab: Lab, user: User, fleet: Fleet) -> None:
    """The launcher is killed; the node's own deletion takes all that costs with it."""
    user.write_job(60)
    launch = user.start("launch", user.job_file)
    user.wait_for(lambda run: run.attempts and run.attempts[0].instance_ids, seconds=90)
    kill(launch)
    until(lambda: not lab.arm.cloud.of_kind(VM), seconds=120)
    assert {each.split("-")[1] for each in lab.left()} <= {"closed", "network", "count"}
    let_the_grace_pass(lab)
    user.finsched("resume", seconds=150)
    assert user.run().outcome is Outcome.FINISHED
    lab.wait_for_nothing()


def test_a_live_smoke_buys_a_machine_and_leaves_nothing(lab: Lab, user: User, fleet: Fleet) -> None:
    fleet.boot_seconds = 20.0  # its job ends at once, and not before the create call has
    told = user.finsched("check", "azure", "--live-smoke", "--yes", seconds=240)
    assert re.search(r"ok +live smoke", told), told
    assert "at most $" in user.errors
    assert len(fleet.machines) == 1
