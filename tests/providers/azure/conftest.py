from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import Compute, LaunchRequest, Provider
from finsched.testing import builders
from finsched_azure.assembly import assemble
from finsched_azure.pace import Patience
from finsched_azure.settings import AzureSettings
from tests.providers.echo import Echo
from tests.waiting import until

from .arm import Arm, Call
from .cloud import IDENTITY, SUBSCRIPTION, VM

PATIENCE = Patience(
    connect_seconds=5,
    read_seconds=10,
    tries=4,
    retry_seconds=0.02,
    operation_seconds=0.03,
    create_seconds=10,
    delete_seconds=5,
    settle_seconds=0.05,
    grace_seconds=0.0,
)
INSTALLATION = "finsched-test"


@dataclass
class Lab:
    """The emulated subscription, and short words for what the tests do with it."""

    arm: Arm
    bootstrap: Echo = field(default_factory=Echo)

    def settings(self, **changes: Any) -> AzureSettings:
        plain = {
            "subscription": SUBSCRIPTION,
            "endpoint": self.arm.url,
            "identity": IDENTITY,
            "regions": ("eastus", "westeurope"),
        }
        return AzureSettings(**{**plain, **changes})

    def provider(self, patience: Patience = PATIENCE, **settings: Any) -> Provider:
        chosen = self.settings(**settings)
        return assemble(chosen, bootstrap=self.bootstrap, patience=patience)

    def compute(self, patience: Patience = PATIENCE, **settings: Any) -> Compute:
        compute = self.provider(patience, **settings).compute
        assert compute
        return compute

    def calls(self, method: str = "", path: str = "") -> list[Call]:
        return [
            call
            for call in self.arm.calls
            if call.method in (method, call.method if not method else "") and path in call.path
        ]

    def machine_puts(self) -> list[Call]:
        return [call for call in self.calls("PUT") if "/virtualMachines/" in call.path]

    def machines(self) -> list[dict[str, Any]]:
        with self.arm.lock:
            self.arm.cloud.settle()
            return self.arm.cloud.of_kind(VM)

    def evict(self, instance_id: str) -> None:
        """Azure takes a machine back: with the policy `Delete` it is gone."""
        with self.arm.lock:
            self.arm.cloud.vanish(self.path(instance_id))

    def power(self, instance_id: str, state: str) -> None:
        with self.arm.lock:
            self.arm.cloud.resource(self.path(instance_id))["_power"] = state

    def path(self, instance_id: str) -> str:
        group, name = instance_id.split("/")
        scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
        return f"{scope}/providers/Microsoft.Compute/virtualMachines/{name}"

    def deny(self, code: str, when: str = "at once", **where: str) -> None:
        self.arm.cloud.denied.append({"code": code, "when": when, **where})

    def left(self) -> set[str]:
        """Return the names of all that is there."""
        with self.arm.lock:
            cloud = self.arm.cloud
            cloud.settle()
            names = {each["name"] for each in cloud.resources.values()}
            return names | {group["name"] for group in cloud.groups.values()}

    def end_all(self) -> None:
        """Let every operation that goes on end now."""
        with self.arm.lock:
            self.arm.cloud.end_all()

    def wait_for_nothing(self) -> None:
        """Wait until Azure has deleted everything."""
        until(lambda: not self.left(), 30, why=self.left)


def offer(**changes: Any) -> Offer:
    machine = InstanceType(
        provider="azure",
        name=changes.pop("instance_type", "Standard_NC24ads_A100_v4"),
        gpu="A100-80GB",
        gpu_count=1,
        vcpus=24,
    )
    plain: dict[str, Any] = {
        "instance_type": machine,
        "region": "eastus",
        "zone": "",
        "capacity_type": CapacityType.SPOT,
        "price_usd_per_hour": 0.8,
    }
    return builders.offer(**{**plain, **changes})


def launch_request(token: str = "r1-1", **changes: Any) -> LaunchRequest:
    return builders.launch_request(**{"token": token, "offer": offer(), **changes})


@pytest.fixture(autouse=True)
def not_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees who is signed in here."""
    for variable in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "not-signed-in"))


@pytest.fixture(scope="session")
def server() -> Iterator[Arm]:
    with Arm() as arm:
        thread = threading.Thread(target=arm.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield arm
        arm.shutdown()
        thread.join()


@pytest.fixture
def lab(server: Arm) -> Lab:
    """An empty subscription."""
    server.reset()
    return Lab(server)


@pytest.fixture
def provider(lab: Lab) -> Provider:
    return lab.provider()


@pytest.fixture
def make_request() -> Callable[[str], LaunchRequest]:
    return launch_request
