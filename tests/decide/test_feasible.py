"""Which offers are out, with which code and which sentence."""

from __future__ import annotations

from typing import Any

import pytest

from finsched.decide.offers.feasible import feasible
from finsched.decide.rank import decide
from finsched.model.job import CapacityPreference, Dataset, GpuRequest, Requirements, Where
from finsched.model.market import Location, Offer, Tier
from finsched.model.quote import RejectionCode
from finsched.testing.builders import NOW, job, machine, market, offer, spot

EIGHT_A100 = GpuRequest(count=8, name="A100-80GB")


def needs(*gpus: GpuRequest, **hosts: Any) -> dict[str, Any]:
    return {"requirements": Requirements(gpus=gpus or (EIGHT_A100,), **hosts)}


@pytest.mark.parametrize(
    ("spec", "candidate"),
    [
        pytest.param({}, offer(), id="the GPU and the count asked for"),
        pytest.param(
            needs(GpuRequest(count=8, name="H100"), EIGHT_A100), offer(), id="any of the list"
        ),
        pytest.param(needs(GpuRequest(count=8, memory_gib=40)), offer(), id="by memory"),
        pytest.param(
            {"requirements": Requirements()},
            offer(instance_type=machine(gpu=None, gpu_count=0)),
            id="no GPU asked for, a machine without one",
        ),
        pytest.param({"requirements": Requirements()}, offer(), id="no GPU asked for, any fits"),
        pytest.param(needs(memory_gib=1152, vcpus=96), offer(), id="exactly enough host"),
        pytest.param(
            {"where": Where(clouds=("local",))},
            offer(instance_type=machine("local")),
            id="this machine when named",
        ),
    ],
)
def test_it_fits(spec: dict[str, Any], candidate: Offer) -> None:
    kept, rejections = feasible(job(**spec), market(candidate))
    assert [each.offer for each in kept] == [candidate]
    assert rejections == []


@pytest.mark.parametrize(
    ("spec", "candidate", "code", "reason"),
    [
        pytest.param(
            needs(GpuRequest(count=1, name="A100-80GB")),
            offer(),
            RejectionCode.GPU_COUNT,
            "A100-80GB:1 does not match an 8-GPU machine",
            id="a GPU count is exact",
        ),
        pytest.param(
            needs(GpuRequest(count=8, name="H100"), GpuRequest(count=4, name="A100-80GB")),
            offer(),
            RejectionCode.GPU_COUNT,
            "A100-80GB:4 does not match an 8-GPU machine",
            id="the nearest alternative gives the reason",
        ),
        pytest.param(
            needs(GpuRequest(count=8, name="H100"), GpuRequest(count=8, name="H200")),
            offer(),
            RejectionCode.GPU,
            "needs H100:8 or H200:8, has A100-80GB:8",
            id="another GPU",
        ),
        pytest.param(
            {},
            offer(instance_type=machine(gpu=None, gpu_count=0)),
            RejectionCode.GPU,
            "needs A100-80GB:8, has no GPU",
            id="no GPU at all",
        ),
        pytest.param(
            needs(GpuRequest(count=8, memory_gib=141)),
            offer(),
            RejectionCode.GPU_MEMORY,
            "needs 141 GiB per GPU, A100-80GB has 80 GiB",
            id="too little GPU memory",
        ),
        pytest.param(
            needs(GpuRequest(count=8, memory_gib=16)),
            offer(instance_type=machine(gpu="Mystery")),
            RejectionCode.GPU_MEMORY,
            "needs 16 GiB per GPU, Mystery does not say",
            id="GPU memory that nobody knows",
        ),
        pytest.param(
            needs(memory_gib=2000),
            offer(),
            RejectionCode.MEMORY,
            "needs 2000 GiB of host memory, has 1152 GiB",
            id="too little host memory",
        ),
        pytest.param(
            needs(vcpus=128),
            offer(),
            RejectionCode.VCPUS,
            "needs 128 vCPUs, has 96",
            id="too few vCPUs",
        ),
        pytest.param(
            {"where": Where(clouds=("gcp", "azure"))},
            offer(),
            RejectionCode.CLOUD,
            "aws is not among gcp, azure",
            id="a cloud that is not wanted",
        ),
        pytest.param(
            {},
            offer(instance_type=machine("local")),
            RejectionCode.CLOUD,
            "this machine is used only when where.clouds names local",
            id="this machine when not named",
        ),
        pytest.param(
            {"where": Where(regions=("eu-*",))},
            offer(region="*"),
            RejectionCode.REGION,
            "aws does not say in which region; needs eu-*",
            id="an unknown region fails a region filter",
        ),
        pytest.param(
            {"where": Where(residency=("eu",))},
            offer(region="*"),
            RejectionCode.RESIDENCY,
            "compute must stay in eu, aws does not say in which region",
            id="an unknown region fails residency",
        ),
        pytest.param(
            {"capacity": CapacityPreference.ON_DEMAND},
            spot(),
            RejectionCode.CAPACITY_TYPE,
            "needs on_demand capacity, is spot",
            id="spot when on-demand is asked for",
        ),
        pytest.param(
            {},
            offer(tier=Tier.FLEX_START),
            RejectionCode.TIER,
            "queued capacity: starts when there is some",
            id="queued capacity",
        ),
        pytest.param(
            {},
            offer(tier=Tier.CALENDAR),
            RejectionCode.TIER,
            "reserved ahead for a date: cannot start now",
            id="capacity reserved ahead",
        ),
    ],
)
def test_it_is_out(
    spec: dict[str, Any], candidate: Offer, code: RejectionCode, reason: str
) -> None:
    kept, rejections = feasible(job(**spec), market(candidate))
    assert kept == []
    assert [(each.code, each.reason) for each in rejections] == [(code, reason)]


def test_data_outside_the_residency_rejects_everything_with_one_clear_note() -> None:
    lake = Dataset(uri="s3://lake", location=Location("aws", "us-east-1"), size_gb=1)
    spec = job(where=Where(residency=("eu",)), inputs=(lake,))
    decision = decide(spec, market(offer(region="eu-north-1"), offer()), now=NOW)
    problem = "input s3://lake must stay in eu, is in aws/us-east-1"
    assert {each.reason for each in decision.rejections} == {problem}
    assert len(decision.rejections) == 2
    assert decision.notes == (f"no offer can help: {problem}",)


def test_an_unknown_host_size_is_kept_marked_and_ranked_last() -> None:
    unknown = offer(1.0, instance_type=machine(memory_gib=None, name="cheap"))
    known = offer(50.0)
    decision = decide(job(**needs(memory_gib=512)), market(unknown, known), now=NOW)
    assert [quote.offer for quote in decision.quotes] == [known, unknown]
    assert "host memory unknown" in decision.quotes[1].marks
    assert decision.quotes[0].marks == ()


def test_an_unknown_host_size_does_not_matter_to_a_job_that_asks_for_none() -> None:
    unknown = offer(1.0, instance_type=machine(memory_gib=None, vcpus=None, name="cheap"))
    decision = decide(job(), market(offer(50.0), unknown), now=NOW)
    assert decision.quotes[0].offer == unknown
    assert decision.quotes[0].marks == ()
