from __future__ import annotations

from datetime import date, timedelta

from finsched.decide.rank import decide
from finsched.decide.timing.cheaper_times import cheaper_times
from finsched.model.history import PriceSeries, PriceSpan
from finsched.model.market import CapacityType, Tier
from finsched.model.quote import Decision
from finsched.testing.builders import NOW, evidence, job, market, offer

MONDAY = date(2026, 1, 5)
LEVEL = "the time of start: no measurable effect of the weekday in "


def followed(
    weeks: int,
    tuesday: float = 10.0,
    *,
    provider: str = "aws",
    region: str = "us-east-1",
    gpu: str = "A100-80GB",
    capacity_type: CapacityType = CapacityType.ON_DEMAND,
    daily: bool = True,
) -> PriceSeries:
    """A price that was $10 on every day but Tuesdays."""
    days = [MONDAY + timedelta(days=number) for number in range(7 * weeks)]
    prices = [tuesday if day.weekday() == 1 else 10.0 for day in days]
    return PriceSeries(
        provider=provider,
        region=region,
        instance_type="",
        gpu=gpu,
        gpu_count=1,
        capacity_type=capacity_type,
        tier=Tier.STANDARD,
        daily=daily,
        spans=tuple(
            PriceSpan(first_day=day, last_day=day, usd_per_gpu_hour=price)
            for day, price in zip(days, prices, strict=True)
        ),
        evidence=evidence(),
    )


def decision(below: float | None = None) -> Decision:
    return decide(job(scavenge_below_usd_per_hour=below), market(offer(10.0)), now=NOW)


def test_a_cheaper_weekday_is_named_with_its_evidence() -> None:
    assert cheaper_times(decision(), [followed(10), followed(10, tuesday=9.0)]) == (
        "the time of start: aws us-east-1 A100-80GB on_demand costs 8.6 % less on a Tuesday than "
        "in the mean of its week (10 full weeks)"
    )


def test_no_effect_is_said_with_the_evidence_that_there_is() -> None:
    assert cheaper_times(decision(), [followed(10)]) == (
        f"{LEVEL}1 price, followed daily (10 full weeks)"
    )
    assert cheaper_times(decision(), [followed(2, tuesday=5.0), followed(3)]) == (
        f"{LEVEL}2 prices, followed daily (3 full weeks, 6 are needed)"
    )


def test_prices_of_what_does_not_fit_tell_nothing() -> None:
    others = [
        followed(10, tuesday=5.0, provider="gcp"),
        followed(10, tuesday=5.0, region="eu-north-1"),
        followed(10, tuesday=5.0, gpu="H100"),
        followed(10, tuesday=5.0, capacity_type=CapacityType.SPOT),
        followed(10, tuesday=5.0, daily=False),
    ]
    unknown = "the time of start: no measured effect is known, no price here was followed daily"
    assert cheaper_times(decision(), others) == unknown


def test_the_price_of_all_regions_counts_and_so_do_offers_too_dear_at_present() -> None:
    anywhere = followed(10, tuesday=9.0, region="*")
    assert "on a Tuesday" in cheaper_times(decision(below=5.0), [anywhere])
