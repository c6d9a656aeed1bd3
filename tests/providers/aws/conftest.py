from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from finsched.model.market import CapacityType, InstanceType, Offer
from finsched.provider import LaunchRequest, Provider
from finsched.testing import builders
from finsched_aws.assembly import assemble
from finsched_aws.pace import Patience
from finsched_aws.settings import AwsSettings
from tests.providers.echo import Echo

from . import replay
from .prices_lab import Prices

PATIENCE = Patience(
    connect_seconds=5, read_seconds=10, tries=4, retry_seconds=0.02, settle_seconds=0.05
)
IMAGES = ("ami-0dee91ea", "ami-00000001")
REGIONS = ("us-east-1", "us-west-2")
SERVER_STARTS_WITHIN_SECONDS = 60


@dataclass
class Lab:
    """The emulated account, and short words for what the tests do with it."""

    url: str
    process: subprocess.Popen[bytes]
    settings: AwsSettings = field(default_factory=lambda: AwsSettings(regions=REGIONS))
    bootstrap: Echo = field(default_factory=Echo)

    def __call__(self, word: str, **body: Any) -> Any:
        return self._post(f"/lab/{word}", body)

    def reset(self) -> None:
        self.bootstrap = Echo()
        self._post("/moto-api/reset", {})
        self("reset")

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def calls(self, operation: str = "") -> list[dict[str, Any]]:
        return [call for call in self("log") if not operation or call["operation"] == operation]

    def client(self, service: str = "ec2", region: str = "us-west-2") -> Any:
        import boto3

        return boto3.client(service, region_name=region)

    def provider(self, patience: Patience = PATIENCE, **settings: Any) -> Provider:
        chosen = AwsSettings(**{"regions": REGIONS, **settings})
        return assemble(chosen, bootstrap=self.bootstrap, patience=patience)

    def make_role(self, name: str = "finsched-node") -> None:
        """Make what the machines run under."""
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)

    def instances(self, region: str = "us-west-2") -> list[dict[str, Any]]:
        """Every machine that was ever made there, ended or not."""
        pages = self.client(region=region).get_paginator("describe_instances").paginate()
        return [
            instance
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    @cached_property
    def default_subnets(self) -> list[dict[str, Any]]:
        return self.client().describe_subnets()["Subnets"]


def offer(**changes: Any) -> Offer:
    machine = InstanceType(
        provider="aws",
        name=changes.pop("instance_type", "g5.xlarge"),
        gpu="A10G",
        gpu_count=1,
        vcpus=4,
    )
    plain: dict[str, Any] = {
        "instance_type": machine,
        "region": "us-west-2",
        "zone": "usw2-az1",
        "capacity_type": CapacityType.SPOT,
        "price_usd_per_hour": 0.5,
    }
    return builders.offer(**{**plain, **changes})


def launch_request(token: str = "r1-1", **changes: Any) -> LaunchRequest:
    return builders.launch_request(**{"token": token, "offer": offer(), **changes})


@pytest.fixture(scope="session", autouse=True)
def descriptions_read_once() -> Iterator[None]:
    """Let all sessions of the SDK share what it reads: megabytes of JSON about EC2 alone."""
    from botocore.loaders import Loader

    make = Loader.__init__
    read: dict[Any, Any] = {}

    def make_with_all_that_was_read(self: Loader, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self._cache = read

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "__init__", make_with_all_that_was_read)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with moto(tmp_path_factory.mktemp("moto")) as lab:
        yield lab


@contextmanager
def moto(folder: Path) -> Iterator[Lab]:
    """Serve the emulated AWS from a process of its own while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as stream:
        command = [sys.executable, str(Path(__file__).with_name("moto_lab.py")), str(port)]
        environ = _environment(folder)
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environ)
    lab = Lab(f"http://127.0.0.1:{port}", process)
    try:
        _wait_for(lab, log)
        yield lab
    finally:
        process.kill()
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Two images instead of moto's forty, which take a second in each region."""
    images = [{"ami_id": image, "name": image, "root_device_type": "ebs"} for image in IMAGES]
    (folder / "images.json").write_text(json.dumps(images))
    own = {
        "MOTO_AMIS_PATH": str(folder / "images.json"),
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    }
    return {name: value for name, value in os.environ.items() if name[:4] != "AWS_"} | own


def _wait_for(lab: Lab, log: Path) -> None:
    give_up_at = time.monotonic() + SERVER_STARTS_WITHIN_SECONDS
    while True:
        try:
            return lab.reset()
        except OSError:
            running = lab.process.poll() is None and time.monotonic() < give_up_at
            assert running, log.read_text()
            time.sleep(0.05)


@pytest.fixture
def lab(server: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    """An empty account, reached as every AWS tool reaches one: through the environment."""
    _reach(server.url, monkeypatch, tmp_path)
    server.reset()
    server.__dict__.pop("default_subnets", None)
    return server


def _reach(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    for variable, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none-either"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(scope="session")
def replay_url() -> Iterator[str]:
    """Where AWS's answers about prices are replayed."""
    server = replay.Server(("127.0.0.1", 0), replay.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def prices(replay_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Prices:
    """The replay as it is without steering, reached as every AWS tool reaches AWS."""
    _reach(replay_url, monkeypatch, tmp_path)
    found = Prices(replay_url)
    found.steer()
    return found


@pytest.fixture
def provider(lab: Lab) -> Provider:
    return lab.provider()


@pytest.fixture
def make_request() -> Callable[[str], LaunchRequest]:
    return launch_request
