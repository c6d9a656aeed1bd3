"""The past changes the next quote: its numbers, its sources and its words."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from finsched import quoting
from finsched.cli.render.quote_summary import sections
from finsched.cli.render.quote_table import print_sections
from finsched.ledger import Ledger
from finsched.model.evidence import Quality
from finsched.model.job import CheckpointSpec, JobSpec
from finsched.model.market import Location, Market, Offer
from finsched.model.quote import Decision
from finsched.model.run import AttemptEnd
from finsched.settings import LEDGER_FILE, Settings
from finsched.testing.builders import NOW, hazard_prior, job, machine, market, offer, spot, terms
from finsched.testing.runs import Story

JOB = job(hours=40, checkpoint=CheckpointSpec(location=Location("aws", "us-east-1")))
ZONE_A, ZONE_B = spot(4.0, zone="a"), spot(4.0, zone="b")
HOPPER = offer(30.0, instance_type=machine(name="p5.48xlarge", gpu="H100"))
PRIORS = {each.pool: hazard_prior(0.05, shape=2) for each in (ZONE_A, ZONE_B)}


def sold(*offers: Offer) -> Market:
    return market(*offers, hazards=PRIORS, provider_terms=[terms(boot=timedelta(minutes=3))])


def after(tmp_path: Path, *stories: Story, spec: JobSpec = JOB, of: Market) -> Decision:
    """Decide in a market that has heard of these runs."""
    ledger = Ledger(tmp_path / LEDGER_FILE)
    for number, story in enumerate(stories):
        for record in story.records:
            ledger.append(f"r-{number}", record.event, record.at)
    ledger.close()
    settings = Settings(state_dir=tmp_path, cache_dir=tmp_path, store=tmp_path.as_uri())
    heard = quoting.with_experience(spec, of, settings)
    return quoting.quote_in(spec, heard, now=NOW, discounts={})


def words(decision: Decision) -> str:
    out = io.StringIO()
    print_sections(Console(file=out, width=80), sections(JOB, decision), best=decision.best)
    return " ".join(out.getvalue().split())


def finished(hours: float, on: Offer) -> Story:
    story = Story(job=JOB).launched(on).after(hours=hours).progressed(1.0)
    return story.ended(AttemptEnd.FINISHED).finished()


def test_without_a_past_nothing_is_measured(tmp_path: Path) -> None:
    decision = quoting.quote_in(JOB, sold(ZONE_A), now=NOW, discounts={})
    assert "stated work" not in words(decision)
    assert after(tmp_path, of=sold(ZONE_A)) == decision


def test_a_finished_run_tells_the_next_quote_how_long_it_takes(tmp_path: Path) -> None:
    decision = after(tmp_path, finished(50.0, ZONE_A), of=sold(ZONE_A))
    assert decision.best is not None
    assert decision.best.hours.work == pytest.approx(50.0)
    assert decision.best.speedup == pytest.approx(0.8)
    said = words(decision)
    assert "0.8 h of the stated work an hour; A100-80GB in this job: 1 own attempt," in said
    assert "measured 2026-06-17" in said


def test_a_measured_gpu_replaces_the_datasheets_and_their_caution(tmp_path: Path) -> None:
    either = replace(JOB, requirements=job().requirements)
    either = replace(
        either,
        requirements=replace(
            either.requirements,
            gpus=(*either.requirements.gpus, replace(either.requirements.gpus[0], name="H100")),
        ),
    )
    guessed = quoting.quote_in(either, sold(HOPPER), now=NOW, discounts={}).best
    measured = after(tmp_path, finished(10.0, HOPPER), spec=either, of=sold(HOPPER)).best
    assert guessed is not None
    assert measured is not None
    assert guessed.marks == ("speed of H100 estimated from datasheets",)
    assert measured.marks == ()
    assert measured.hours.work == pytest.approx(10.0)


def test_a_pool_that_took_machines_back_loses_to_its_sibling(tmp_path: Path) -> None:
    stories = [
        Story(job=JOB).launched(ZONE_A).after(hours=2).ended(AttemptEnd.INTERRUPTED)
        for _ in range(3)
    ]
    decision = after(tmp_path, *stories, of=sold(ZONE_A, ZONE_B))
    first, second = decision.quotes
    assert (first.offer.zone, second.offer.zone) == ("b", "a")
    assert second.hazard.per_hour > first.hazard.per_hour > 0.05
    assert second.hazard.evidence.source == "6 own hours and test"
    assert "own runs in sibling zones" in first.hazard.evidence.note


def test_own_starts_move_the_start_of_that_machine_alone(tmp_path: Path) -> None:
    slow = Story(job=JOB).launched(offer(10.0))
    started = slow.records.pop()
    slow.after(minutes=15).tell(started.event).after(hours=1).ended(AttemptEnd.STOPPED)
    both = sold(offer(10.0), offer(11.0, instance_type=machine(name="other")))
    same, other = after(tmp_path, slow, of=both).quotes
    assert same.hours.restart == pytest.approx((2 * 3 + 15) / 3 / 60)
    assert other.hours.restart == pytest.approx(3 / 60)
    boot = next(each for each in same.evidence if each.what == "boot time")
    assert (boot.source, boot.quality) == ("1 own start", Quality.MEASURED)


def test_a_damaged_ledger_is_said_and_the_quote_stands(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_bytes(b"a letter" * 500)
    settings = Settings(state_dir=tmp_path, cache_dir=tmp_path, store=tmp_path.as_uri())
    heard = quoting.with_experience(JOB, sold(ZONE_A), settings)
    decision = quoting.quote_in(JOB, heard, now=NOW, discounts={})
    assert decision.quotes == quoting.quote_in(JOB, sold(ZONE_A), now=NOW, discounts={}).quotes
    assert "note" in words(decision)
    assert "quoted without what our own runs teach" in words(decision)
