"""AWS' own part: where the store is, the instance profile, secrets that nobody else sees."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finsched.errors import InvalidRequest, NotConfigured
from finsched.provider import LaunchRequest
from finsched.testing.builders import offer
from finsched.testing.machine import EmulatedMachine, Host
from finsched_aws.api import Api
from finsched_aws.bootstrap import NodeBootstrap, parameter_name
from finsched_aws.settings import AwsSettings

from .conftest import Cloud, S3Lab

pytestmark = pytest.mark.slow

CANARY = "canary-of-a-secret"
REGION = "us-west-2"


@pytest.fixture
def cloud(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The launcher finds the emulated AWS as every AWS tool does."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.s3.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return cloud


@pytest.fixture
def bootstrap(cloud: Cloud) -> NodeBootstrap:
    return NodeBootstrap(Api((REGION,)), AwsSettings(instance_profile="finsched-node"))


def request(cloud: Cloud, command: str, **changes: Any) -> LaunchRequest:
    config = cloud.config(command, secret_names=["TOKEN"], checkpoint=None, store_options={})
    plain: dict[str, Any] = {
        "token": "r1/1",
        "installation": "laptop-1",
        "run": "r1",
        "attempt": 1,
        "offer": offer(region=REGION),
        "nodes": 1,
        "node_config": config,
        "secrets": {"TOKEN": CANARY},
    }
    return LaunchRequest(**{**plain, **changes})


def parameters(s3: S3Lab) -> list[str]:
    import boto3

    client = boto3.client("ssm", region_name=REGION, endpoint_url=s3.url)
    names = [each["Name"] for each in client.describe_parameters()["Parameters"]]
    client.close()
    return names


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_a_secret_reaches_the_job_and_nothing_else(cloud: Cloud, bootstrap: NodeBootstrap) -> None:
    launched = request(cloud, "printf %s $TOKEN | sha256sum; echo got $TOKEN")
    script = bootstrap(launched)
    assert CANARY not in script
    assert parameters(cloud.s3) == [parameter_name(launched)]
    machine = cloud.boot(script, environment={"AWS_ENDPOINT_URL": cloud.s3.url})
    machine.wait_until_off()
    assert cloud.messages(1, "ended")[0]["end"] == "finished", machine.log
    assert hashlib.sha256(CANARY.encode()).hexdigest() in cloud.output(1)
    assert "got ***" in cloud.output(1)
    assert parameters(cloud.s3) == [], "the only reader has deleted it"
    for folder in ("node", "log", "mailbox", "orders", "output"):
        for stored in cloud.store.list(folder):
            assert CANARY.encode() not in cloud.store.get(stored.key)
    holders = [f for f in files_below(machine.folder) if CANARY.encode() in f.read_bytes()]
    assert not holders


def test_the_role_of_a_node_may_do_what_it_does_and_no_more(
    cloud: Cloud, bootstrap: NodeBootstrap
) -> None:
    """Abort is for uploads that broke; all the rest is used by a run with two attempts."""
    save = 'head -c 20000000 /dev/urandom > "$FINSCHED_CHECKPOINT_DIR/w"; sleep 1; echo > x'
    for attempt in (1, 2, 3):
        launched = request(cloud, f"mkdir ckpt; {save}", attempt=attempt, token=f"r1/{attempt}")
        checkpoint = {"path": "ckpt", "every_seconds": 0.2, "keep": 1}
        config = {**launched.node_config, "attempt": attempt, "checkpoint": checkpoint}
        script = bootstrap(replace(launched, node_config=config))
        cloud.boot(script, environment={"AWS_ENDPOINT_URL": cloud.s3.url}).wait_until_off()
    page = Path(__file__).parents[2] / "docs/explanation/node-bootstrap.md"
    [block] = re.findall(r"```json node-policy\.json\n(.*?)```", page.read_text(), re.DOTALL)
    actions = [statement["Action"] for statement in json.loads(block)["Statement"]]
    allowed = {one for each in actions for one in ([each] if isinstance(each, str) else each)}
    called = {action_of(call) for call in cloud.s3.calls() if call["signed_by"] == "AKIANODE"}
    assert called == allowed - {"s3:AbortMultipartUpload"}


def action_of(call: dict[str, Any]) -> str:
    if call["service"] == "ssm":
        return f"ssm:{call['operation']}"
    if call["method"] == "DELETE" and "uploadId" in call["query"]:
        return "s3:AbortMultipartUpload"
    if "list-type=2" in call["query"]:
        return "s3:ListBucket"
    names = {"GET": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}
    return f"s3:{names[call['method']]}"


def test_a_gang_reads_its_secrets_together_and_its_first_node_deletes_them(
    cloud: Cloud, bootstrap: NodeBootstrap
) -> None:
    plain = request(cloud, "printf %s $TOKEN | sha256sum", nodes=2)
    launched = replace(plain, node_config={**plain.node_config, "nodes": 2})
    script, environment = bootstrap(launched), {"AWS_ENDPOINT_URL": cloud.s3.url}

    def boot(rank: int) -> EmulatedMachine:
        names = {"name": f"i-{rank}", "launch_index": str(rank)}
        return cloud.boot(script, environment=environment, host=Host(names=names))

    first = boot(0)
    give_up_at = time.monotonic() + 60
    while not (first.files / "scratch" / "job").exists():  # it has its secrets by then
        assert time.monotonic() < give_up_at, first.log
        time.sleep(0.05)
    assert parameters(cloud.s3) == [parameter_name(launched)], "the second node needs them too"
    second = boot(1)
    first.wait_until_off()
    second.wait_until_off()
    assert hashlib.sha256(CANARY.encode()).hexdigest() in cloud.output(1)
    assert not parameters(cloud.s3)


def test_secrets_that_were_left_for_a_gang_are_deleted_twice_without_harm(
    cloud: Cloud, bootstrap: NodeBootstrap
) -> None:
    launched = request(cloud, "true", nodes=2)
    bootstrap(launched)
    bootstrap.forget(launched)
    bootstrap.forget(launched)
    assert not parameters(cloud.s3)


def test_secrets_that_nobody_can_give_keep_the_job_from_starting(
    cloud: Cloud, bootstrap: NodeBootstrap
) -> None:
    script = bootstrap(launched := request(cloud, "true"))
    bootstrap.forget(launched)
    machine = cloud.boot(script, environment={"AWS_ENDPOINT_URL": cloud.s3.url})
    machine.wait_until_off(90)
    assert "ParameterNotFound" in machine.log
    assert machine.shutdowns[-1] == "-P now"


def test_a_repeated_launch_sends_the_agent_once(cloud: Cloud, bootstrap: NodeBootstrap) -> None:
    first = bootstrap(request(cloud, "true"))
    sent = len(cloud.s3.calls("PUT"))
    assert bootstrap(request(cloud, "true")) == first
    assert len(cloud.s3.calls("PUT")) == sent


@pytest.mark.parametrize("settings", [AwsSettings(), AwsSettings(instance_profile="finsched-node")])
def test_what_is_missing_is_said_before_anything_is_made(
    cloud: Cloud, settings: AwsSettings
) -> None:
    launched = request(cloud, "true")
    if settings.instance_profile:
        config = {**launched.node_config, "store_uri": "file:///somewhere"}
        launched = replace(launched, node_config=config)
    with pytest.raises(NotConfigured, match="machine") as refused:
        NodeBootstrap(Api((REGION,)), settings)(launched)
    assert refused.value.fix
    assert not cloud.s3.calls("PUT")
    assert not parameters(cloud.s3)


def test_secrets_that_are_too_large_are_named_but_not_shown(
    cloud: Cloud, bootstrap: NodeBootstrap
) -> None:
    with pytest.raises(InvalidRequest, match="TOKEN") as refused:
        bootstrap(request(cloud, "true", secrets={"TOKEN": CANARY * 300}))
    assert CANARY not in str(refused.value)
