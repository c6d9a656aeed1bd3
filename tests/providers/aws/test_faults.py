"""Refusals, lost answers, late lists and credentials that end: no machine is paid for twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    PriceTooLow,
    ProviderError,
    ProviderProblem,
    Throttled,
)
from finsched.provider import Compute, InstanceState
from finsched_aws.pace import Patience

from .conftest import PATIENCE, Lab, launch_request, offer

pytestmark = pytest.mark.slow

HASTY = Patience(
    connect_seconds=5, read_seconds=0.8, tries=4, retry_seconds=0.02, settle_seconds=0.05
)


def hasty(lab: Lab) -> Compute:
    compute = lab.provider(HASTY).compute
    assert compute
    compute.launch(launch_request("warm-up"))  # so that only the answer in question is late
    return compute


def zones(lab: Lab) -> list[str]:
    ids = {each["SubnetId"]: each["AvailabilityZoneId"] for each in lab.default_subnets}
    return [ids[instance["SubnetId"]] for instance in lab.instances()]


def deny(lab: Lab, *places: str, code: str = "InsufficientInstanceCapacity") -> None:
    for place in places:
        lab("deny", zone=place, instance_type="g5.xlarge", code=code)


# --- capacity ------------------------------------------------------------------------------------


def test_no_capacity_in_the_cheapest_zone_leads_to_the_next(lab: Lab, compute: Compute) -> None:
    deny(lab, "usw2-az1", "usw2-az2")
    [launched] = compute.launch(launch_request(offer=offer(zone="")))
    assert zones(lab) == ["usw2-az3"]
    assert [each.id for each in compute.find("r1-1")] == [launched.id]


def test_no_capacity_in_the_zone_of_the_offer_is_said_at_once(lab: Lab, compute: Compute) -> None:
    deny(lab, "usw2-az1")
    with pytest.raises(NoCapacity, match=r"g5\.xlarge capacity in usw2-az1"):
        compute.launch(launch_request())
    assert len(lab.calls("RunInstances")) == 1
    assert lab.instances() == []


def test_no_capacity_anywhere_tries_each_zone_once(lab: Lab, compute: Compute) -> None:
    deny(lab, "us-west-2")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(offer=offer(zone="")))
    subnets = [
        call["parameters"]["NetworkInterface.1.SubnetId"] for call in lab.calls("RunInstances")
    ]
    assert len(subnets) == len(set(subnets)) >= 3


def test_a_repeated_launch_stays_where_the_first_one_went(lab: Lab, compute: Compute) -> None:
    """Capacity that comes back in the first zone must not tempt the second launch."""
    deny(lab, "usw2-az1")
    request = launch_request(offer=offer(zone=""))
    first = compute.launch(request)
    lab("reset")
    again = lab.provider().compute
    assert again
    assert list(again.launch(request)) == list(first)
    assert len(lab.instances()) == 1


def test_a_gang_is_whole_or_not_there(lab: Lab, compute: Compute) -> None:
    deny(lab, "us-west-2")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(nodes=4, offer=offer(zone="")))
    assert lab.instances() == []
    counts = {
        (call["parameters"]["MinCount"], call["parameters"]["MaxCount"])
        for call in lab.calls("RunInstances")
    }
    assert counts == {("4", "4")}


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("MaxSpotInstanceCountExceeded", NoQuota),
        ("SpotMaxPriceTooLow", PriceTooLow),
        ("UnauthorizedOperation", NotAuthorized),
        ("InvalidParameterValue", InvalidRequest),
        ("SomethingNew", ProviderError),
    ],
)
def test_other_refusals_are_not_tried_in_the_next_zone(
    lab: Lab, compute: Compute, code: str, problem: type[ProviderProblem]
) -> None:
    deny(lab, "us-west-2", code=code)
    with pytest.raises(problem, match=code):
        compute.launch(launch_request(offer=offer(zone="")))
    assert len(lab.calls("RunInstances")) == 1


# --- answers that are lost -----------------------------------------------------------------------


def test_a_create_call_that_times_out_after_it_succeeded_makes_one_machine(lab: Lab) -> None:
    compute = hasty(lab)
    lab("fault", operation="RunInstances", hang_seconds=2)
    [launched] = compute.launch(launch_request())
    [instance] = [each for each in lab.instances() if "r1-1" in str(each["Tags"])]
    assert launched.id == f"us-west-2/{instance['InstanceId']}"
    assert len(lab.calls("RunInstances")) == 2, "the warm-up and one: it was found, not repeated"


def test_a_lost_machine_that_is_not_listed_yet_comes_from_its_token(lab: Lab) -> None:
    compute = hasty(lab)
    lab("fault", operation="RunInstances", hang_seconds=2)
    lab("fault", operation="DescribeInstances", times=2, empty=True)
    [launched] = compute.launch(launch_request())
    [instance] = [each for each in lab.instances() if "r1-1" in str(each["Tags"])]
    assert launched.id == f"us-west-2/{instance['InstanceId']}"
    _, lost, repeated = lab.calls("RunInstances")
    assert lost["parameters"] == repeated["parameters"]


def test_a_server_error_is_asked_again_under_the_same_token(lab: Lab, compute: Compute) -> None:
    lab("fault", operation="RunInstances", code="InternalError", status=500, times=2)
    compute.launch(launch_request())
    tokens = {call["parameters"]["ClientToken"] for call in lab.calls("RunInstances")}
    assert len(lab.calls("RunInstances")) == 3
    assert len(tokens) == 1
    assert len(lab.instances()) == 1


@pytest.mark.parametrize("text", ["<html>a proxy's page", "", "{}"])
def test_an_answer_that_makes_no_sense_is_no_answer(lab: Lab, compute: Compute, text: str) -> None:
    lab("fault", operation="RunInstances", text=text, times=99)
    with pytest.raises(NoAnswer):
        compute.launch(launch_request())


def test_a_cloud_that_never_answers_is_no_lack_of_capacity(lab: Lab, compute: Compute) -> None:
    lab("fault", operation="RunInstances", code="InternalError", status=500, times=99)
    with pytest.raises(NoAnswer):
        compute.launch(launch_request(offer=offer(zone="")))
    assert len({call["parameters"]["ClientToken"] for call in lab.calls("RunInstances")}) == 1


def test_the_sdk_never_repeats_a_create_call_behind_our_back(lab: Lab, compute: Compute) -> None:
    """EC2 says a lack of capacity with status 500, which SDKs take for a passing fault."""
    lab("fault", operation="RunInstances", code="InsufficientInstanceCapacity", status=500)
    with pytest.raises(NoCapacity):
        compute.launch(launch_request())
    assert len(lab.calls("RunInstances")) == 1


def test_a_token_that_was_used_otherwise_leads_to_its_machines(lab: Lab, compute: Compute) -> None:
    """The newest image may have changed between a lost answer and its repetition."""
    [launched] = compute.launch(launch_request())
    lab("fault", operation="DescribeInstances", empty=True)
    changed = launch_request(tags={"project": "another"})
    assert [each.id for each in compute.launch(changed)] == [launched.id]
    assert len(lab.instances()) == 1


def test_a_group_that_another_launch_just_made_is_used(lab: Lab, compute: Compute) -> None:
    compute.launch(launch_request("r1-1"))
    lab("fault", operation="DescribeSecurityGroups", empty=True)
    compute.launch(launch_request("r1-2"))
    groups = [str(each["NetworkInterfaces"][0]["Groups"]) for each in lab.instances()]
    assert len(groups) == 2
    assert len(set(groups)) == 1


# --- throttling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["RunInstances", "DescribeInstances", "DescribeSubnets"])
def test_throttling_is_waited_out(lab: Lab, compute: Compute, operation: str) -> None:
    lab("fault", operation=operation, code="RequestLimitExceeded", status=503, times=2)
    compute.launch(launch_request())
    assert len(lab.instances()) == 1


def test_throttling_that_does_not_end_is_said(lab: Lab, compute: Compute) -> None:
    lab("fault", operation="RunInstances", code="RequestLimitExceeded", status=503, times=99)
    with pytest.raises(Throttled):
        compute.launch(launch_request())
    assert lab.instances() == []


# --- what is listed late -------------------------------------------------------------------------


def test_a_fresh_machine_that_is_not_listed_is_unknown(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    lab("fault", operation="DescribeInstances", empty=True)
    assert launched.id not in compute.poll([launched.id])
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING


def test_a_gang_that_is_listed_in_part_is_waited_for(lab: Lab, compute: Compute) -> None:
    launched = compute.launch(launch_request(nodes=3))
    lab("fault", operation="DescribeInstances", hide_one=True)
    assert list(compute.find("r1-1")) == list(launched)


def test_a_search_after_a_crash_looks_twice(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    stranger = lab.provider().compute
    assert stranger
    lab("fault", operation="DescribeInstances", empty=True, times=2)
    assert [each.id for each in stranger.find("r1-1")] == [launched.id]


def test_a_search_says_when_a_region_did_not_answer(lab: Lab, compute: Compute) -> None:
    """Nothing found in the other regions does not mean that there is nothing."""
    lab("fault", operation="DescribeInstances", code="InternalError", status=500, times=99)
    with pytest.raises(NoAnswer):
        compute.find("somebody-elses")


# --- credentials ---------------------------------------------------------------------------------


def write_credentials(file: Path, access_key: str) -> None:
    text = f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = canary\n"
    file.write_text(text + "aws_session_token = canary\n")


def test_credentials_that_end_are_read_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    write_credentials(file, "ASIAFIRST")
    compute: Any = lab.provider(PATIENCE).compute
    [launched] = compute.launch(launch_request())
    lab("fault", access_key="ASIAFIRST", code="RequestExpired", times=0)
    lab("fault", access_key="ASIAFIRST", code="ExpiredToken", times=99)
    with pytest.raises(NotAuthorized, match="ExpiredToken") as caught:
        compute.poll([launched.id])
    assert "aws sso login" in str(caught.value.fix)
    assert "canary" not in str(caught.value)
    write_credentials(file, "ASIASECOND")
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING
