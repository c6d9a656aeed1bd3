"""The IAM policy in the documentation allows what finsched calls, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from finsched_aws import errors

from . import replay
from .conftest import Lab, launch_request, offer
from .prices_lab import Prices
from .test_inventory import INSTALLATION, leave_behind

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "aws.md"
WITHOUT_A_PERMISSION = {"sts:GetCallerIdentity"}
"""AWS answers it to everybody."""
WITHOUT_A_CALL = {"ec2:CreateTags", "iam:PassRole"}
"""Permissions that RunInstances and CreateSecurityGroup ask for beside their own."""
PERMISSION_OF = {
    "GetProducts": "pricing:GetProducts",
    "GetServiceQuota": "servicequotas:GetServiceQuota",
    "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
}
CHANGES = re.compile(r":(?:Authorize|Cancel|Create|Delete|Release|Run|Terminate|Pass)")


def statements() -> list[dict[str, Any]]:
    [block] = re.findall(r"```json aws-policy\.json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return json.loads(block)["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    named = statement["Action"]
    return [named] if isinstance(named, str) else named


def work_through_everything(lab: Lab) -> None:
    """Call all that the provider can do, on an account that holds all that it can meet."""
    provider = lab.provider(regions=())
    assert provider.compute
    assert provider.notices
    assert provider.inventory
    checks = lab.provider(regions=(), instance_profile="finsched-node").checks
    assert checks
    list(checks.run(None))
    request = launch_request(nodes=2, offer=offer(zone=""))
    ids = [machine.id for machine in provider.compute.launch(request)]
    provider.compute.find("r1-1")
    provider.compute.poll([*ids, "us-west-2/i-0123456789abcdef0"])
    provider.notices.pending(ids)
    leave_behind(lab.client())
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
    called |= {
        f"{call['service']}:{call['operation']}"
        for call in lab.calls()
        if call["user_agent"].endswith("finsched")
    }
    allowed = {action for statement in statements() for action in actions(statement)}
    assert called - WITHOUT_A_PERMISSION == allowed - WITHOUT_A_CALL


def test_nothing_that_changes_something_is_allowed_without_a_limit() -> None:
    for statement in statements():
        if any(CHANGES.search(action) for action in actions(statement)):
            assert statement.get("Condition") or "*" not in statement["Resource"], statement["Sid"]
        assert not any("*" in action for action in actions(statement))


def test_the_page_names_no_code_that_the_table_does_not_know() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]+) \|", PAGE.read_text(), re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(named) > 8
    assert all(errors.answer_to(code) for code in named - {"Name"})
