"""Three emulated clouds on this machine, and a person with an account at each of them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.store import Store

from ..providers.aws import replay
from ..providers.aws.conftest import Lab as AwsLab
from ..providers.aws.conftest import moto
from ..providers.aws.fleet import Fleet as AwsFleet
from ..providers.azure.arm import Arm
from ..providers.azure.cloud import IDENTITY, SUBSCRIPTION
from ..providers.azure.conftest import Lab as AzureLab
from ..providers.azure.fleet import Fleet as AzureFleet
from ..providers.fleet import Fleet
from ..providers.gcp.conftest import Lab as GoogleLab
from ..providers.gcp.conftest import write_credentials
from ..providers.gcp.fleet import Fleet as GoogleFleet
from ..providers.gcp.gce import NODE_ACCOUNT, PROJECT
from ..providers.gcp.gce_http import Cloud, Server
from ..run.conftest import Machine

AWS_REGION, AWS_ZONES = "us-west-2", ("usw2-az1", "usw2-az2")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
SPOT_QUOTA = "L-3819A6DF"
TRAIN = Path(__file__).with_name("train.py").read_text()
ROLE = "arn:aws:iam::123456789012:role/finsched-node"
JOB = """\
name: three-clouds
resources: {gpu: T4}
where:
  clouds: [aws, gcp, azure]
  regions: [us-west-2, us-central1, eastus, westeurope]
capacity: spot
work: {hours: 1}
data:
  inputs: [{uri: "s3://acme-lake/tokens", region: aws/us-west-2, size: 1GB}]
checkpoint:
  {path: ckpt, uri: "s3://acme-ckpt/three", region: aws/us-west-2,
   size: 250kB, save_time: 1s, every: 2s}
workdir: work
secrets: [TOKEN]
run: python3 train.py
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The clouds, their machines, and the user."""

    folder: Path
    aws: AwsLab
    google: GoogleLab
    azure: AzureLab
    fleets: Mapping[str, Fleet]
    user: Machine

    @property
    def job_file(self) -> Path:
        return self.user.folder / "job.yaml"

    def commits(self, attempt: int) -> list[Committed]:
        """Return the checkpoints of an attempt as they lie in the bucket."""
        entries = CommitLog(Store(self.user.run().store_uri)).entries()
        return [each for each in entries if isinstance(each, Committed) and each.attempt == attempt]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start everything, and end it with the block."""
    with ExitStack() as stack:
        aws = stack.enter_context(moto(_made(folder / "moto")))
        stack.enter_context(patch.dict(os.environ, KEYS | {"AWS_ENDPOINT_URL": aws.url}))
        aws.reset()
        google, azure = stack.enter_context(_google()), stack.enter_context(_azure())
        prices = stack.enter_context(_prices())
        machines, in_their_network = folder / "machines", {"AWS_ENDPOINT_URL": aws.url}
        fleets = {
            "aws": AwsFleet(aws, machines / "aws"),
            "gcp": GoogleFleet(google, machines / "gcp", in_their_network),
            "azure": AzureFleet(azure, machines / "azure", in_their_network),
        }
        for each in fleets.values():
            stack.callback(each.close)
        user = _user(_made(folder / "user"), aws, google.url, azure.arm.url, prices)
        yield World(folder=folder, aws=aws, google=google, azure=azure, fleets=fleets, user=user)


@contextmanager
def _google() -> Iterator[GoogleLab]:
    cloud = Cloud()
    cloud.reset()
    server = Server(cloud)
    try:
        yield GoogleLab(server.url, cloud)
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _azure() -> Iterator[AzureLab]:
    with Arm() as arm:
        threading.Thread(target=arm.serve_forever, daemon=True).start()
        yield AzureLab(arm)
        arm.shutdown()


def _user(folder: Path, aws: AwsLab, google_url: str, azure_url: str, prices_url: str) -> Machine:
    aws.make_role()
    aws.client("s3", "us-east-1").create_bucket(Bucket="acme-ckpt")
    aws("quota", code=SPOT_QUOTA, value=64)
    user = Machine(folder)
    write_credentials(folder / "google.json", "token-of-the-user")
    user.environ |= {
        **_environment(folder, aws),
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "google.json"),
        "NO_GCE_CHECK": "true",
        "AZURE_CLIENT_SECRET": "canary-secret",
        "TOKEN": "canary-of-a-secret",
    }
    user.settings(_settings(google_url, azure_url, aws.url, prices_url))
    (folder / "work").mkdir()
    (folder / "work" / "train.py").write_text(TRAIN)
    (folder / "job.yaml").write_text(JOB)
    user.environ["AWS_ENDPOINT_URL"] = prices_url
    user.finsched("catalog", "refresh", "aws")
    user.environ["AWS_ENDPOINT_URL"] = aws.url
    return user


def _environment(folder: Path, aws: AwsLab) -> dict[str, str]:
    return {
        "FINSCHED_STATE_DIR": str(folder / "state"),
        "FINSCHED_CACHE_DIR": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "AZURE_CONFIG_DIR": str(folder / "azure"),
        **KEYS,
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none-either"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _settings(google_url: str, azure_url: str, sts_url: str, prices_url: str) -> str:
    """A user whose discount makes Google the second cheapest; nodes reach S3 by their role."""
    text = json.dumps
    return f"""
discounts = {{gcp = 0.1}}
providers = ["aws", "gcp", "azure"]
poll_seconds = 2

[aws]
regions = ["{AWS_REGION}"]
instance_profile = "finsched-node"
spot_advisor_url = {text(f"{prices_url}/spot-advisor-data.json")}

[gcp]
project = "{PROJECT}"
service_account = "{NODE_ACCOUNT}"
regions = ["us-central1"]
endpoint = {text(google_url)}
access.s3 = {{role_arn = "{ROLE}", exchange_url = {text(sts_url)}}}

[azure]
subscription = "{SUBSCRIPTION}"
identity = "{IDENTITY}"
regions = ["eastus", "westeurope"]
endpoint = {text(azure_url)}
access.s3 = {{role_arn = "{ROLE}", audience = "api://acme", exchange_url = {text(sts_url)}}}
"""


@contextmanager
def _prices() -> Iterator[str]:
    """Where AWS's answers about prices are replayed: two zones, both cheap."""
    usd = dict(zip(AWS_ZONES, (0.05, 0.051), strict=True))
    prices = {f"{AWS_REGION}/{zone}/g4dn.xlarge": usd[zone] for zone in AWS_ZONES}
    replay.STATE.__init__(  # type: ignore[misc]
        regions=[AWS_REGION], machines=["g4dn.xlarge"], zones=2, prices=prices
    )
    server = replay.Server(("127.0.0.1", 0), replay.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    return folder
