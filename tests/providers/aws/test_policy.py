"""The IAM policy in the documentation allows what finsched calls, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from finsched.model.job import CheckpointSpec
from finsched.node.store import Store
from finsched.run.checking import try_store
from finsched.testing.builders import job
from finsched_aws import errors
from finsched_aws.assembly import assemble
from finsched_aws.settings import AwsSettings

from . import replay
from .conftest import PATIENCE, Lab, launch_request, offer
from .prices_lab import Prices
from .test_inventory import INSTALLATION, leave_behind

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "aws.md"
WITHOUT_A_PERMISSION = {"sts:GetCallerIdentity"}
"""AWS answers it to everybody."""
WITHOUT_A_CALL = {
    "ec2:CreateTags",
    "iam:PassRole",
    "s3:AbortMultipartUpload",
    "ssm:AddTagsToResource",
}
"""What RunInstances, CreateSecurityGroup, PutParameter and an upload that broke ask for as well."""
PERMISSION_OF = {
    "GetProducts": "pricing:GetProducts",
    "GetServiceQuota": "servicequotas:GetServiceQuota",
    "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
}
CHANGES = re.compile(r":(?:Add|Authorize|Cancel|Create|Delete|Put|Release|Run|Terminate|Pass)")
BY_FINSCHED = re.compile(r"finsched$|^object_store")


def statements() -> list[dict[str, Any]]:
    [block] = re.findall(r"```json aws-policy\.json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return json.loads(block)["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    named = statement["Action"]
    return [named] if isinstance(named, str) else named


def allowed() -> set[str]:
    return {action for statement in statements() for action in actions(statement)}


def called_by_finsched(lab: Lab) -> set[str]:
    """Return the permissions of all calls that neither a test nor a node has made."""
    return {
        PERMISSION_OF.get(call["operation"], f"{call['service']}:{call['operation']}")
        for call in lab.calls()
        if BY_FINSCHED.search(call["user_agent"])
    }


def work_through_everything(lab: Lab) -> None:
    """Call all that the provider can do, on an account that holds all that it can meet."""
    provider = assemble(AwsSettings(instance_profile="finsched-node"), patience=PATIENCE)
    assert provider.compute
    assert provider.notices
    assert provider.inventory
    assert provider.checks
    lab.make_role()
    lab.client("s3", "us-east-1").create_bucket(Bucket="acme-ckpt")
    store = "s3://acme-ckpt/llama/r1"
    list(provider.checks.run(job(checkpoint=CheckpointSpec(path="c", uri=store))))
    list(try_store(Store(store)))
    config = {"run": "r1", "store_uri": store}
    secrets = {"HF_TOKEN": "canary"}
    request = launch_request(nodes=2, offer=offer(zone=""), node_config=config, secrets=secrets)
    ids = [machine.id for machine in provider.compute.launch(request)]
    provider.compute.find("r1-1")
    provider.compute.poll([*ids, "us-west-2/i-0123456789abcdef0"])
    provider.notices.pending(ids)
    leave_behind(lab)
    for resource in list(provider.inventory.owned(INSTALLATION)):
        provider.inventory.delete(resource)
    provider.compute.terminate(ids[0])


def ask_for_everything(prices: Prices) -> set[str]:
    """Ask for all prices and quotas of the replay, and return the permissions of the calls."""
    prices.steer(names_alone=True, scores={"usw2-az1": 5})
    prices.ask(["us-west-2"], {})
    capacity = prices.provider().capacity
    assert capacity
    capacity.quota(offer(), 1)
    capacity.placement_score(offer(), 1)
    return {PERMISSION_OF.get(call, f"ec2:{call}") for call in replay.CALLS}


@pytest.mark.slow
def test_the_policy_allows_every_call_and_no_other(
    server: Lab, prices: Prices, request: pytest.FixtureRequest
) -> None:
    called = ask_for_everything(prices)
    lab: Lab = request.getfixturevalue("lab")  # AWS is reached there from now on
    work_through_everything(lab)
    called |= called_by_finsched(lab)
    assert called - WITHOUT_A_PERMISSION == allowed() - WITHOUT_A_CALL


def test_nothing_that_changes_something_is_allowed_without_a_limit() -> None:
    for statement in statements():
        if any(CHANGES.search(action) for action in actions(statement)):
            anywhere = statement["Resource"] in ("*", ["*"])
            assert statement.get("Condition") or not anywhere, statement["Sid"]
        assert not any("*" in action for action in actions(statement))


def test_the_page_names_no_code_that_the_table_does_not_know() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]+) \|", PAGE.read_text(), re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(named) > 8
    assert all(errors.answer_to(code) for code in named - {"Name"})
