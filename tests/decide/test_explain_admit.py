"""Why the winner wins, and whether a job may start."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finsched.decide.admit import Objection, admit
from finsched.decide.pricing.explain import explain
from finsched.decide.rank import decide
from finsched.model.job import Budget, CheckpointSpec, Dataset, JobSpec, Requirements
from finsched.model.market import Location, Market
from finsched.testing.builders import (
    NOW,
    hazard_prior,
    job,
    machine,
    market,
    offer,
    path,
    spot,
)

SAVED = CheckpointSpec()


def test_nothing_feasible_has_no_explanation() -> None:
    assert explain(decide(job(), market(), now=NOW)) is None


def test_the_only_offer_wins_for_that_reason() -> None:
    explanation = explain(decide(job(), market(offer()), now=NOW))
    assert explanation is not None
    assert explanation.reason == "the only offer that can run this job"
    assert explanation.saved_usd == 0
    assert explanation.lost == ()


def test_each_loser_names_the_part_it_lost_on() -> None:
    near, far, dear = offer(10), offer(9.9, region="eu-north-1"), offer(30, region="us-west-2")
    rough = spot(9.5, zone="rough")
    spec = job(
        checkpoint=CheckpointSpec(every=timedelta(hours=1)),
        inputs=(Dataset(uri="s3://a", location=Location("aws", "us-east-1"), size_gb=5e3),),
    )
    paths = [
        path(Location("aws", "us-east-1"), Location("aws", region), 0.02, gbit_per_second=100)
        for region in ("eu-north-1", "us-west-2")
    ]
    hazards = {rough.pool: hazard_prior(0.5)}
    decision = decide(spec, market(near, far, dear, rough, hazards=hazards, paths=paths), now=NOW)
    explanation = explain(decision)
    assert explanation is not None
    assert explanation.winner.offer == near
    assert explanation.saved_usd == 0
    parts = {each.quote.offer: each.part for each in explanation.lost}
    assert parts == {far: "transfer", rough: "rework", dear: "compute"}
    first = explanation.lost[0]
    assert explanation.reason == (f"${first.extra_usd:,.2f} below the next, mostly on {first.part}")


@given(prices=st.lists(st.floats(1, 100), min_size=1, max_size=6))
def test_no_part_differs_by_more_than_the_sum_of_all(prices: list[float]) -> None:
    offers = [offer(price, zone=str(place)) for place, price in enumerate(prices)]
    explanation = explain(decide(job(), market(*offers), now=NOW))
    assert explanation is not None
    assert len(explanation.lost) == min(3, len(prices) - 1)
    for each in explanation.lost:
        assert each.extra_usd >= 0
        assert each.part_extra_usd >= each.extra_usd / 6 - 1e-9


def test_a_cheaper_machine_of_unknown_size_loses_for_that() -> None:
    unknown = offer(1, instance_type=machine(memory_gib=None, name="cheap"))
    gpus = job().requirements.gpus
    spec = job(requirements=Requirements(gpus=gpus, memory_gib=64))
    explanation = explain(decide(spec, market(offer(9), unknown), now=NOW))
    assert explanation is not None
    assert explanation.reason == "the cheapest offer whose host size is known"
    assert explanation.lost[0].reason == "ranked after known hosts: host memory unknown"


def objections(spec: JobSpec, snapshot: Market, *tags: str) -> list[Objection]:
    admission = admit(spec, decide(spec, snapshot, now=NOW), tags)
    assert admission.allowed == (admission.placement is not None)
    return [each.objection for each in admission.refused]


TAGGED = {"team": "ai", "project": ""}


@pytest.mark.parametrize(
    ("spec", "snapshot", "tags", "expected"),
    [
        pytest.param(job(), market(offer()), (), [], id="nothing stands against it"),
        pytest.param(job(tags=TAGGED), market(offer()), ("team",), [], id="tagged as required"),
        pytest.param(
            job(tags=TAGGED),
            market(offer()),
            ("team", "project", "stage"),
            [Objection.MISSING_TAGS],
            id="an empty tag is missing",
        ),
        pytest.param(job(), market(), (), [Objection.NOTHING_FEASIBLE], id="nothing feasible"),
        pytest.param(
            job(budget=Budget(max_cost_usd=1)),
            market(offer()),
            (),
            [Objection.OVER_THRESHOLD],
            id="all over a threshold",
        ),
        pytest.param(
            job(),
            market(spot()),
            (),
            [Objection.NOTHING_FEASIBLE, Objection.NO_CHECKPOINT],
            id="only spot, long, nothing saved",
        ),
        pytest.param(
            job(hours=None),
            market(spot()),
            (),
            [Objection.NO_CHECKPOINT],
            id="spot of unknown length, nothing saved",
        ),
        pytest.param(job(hours=None, checkpoint=SAVED), market(spot()), (), [], id="saved spot"),
        pytest.param(job(hours=None), market(offer()), (), [], id="on-demand needs no checkpoint"),
    ],
)
def test_admission(
    spec: JobSpec, snapshot: Market, tags: tuple[str, ...], expected: list[Objection]
) -> None:
    assert objections(spec, snapshot, *tags) == expected


def test_the_objection_names_the_tags_and_the_nearest_price() -> None:
    spec = job(budget=Budget(max_hourly_usd=8, max_cost_usd=100))
    admission = admit(spec, decide(spec, market(offer(9), offer(7)), now=NOW), ["team"])
    over, untagged = (each.reason for each in admission.refused)
    nearest = "the nearest: $280.35 is above max_cost $100.00"
    assert over == f"2 offers can run this job, all over a threshold; {nearest}"
    assert untagged == "required tags are missing: team"
