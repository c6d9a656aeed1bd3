"""Refusals, lost answers, late lists and credentials that end: no machine is paid for twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NoCapacity,
    NoQuota,
    NotAuthorized,
    ProviderError,
    ProviderProblem,
    Throttled,
)
from finsched.provider import Compute, InstanceState

from .conftest import PATIENCE, Lab, launch_request, offer, write_credentials

pytestmark = pytest.mark.slow

HASTY = replace(PATIENCE, read_seconds=1.0)


def hasty(lab: Lab) -> Compute:
    compute = lab.provider(HASTY).compute
    assert compute
    compute.launch(launch_request("warm-up"))  # so that only the answer in question is late
    return compute


def inserts(lab: Lab) -> list[str]:
    return [call.query["requestId"] for call in lab.cloud.named("instances.insert")]


# --- capacity and quota --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"]
)
def test_a_stock_out_is_read_from_the_operation_and_the_next_zone_tried(
    lab: Lab, compute: Compute, code: str
) -> None:
    lab.sell_out("us-central1-a", "us-central1-b", code=code)
    [launched] = compute.launch(launch_request(offer=offer(zone="")))
    assert launched.id.startswith("us-central1-c/")
    assert [each.id for each in compute.find("r1-1")] == [launched.id]


def test_the_zones_that_google_names_come_first(lab: Lab, compute: Compute) -> None:
    details = [{"errorInfo": {"metadatas": {"zonesAvailable": "us-central1-c"}}}]
    lab.sell_out("us-central1-a", errorDetails=details)
    [launched] = compute.launch(launch_request(offer=offer(zone="")))
    assert launched.id.startswith("us-central1-c/")
    assert len(inserts(lab)) == 2


def test_no_capacity_in_the_zone_of_the_offer_is_said_at_once(lab: Lab, compute: Compute) -> None:
    lab.sell_out("us-central1-a")
    with pytest.raises(NoCapacity, match="does not have enough resources"):
        compute.launch(launch_request())
    assert len(inserts(lab)) == 1
    assert lab.instances() == []


def test_no_capacity_anywhere_tries_each_zone_once(lab: Lab, compute: Compute) -> None:
    lab.sell_out("us-central1-a", "us-central1-b", "us-central1-c")
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(offer=offer(zone="")))
    assert len(set(inserts(lab))) == len(inserts(lab)) == 3


def test_a_repeated_launch_stays_where_the_first_one_went(lab: Lab, compute: Compute) -> None:
    """Capacity that comes back in the first zone must not tempt the second launch."""
    lab.sell_out("us-central1-a")
    request = launch_request(offer=offer(zone=""))
    first = compute.launch(request)
    lab.gce.sold_out.clear()
    again = lab.provider().compute
    assert again
    assert list(again.launch(request)) == list(first)
    assert len(lab.instances()) == 1


@pytest.mark.parametrize(
    ("reason", "status", "problem"),
    [
        ("quotaExceeded", 403, NoQuota),
        ("forbidden", 403, NotAuthorized),
        ("invalid", 400, InvalidRequest),
        ("somethingNew", 418, ProviderError),
    ],
)
def test_other_refusals_are_not_tried_in_the_next_zone(
    lab: Lab, compute: Compute, reason: str, status: int, problem: type[ProviderProblem]
) -> None:
    lab.cloud.fault("instances.insert", reason=reason, status=status, times=99)
    with pytest.raises(problem, match=reason):
        compute.launch(launch_request(offer=offer(zone="")))
    assert len(inserts(lab)) == 1


def test_a_quota_that_only_the_operation_tells_is_a_quota(lab: Lab, compute: Compute) -> None:
    lab.sell_out("us-central1-a", code="QUOTA_EXCEEDED")
    lab.gce.sold_out["us-central1-a"]["message"] = "Quota 'GPUS_ALL_REGIONS' exceeded. Limit: 0.0"
    with pytest.raises(NoQuota, match="GPUS_ALL_REGIONS"):
        compute.launch(launch_request(offer=offer(zone="")))


# --- gangs ---------------------------------------------------------------------------------------


def test_of_a_gang_that_is_not_whole_the_part_ends_at_once(lab: Lab, compute: Compute) -> None:
    lab.gce.room["us-central1-a"] = 2
    with pytest.raises(NoCapacity):
        compute.launch(launch_request(nodes=4))
    assert len(inserts(lab)) == 4
    lab.wait_for_machines(0)
    assert list(compute.find("r1-1")) == []


def test_a_gang_goes_on_in_the_next_zone_as_a_whole(lab: Lab, compute: Compute) -> None:
    lab.gce.room["us-central1-a"] = 2
    launched = compute.launch(launch_request(nodes=4, offer=offer(zone="")))
    assert {each.id.partition("/")[0] for each in launched} == {"us-central1-b"}
    assert list(compute.find("r1-1")) == list(launched)
    lab.wait_for_machines(4)
    assert list(compute.find("r1-1")) == list(launched)


def test_a_gang_that_is_refused_in_the_middle_ends(lab: Lab, compute: Compute) -> None:
    lab.cloud.fault("instances.insert", status=403, reason="quotaExceeded", place="", skip=2)
    with pytest.raises(NoQuota):
        compute.launch(launch_request(nodes=4))
    assert len(inserts(lab)) == 3
    lab.wait_for_machines(0)


def test_a_part_of_a_gang_whose_launcher_died_is_ended_and_not_returned(
    lab: Lab, compute: Compute
) -> None:
    compute.launch(launch_request(nodes=3))
    name = max(each["name"] for each in lab.instances())
    lab.gce.forget(f"us-central1-a/{name}")
    lab.gce.operations = [each for each in lab.gce.operations if name not in each["targetLink"]]
    stranger = lab.provider().compute
    assert stranger
    assert list(stranger.find("r1-1")) == []
    lab.wait_for_machines(0)


def test_a_gang_that_lost_a_member_is_still_what_was_launched(lab: Lab, compute: Compute) -> None:
    launched = compute.launch(launch_request(nodes=3))
    lab.gce.preempt(launched[1].id)
    lab.wait_for_machines(2)
    assert [each.id for each in compute.find("r1-1")] == [each.id for each in launched]
    assert len(lab.instances()) == 2


# --- answers that are lost -----------------------------------------------------------------------


def test_a_create_call_that_times_out_after_it_succeeded_makes_one_machine(lab: Lab) -> None:
    compute = hasty(lab)
    lab.cloud.fault("instances.insert", hang_seconds=2)
    [launched] = compute.launch(launch_request())
    *_, lost, repeated = inserts(lab)
    assert lost == repeated
    assert len(lab.instances()) == 2, "the warm-up and one"
    assert launched.id in {f"us-central1-a/{each['name']}" for each in lab.instances()}


def test_a_name_that_is_there_although_google_forgot_the_request_is_ours(lab: Lab) -> None:
    """Google knows a request id for an hour or so, and a name for as long as the machine lives."""
    compute = hasty(lab)
    lab.cloud.fault("instances.insert", hang_seconds=2)
    lab.cloud.fault("instances.insert", status=409, reason="alreadyExists")
    [launched] = compute.launch(launch_request())
    assert launched.id in {f"us-central1-a/{each['name']}" for each in lab.instances()}


def test_a_server_error_is_asked_again_under_the_same_id(lab: Lab, compute: Compute) -> None:
    lab.cloud.fault("instances.insert", status=500, reason="internalError", times=2)
    compute.launch(launch_request())
    assert len(inserts(lab)) == 3
    assert len(set(inserts(lab))) == len(lab.instances()) == 1


@pytest.mark.parametrize("text", ["<html>a proxy's page", "[1]"])
def test_an_answer_that_makes_no_sense_is_no_answer(lab: Lab, compute: Compute, text: str) -> None:
    lab.cloud.fault("instances.insert", text=text, times=99)
    with pytest.raises(NoAnswer):
        compute.launch(launch_request())


def test_a_cloud_that_never_answers_is_no_lack_of_capacity(lab: Lab, compute: Compute) -> None:
    lab.cloud.fault("instances.insert", status=500, reason="internalError", times=99)
    with pytest.raises(NoAnswer):
        compute.launch(launch_request(offer=offer(zone="")))
    assert len(set(inserts(lab))) == 1


def test_an_operation_that_does_not_end_is_no_answer_and_found_later(lab: Lab) -> None:
    lab.gce.create_seconds = 0.6
    impatient = lab.provider(replace(PATIENCE, operation_seconds=0.1)).compute
    assert impatient
    with pytest.raises(NoAnswer, match="has not ended"):
        impatient.launch(launch_request(secrets={"A": "b"}))
    assert lab.bootstrap.forgotten == [], "the machine that comes needs them"
    patient = lab.provider().compute
    assert patient
    [found] = patient.find("r1-1")
    assert patient.poll([found.id])[found.id].state is InstanceState.RUNNING
    lab.gce.create_seconds = 0.05


def test_a_machine_that_fails_while_it_is_looked_for_was_never_launched(lab: Lab) -> None:
    lab.gce.create_seconds = 0.3
    lab.sell_out("us-central1-a")
    impatient = lab.provider(replace(PATIENCE, operation_seconds=0.05)).compute
    assert impatient
    with pytest.raises(NoAnswer):
        impatient.launch(launch_request())
    stranger = lab.provider().compute
    assert stranger
    assert list(stranger.find("r1-1")) == []
    lab.gce.create_seconds = 0.05


def test_a_machine_that_was_taken_back_at_once_was_launched_all_the_same(
    lab: Lab, compute: Compute
) -> None:
    """It is billed, and another launch of the token makes no second one."""
    [launched] = compute.launch(launch_request())
    lab.gce.preempt(launched.id)
    lab.wait_for_machines(0)
    stranger = lab.provider().compute
    assert stranger
    assert [each.id for each in stranger.find("r1-1")] == [launched.id]
    assert [each.id for each in stranger.launch(launch_request())] == [launched.id]
    assert lab.instances() == []


def test_launches_at_the_same_moment_share_one_rule(lab: Lab, compute: Compute) -> None:
    launches = [launch_request(f"r{number}-1", run=f"r{number}") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(compute.launch, launches))
    assert len({each.id for [each] in made}) == len(lab.instances()) == 6
    assert len(lab.gce.resources["firewalls"]) == 1


# --- throttling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", ["instances.insert", "instances.aggregatedList", "images.getFromFamily"]
)
@pytest.mark.parametrize(("status", "reason"), [(403, "rateLimitExceeded"), (429, "")])
def test_throttling_is_waited_out(
    lab: Lab, compute: Compute, call: str, status: int, reason: str
) -> None:
    lab.cloud.fault(call, status=status, reason=reason, times=2)
    compute.launch(launch_request())
    assert len(lab.instances()) == 1


def test_throttling_that_does_not_end_is_said(lab: Lab, compute: Compute) -> None:
    lab.cloud.fault("instances.insert", status=403, reason="rateLimitExceeded", times=99)
    with pytest.raises(Throttled):
        compute.launch(launch_request())
    assert lab.instances() == []


# --- what is listed late, and in pages -----------------------------------------------------------


def test_a_fresh_machine_that_is_not_listed_is_unknown(lab: Lab, compute: Compute) -> None:
    [launched] = compute.launch(launch_request())
    lab.cloud.fault("instances.list", empty=True)
    assert launched.id not in compute.poll([launched.id])
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING


def test_a_machine_that_is_listed_late_is_known_from_its_operation(
    lab: Lab, compute: Compute
) -> None:
    lab.cloud.fault("instances.aggregatedList", empty=True, times=3)
    [launched] = compute.launch(launch_request())
    assert launched.pool == offer().pool
    assert len(lab.instances()) == 1


def test_long_lists_come_in_pages(lab: Lab, compute: Compute) -> None:
    lab.cloud.page_size = 2
    launched = compute.launch(launch_request(nodes=5))
    ids = [each.id for each in launched]
    assert list(compute.find("r1-1")) == list(launched)
    assert set(compute.poll(ids)) == set(ids)


def test_a_search_says_when_a_zone_could_not_be_asked(lab: Lab, compute: Compute) -> None:
    """Nothing found in the other zones does not mean that there is nothing."""
    lab.cloud.unreachable = {"us-central1-a"}
    with pytest.raises(NoAnswer, match="us-central1-a"):
        compute.find("somebody-elses")


# --- credentials ---------------------------------------------------------------------------------


def test_credentials_that_end_are_read_anew(lab: Lab, tmp_path: Path) -> None:
    compute = lab.provider().compute
    assert compute
    [launched] = compute.launch(launch_request())
    lab.cloud.expired_tokens = {"first"}
    with pytest.raises(NotAuthorized) as caught:
        compute.poll([launched.id])
    assert "gcloud auth" in str(caught.value.fix)
    assert "canary" not in str(caught.value)
    assert lab.cloud.named("token"), "the library has tried to renew it"
    write_credentials(tmp_path / "login.json", "second")
    assert compute.poll([launched.id])[launched.id].state is InstanceState.RUNNING
