"""Which single changes to a job are advised when nothing can run it."""

from __future__ import annotations

from finsched.model.job import Dataset, Where
from finsched.model.market import Location
from finsched.relaxing import DROP_RESIDENCY, relaxations
from finsched.testing.builders import NOW, job, market, offer

ELSEWHERE = market(offer(region="us-east-1"))
EU = Where(residency=("eu",))


def test_a_machine_outside_lets_the_residency_be_dropped() -> None:
    advice = [each.change for each in relaxations(job(where=EU), ELSEWHERE, now=NOW)]
    assert advice == [DROP_RESIDENCY]


def test_data_that_is_nowhere_is_never_helped_by_dropping_the_residency() -> None:
    for location in (None, Location("aws", ""), Location("aws", "us-east-1")):
        lake = Dataset(uri="s3://lake", location=location, size_gb=1)
        assert not list(relaxations(job(where=EU, outputs=(lake,)), ELSEWHERE, now=NOW))
