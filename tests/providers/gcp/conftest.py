from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import LaunchRequest, Provider
from finsched.testing import builders
from finsched_gcp.assembly import assemble
from finsched_gcp.pace import Patience
from finsched_gcp.settings import GcpSettings
from tests.providers.echo import Echo
from tests.waiting import until

from .gce import NODE_ACCOUNT, PROJECT, Document
from .gce_http import Cloud, Server

PATIENCE = Patience(
    read_seconds=10,
    tries=4,
    retry_seconds=0.02,
    look_seconds=0.01,
    longest_look_seconds=0.05,
    operation_seconds=10,
    settle_seconds=0.05,
)


class Lab:
    """The emulated project, and short words for what the tests do with it."""

    def __init__(self, url: str, cloud: Cloud) -> None:
        self.url = url
        self.cloud = cloud
        self.gce = cloud.gce
        self.bootstrap = Echo()

    def settings(self, **changes: Any) -> GcpSettings:
        plain = {"project": PROJECT, "service_account": NODE_ACCOUNT, "endpoint": self.url}
        return GcpSettings(**{**plain, **changes})

    def provider(self, patience: Patience = PATIENCE, **changes: Any) -> Provider:
        return assemble(self.settings(**changes), bootstrap=self.bootstrap, patience=patience)

    def instances(self) -> list[Document]:
        return list(self.gce.resources["instances"].values())

    def wait_for_machines(self, most: int) -> None:
        """Wait until there are no more than so many."""

        def few_enough() -> bool:
            self.gce.tick()
            return len(self.instances()) <= most

        until(few_enough, 30)

    def sell_out(
        self, *zones: str, code: str = "ZONE_RESOURCE_POOL_EXHAUSTED", **told: Any
    ) -> None:
        words = "The zone does not have enough resources available to fulfill the request."
        for zone in zones:
            self.gce.sold_out[zone] = {"code": code, "message": words, **told}


def offer(**changes: Any) -> Offer:
    name = changes.pop("instance_type", "g2-standard-8")
    machine = InstanceType(provider="gcp", name=name, gpu="L4", gpu_count=1, vcpus=8)
    plain: dict[str, Any] = {
        "instance_type": machine,
        "region": "us-central1",
        "zone": "us-central1-a",
        "capacity_type": CapacityType.SPOT,
        "price_usd_per_hour": 0.5,
    }
    return builders.offer(**{**plain, **changes})


def launch_request(token: str = "r1-1", **changes: Any) -> LaunchRequest:
    return builders.launch_request(**{"token": token, "offer": offer(), **changes})


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    pytest.importorskip("google.cloud.compute_v1", reason="needs pip install 'finsched[gcp]'")
    server = Server(Cloud())
    yield server
    server.shutdown()
    server.server_close()


def write_credentials(file: Path, token: str) -> None:
    """Write what a person's login leaves, with a token that lasts an hour.

    A service account's key would not do: the library looks up where it may be used, at Google.
    """
    told = {
        "type": "authorized_user",
        "client_id": "finsched-tests",
        "client_secret": "canary-secret",
        "refresh_token": "canary-refresh",
        "token": token,
        "expiry": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    file.write_text(json.dumps(told))


@pytest.fixture
def lab(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Lab:
    """An empty project, reached as every tool reaches one: with credentials from a file."""
    import google.oauth2.credentials

    token_url = f"{server.url}/token"
    monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", token_url)
    for variable in [name for name in os.environ if name.startswith(("GOOGLE_", "CLOUDSDK_"))]:
        monkeypatch.delenv(variable)
    write_credentials(tmp_path / "login.json", "first")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    server.cloud.reset()
    return Lab(server.url, server.cloud)


@pytest.fixture
def provider(lab: Lab) -> Provider:
    return lab.provider()


@pytest.fixture
def make_request() -> Callable[[str], LaunchRequest]:
    return launch_request
