"""Whatever a cloud answers for a price, only a price is believed."""

from __future__ import annotations

import math
from datetime import timedelta

from hypothesis import strategies as st

from finsched.api.hearing import Heard
from finsched.api.sifting import Sieve
from finsched.model.market import CapacityType, InstanceType, Offer, Tier
from finsched.provider import PriceAnswer, PriceChange
from finsched.testing.builders import NOW, evidence, machine, market, offer

from .fuzzing import fuzz

KNOWN = market(*(offer(usd, instance_type=machine(name)) for name in "abcd" for usd in (1.0, 9.0)))
PRICES = st.sampled_from([0.0, -1.0, 5e-324, 1e308, math.nan, math.inf, -math.inf]) | st.floats()
NAMES = st.sampled_from(["a", "", "A100", "p4de.24xlarge", "x" * 300, "\ud800"]) | st.text(
    max_size=9
)
MACHINES = st.builds(
    InstanceType,
    provider=st.sampled_from(["aws", "", "vast"]),
    name=NAMES,
    gpu=st.none() | NAMES,
    gpu_count=st.integers(0, 2**40),
    gpu_memory_gib=st.none() | PRICES,
    memory_gib=st.none() | PRICES,
)
OFFERS = st.builds(
    Offer,
    instance_type=MACHINES,
    region=NAMES,
    zone=NAMES,
    capacity_type=st.sampled_from(CapacityType),
    tier=st.sampled_from(Tier),
    price_usd_per_hour=PRICES,
    evidence=st.just(evidence()),
)
CHANGES = st.builds(
    PriceChange,
    instance_type=MACHINES,
    region=NAMES,
    zone=NAMES,
    capacity_type=st.sampled_from(CapacityType),
    at=st.integers(-9999, 9999).map(lambda hours: NOW + timedelta(hours=hours)),
    price_usd_per_hour=PRICES,
)
ANSWERS = st.builds(
    PriceAnswer,
    region=NAMES,
    offers=st.lists(OFFERS, max_size=5).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    problems=st.lists(st.text(max_size=9), max_size=2).map(tuple),
    only_where_known=st.booleans(),
)


@fuzz(st.lists(ANSWERS, max_size=3).map(tuple), st.lists(NAMES, max_size=2))
def test_no_price_is_believed_that_is_none(
    answers: tuple[PriceAnswer, ...], accept: list[str]
) -> None:
    heard = Heard(
        provider="aws",
        asked_at=NOW,
        seconds=1.0,
        regions=len(answers),
        answers=answers,
        priors=None,
        problems=(),
    )
    taken = Sieve(KNOWN, accept).taken(heard)
    prices = [each.price_usd_per_hour for each in taken.sifted.accepted]
    prices += [each.price_usd_per_hour for each in taken.changes]
    assert all(math.isfinite(usd) and usd > 0 for usd in prices)
