"""The parts of one quote: billing, speed, refusals with their dollars, deadlines, thresholds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from finsched.decide.pricing.cost import billed_hours
from finsched.decide.rank import decide
from finsched.model.job import Budget, CheckpointSpec, GpuRequest, JobSpec, Requirements, Work
from finsched.model.market import BillingRule, Market, Offer
from finsched.model.quote import Basis, Quote, RejectionCode
from finsched.testing.builders import NOW, hazard_prior, job, machine, market, offer, spot, terms

SAVED = CheckpointSpec(save_time=timedelta(minutes=1))
EIGHT_ANY = (GpuRequest(count=8, name="A100-80GB"), GpuRequest(count=8, name="H100"))


def only_quote(spec: JobSpec, snapshot: Market) -> Quote:
    decision = decide(spec, snapshot, now=NOW)
    assert not decision.rejections, decision.rejections[0].reason
    return decision.quotes[0]


def only_rejection(spec: JobSpec, *offers: Offer, **fields: object) -> tuple[RejectionCode, str]:
    decision = decide(spec, market(*offers, **fields), now=NOW)  # type: ignore[arg-type]
    assert len(decision.rejections) == 1
    return decision.rejections[0].code, decision.rejections[0].reason


@pytest.mark.parametrize(
    ("rule", "hours", "interruptions", "billed"),
    [
        pytest.param(BillingRule(), 0.001, 0, 1 / 60, id="the minimum"),
        pytest.param(BillingRule(), 2.5, 0, 2.5, id="by the second"),
        pytest.param(BillingRule(granularity_seconds=3600), 2.1, 0, 3, id="by the hour"),
        pytest.param(BillingRule(granularity_seconds=3600), 3.0, 0, 3, id="a full hour is one"),
        pytest.param(
            BillingRule(granularity_seconds=3600), 2.1, 2, 4, id="half an hour per interruption"
        ),
    ],
)
def test_billed_hours(rule: BillingRule, hours: float, interruptions: float, billed: float) -> None:
    assert billed_hours(rule, hours, interruptions) == pytest.approx(billed)


def test_on_demand_with_a_checkpoint_costs_the_work_one_save_and_one_start() -> None:
    quote = only_quote(job(hours=40, checkpoint=SAVED), market(offer(60)))
    assert quote.hours.expected == pytest.approx(40 + 1 / 60 + 3 / 60)
    assert quote.cost.compute_usd == pytest.approx(2400, abs=0.02)
    assert quote.cost.checkpoint_usd == pytest.approx(1)
    assert quote.cost.startup_usd == pytest.approx(3)
    assert quote.cost.rework_usd == 0


def test_a_stated_speed_goes_before_the_datasheet() -> None:
    h100 = offer(10, instance_type=machine(name="p5", gpu="H100"))
    work = Work(hours=44, reference="A100-80GB", speedup={"H100": 2.2})
    quote = only_quote(job(gpus=EIGHT_ANY, work=work), market(h100))
    assert (quote.speedup, quote.hours.work) == (2.2, pytest.approx(20))
    assert not quote.marks


def test_the_datasheet_promises_no_more_than_the_slower_of_compute_and_memory() -> None:
    h100 = offer(10, instance_type=machine(name="p5", gpu="H100"))
    quote = only_quote(job(gpus=EIGHT_ANY), market(h100))
    assert quote.speedup == pytest.approx(3350 / 2039)
    assert quote.marks == ("speed of H100 estimated from datasheets",)


def test_half_the_gpus_of_the_reference_take_twice_as_long() -> None:
    four = GpuRequest(count=4, name="A100-80GB")
    spec = job(gpus=(*EIGHT_ANY, four))
    quote = only_quote(spec, market(offer(instance_type=machine(gpu_count=4))))
    assert quote.hours.work == pytest.approx(80)
    assert quote.marks == ("linear scaling from 8 to 4 GPUs assumed",)


def test_a_gpu_without_datasheet_has_no_known_speed() -> None:
    spec = job(gpus=(*EIGHT_ANY, GpuRequest(count=8, name="K80")))
    code, reason = only_rejection(spec, offer(instance_type=machine(gpu="K80")))
    assert code is RejectionCode.SPEED_UNKNOWN
    assert reason == "no datasheet compares K80 with A100-80GB; declare work.speedup.K80"


def test_all_nodes_are_paid_and_each_can_be_interrupted() -> None:
    one, four = (
        only_quote(
            job(requirements=Requirements(gpus=EIGHT_ANY, nodes=nodes), checkpoint=SAVED),
            market(candidate := spot(5), hazards={candidate.pool: hazard_prior(0.01)}),
        )
        for nodes in (1, 4)
    )
    assert four.price_usd_per_hour == 20
    assert four.cost.compute_usd == pytest.approx(4 * one.cost.compute_usd)
    assert four.expected_interruptions > 4 * one.expected_interruptions
    assert four.hazard == one.hazard


def test_long_spot_without_a_checkpoint_is_refused_with_the_loss() -> None:
    candidate = spot(10)
    code, reason = only_rejection(
        job(hours=40), candidate, hazards={candidate.pool: hazard_prior(0.02)}
    )
    assert code is RejectionCode.NO_CHECKPOINT
    # M e^(R/M) (e^(W/M) - 1) - W = 50 e^0.001 (e^0.8 - 1) - 40 = 21.34 hours lost at $10.
    assert reason == (
        "40 h of work without a checkpoint, an interruption every 50 h: expected loss $213.38"
    )


def test_short_spot_without_a_checkpoint_is_quoted_and_marked() -> None:
    candidate = spot(10)
    hazards = {candidate.pool: hazard_prior(0.02)}
    quote = only_quote(job(hours=9), market(candidate, hazards=hazards))
    assert quote.marks == ("no checkpoint: an interruption loses everything",)


@pytest.mark.parametrize("hazard", [2.0, 500.0], ids=["a finite loss", "a loss beyond numbers"])
def test_a_run_that_never_ends_is_rejected_with_the_loss(hazard: float) -> None:
    candidate = spot(10)
    spec = job(checkpoint=CheckpointSpec(every=timedelta(hours=6)))
    code, reason = only_rejection(spec, candidate, hazards={candidate.pool: hazard_prior(hazard)})
    assert code is RejectionCode.NEVER_FINISHES
    assert "expected loss" in reason
    assert "$" in reason


def test_spot_dearer_than_on_demand_is_never_called_a_saving() -> None:
    """The AWS spot advisor of 2025-06-28 has p5.48xlarge in ca-central-1 at -62 %."""
    p5 = machine(name="p5.48xlarge", gpu="H100")
    on_demand = offer(100, instance_type=p5, region="ca-central-1")
    dearer = spot(162, instance_type=p5, region="ca-central-1", zone="cac1-az1")
    spec = job(gpus=EIGHT_ANY, checkpoint=SAVED)
    decision = decide(spec, market(on_demand, dearer), now=NOW)
    assert [quote.offer for quote in decision.quotes] == [on_demand]
    assert decision.rejections[0].code is RejectionCode.SPOT_ABOVE_ON_DEMAND
    assert "a saving of -62 %" in decision.rejections[0].reason


def test_spot_dearer_than_on_demand_elsewhere_is_a_price_like_any_other() -> None:
    far = offer(1, region="eu-north-1")
    decision = decide(job(checkpoint=SAVED), market(far, spot(4)), now=NOW)
    assert len(decision.quotes) == 2


@pytest.mark.parametrize("hours", [None, 40])
def test_storage_is_that_of_as_many_checkpoints_as_are_kept(hours: float | None) -> None:
    snapshot = market(spot(8), provider_terms=[terms(storage_usd_per_gb_month=0.02)])
    usd = [
        decide(
            job(hours=hours, checkpoint=CheckpointSpec(size_gb=100, keep=keep)), snapshot, now=NOW
        )
        .quotes[0]
        .cost.storage_usd
        for keep in (1, 2, 5)
    ]
    assert usd == pytest.approx([usd[0], 2 * usd[0], 5 * usd[0]])
    assert usd[0] > 0


def test_without_work_amounts_are_per_hour() -> None:
    saved = CheckpointSpec(size_gb=365, save_time=timedelta(minutes=1))
    snapshot = market(spot(8), provider_terms=[terms(storage_usd_per_gb_month=0.02)])
    spec = job(hours=None, checkpoint=saved, budget=Budget(max_cost_usd=1))
    decision = decide(spec, snapshot, now=NOW)
    quote = decision.quotes[0]
    assert decision.basis is quote.basis is Basis.HOUR
    assert (quote.cost.compute_usd, quote.hours.expected) == (8, 1)
    assert quote.cost.storage_usd == pytest.approx(2 * 365 * 0.02 / 730)
    assert quote.checkpoint_every_seconds is not None
    assert decision.notes == ("max_cost cannot be checked before the run: work.hours is not set",)


@pytest.mark.parametrize(
    ("budget", "code", "reason"),
    [
        (Budget(max_hourly_usd=9), RejectionCode.MAX_HOURLY, "$10.00/h is above max_hourly $9.00"),
        (Budget(max_cost_usd=400), RejectionCode.MAX_COST, "$400.50 is above max_cost $400.00"),
    ],
    ids=["by the hour", "by the run"],
)
def test_a_threshold_rejects_and_keeps_the_quote(
    budget: Budget, code: RejectionCode, reason: str
) -> None:
    decision = decide(job(budget=budget), market(offer(10)), now=NOW)
    (rejection,) = decision.rejections
    assert (rejection.code, rejection.reason) == (code, reason)
    assert rejection.quote is not None
    assert rejection.quote.total_usd == pytest.approx(400.5)


def test_on_demand_that_cannot_meet_the_deadline_is_out() -> None:
    code, reason = only_rejection(job(hours=40, deadline=timedelta(hours=39)), offer())
    assert (code, reason) == (RejectionCode.DEADLINE, "needs 40 h, the deadline leaves 39 h")


def test_a_deadline_may_be_a_moment() -> None:
    code, _ = only_rejection(job(hours=40, deadline=NOW + timedelta(hours=39)), offer())
    assert code is RejectionCode.DEADLINE
    only_quote(job(hours=40, deadline=NOW + timedelta(hours=41)), market(offer()))


def test_the_way_out_of_a_late_spot_run_is_part_of_the_number() -> None:
    candidate = spot(4)
    hazards = {candidate.pool: hazard_prior(0.2)}
    snapshot = market(offer(10), candidate, hazards=hazards)
    quotes = {}
    for hours in (43, 50, 1000):
        decision = decide(
            job(hours=40, checkpoint=SAVED, deadline=timedelta(hours=hours)), snapshot, now=NOW
        )
        quotes[hours] = next(each for each in decision.quotes if each.offer == candidate)
    assert quotes[43].deadline_probability < 0.2
    assert 0.9 < quotes[50].deadline_probability < 1
    assert quotes[1000].deadline_probability == 1
    assert quotes[43].total_usd > quotes[50].total_usd >= quotes[1000].total_usd
    assert "for an on-demand finish" in quotes[43].marks[-1]


def test_late_spot_without_any_way_out_is_rejected() -> None:
    candidate = spot(4)
    spec = job(hours=40, checkpoint=SAVED, deadline=timedelta(hours=43))
    code, _ = only_rejection(spec, candidate, hazards={candidate.pool: hazard_prior(0.2)})
    assert code is RejectionCode.DEADLINE
