"""The interval by the machine's age: from a quote to the node's document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from finsched.decide.live.freshness import stale
from finsched.decide.rank import decide
from finsched.ledger import Ledger
from finsched.model.codec import decode, encode
from finsched.model.event import Submitted
from finsched.model.job import CheckpointSpec, JobSpec
from finsched.model.run import Placement
from finsched.node.config import NodeConfig
from finsched.provider import Instance, InstanceStatus, LaunchRequest, Provider
from finsched.run.clock import anchored
from finsched.run.journal import Journal
from finsched.run.launching import LaunchTerms, launch
from finsched.run.placing import placement
from finsched.testing.builders import NOW, hazard_prior, job, market, offer, spot
from finsched.testing.runs import Story
from finsched_local.prices import LocalPrices

SAVES = CheckpointSpec(path="ckpt", size_gb=1, save_time=timedelta(seconds=60))


def placed(spec: JobSpec, *, on_demand: bool = False) -> Placement:
    cheap = offer(1.0) if on_demand else spot(1.0)
    snapshot = market(cheap, hazards={cheap.pool: hazard_prior(0.2)})
    [quote] = decide(spec, snapshot, now=NOW).quotes
    return placement(spec, quote, snapshot)


def test_a_young_machine_saves_more_often_than_quoted_and_an_old_one_less() -> None:
    chosen = placed(job(checkpoint=SAVES))
    intervals = [every for _, every in chosen.checkpoint_cadence]
    assert chosen.checkpoint_cadence[0][0] == 0
    assert intervals == sorted(intervals)
    assert chosen.checkpoint_every_seconds is not None
    assert intervals[0] < chosen.checkpoint_every_seconds < intervals[-1] <= 7200
    assert chosen.checkpoint_every_at(timedelta(0)) == intervals[0]
    assert chosen.checkpoint_every_at(timedelta(days=1)) == intervals[-1]


@pytest.mark.parametrize(
    ("spec", "on_demand"),
    [
        (job(checkpoint=replace(SAVES, every=timedelta(minutes=7))), False),
        (job(checkpoint=SAVES), True),
        (job(hours=1), False),
    ],
    ids=["declared", "on demand", "no checkpoint"],
)
def test_what_is_declared_or_never_interrupted_has_no_ages(spec: JobSpec, on_demand: bool) -> None:
    chosen = placed(spec, on_demand=on_demand)
    assert chosen.checkpoint_cadence == ()
    assert chosen.checkpoint_every_at(timedelta(hours=5)) == chosen.checkpoint_every_seconds


def test_the_table_goes_through_the_ledger() -> None:
    chosen = placed(job(checkpoint=SAVES))
    assert decode(Placement, json.loads(json.dumps(encode(chosen)))) == chosen


class Recorder:
    """Takes launch requests and has machines for all of them."""

    def __init__(self) -> None:
        self.requests: list[LaunchRequest] = []

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        self.requests.append(request)
        return [Instance(id="i-1", pool=request.offer.pool, created_at=NOW)]

    def find(self, token: str) -> Sequence[Instance]:
        return []

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        return {}

    def terminate(self, instance_id: str) -> None:
        return


def document(chosen: Placement, spec: JobSpec, folder: Path, speed: float) -> NodeConfig:
    """What a node is told of this placement."""
    ledger, recorder = Ledger(folder / "ledger.sqlite"), Recorder()
    ledger.append("r-1", Submitted(job=spec, store_uri=f"file://{folder}"), NOW)
    provider = Provider(name="local", prices=LocalPrices(1.0), compute=recorder)
    terms = LaunchTerms(installation="tests", lease=timedelta(minutes=1))
    launch(Journal(ledger, "r-1"), provider, anchored(NOW, speed), terms, chosen)
    return NodeConfig.from_document(recorder.requests[0].node_config)


def test_a_rehearsal_passes_the_ages_at_its_speed(tmp_path: Path) -> None:
    spec = job(checkpoint=SAVES)
    chosen = placed(spec)
    checkpoint = document(chosen, spec, tmp_path, speed=100.0).checkpoint
    assert checkpoint is not None
    scaled = [(age / 100, every / 100) for age, every in chosen.checkpoint_cadence]
    assert list(checkpoint.cadence.steps) == scaled


def test_an_interval_without_ages_stays_a_number(tmp_path: Path) -> None:
    spec = job(checkpoint=replace(SAVES, every=timedelta(minutes=7)))
    checkpoint = document(placed(spec), spec, tmp_path, speed=1.0).checkpoint
    assert checkpoint is not None
    assert checkpoint.cadence.steps == ((0.0, 420.0),)


def test_a_commit_grows_stale_by_the_interval_of_the_age() -> None:
    cadence = ((0.0, 300.0), (3600.0, 3000.0))
    young = Story(job=job(checkpoint=SAVES)).launched(checkpoint_cadence=cadence)
    assert stale(young.run, young.after(seconds=721).now)
    old = Story(job=job(checkpoint=SAVES)).launched(checkpoint_cadence=cadence)
    old.after(seconds=3600).committed()
    assert stale(old.run, old.after(seconds=721).now) is None
    assert stale(old.run, old.after(seconds=5400).now)
