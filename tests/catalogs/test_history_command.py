"""`finsched history`: what it selects, how it prints at 80 columns, the JSON, the mistakes."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from finsched.api.history import History, Recorded, history_in
from finsched.catalog.history import availability, price_history
from finsched.cli import output
from finsched.cli.render.history import MOST_ROWS, print_history
from finsched.cli.render.history_document import document
from finsched.cli.render.sparkline import BLOCKS, FLAT, bar, sparkline
from finsched.decide.offers.hazard import Hazards
from finsched.errors import SpecError
from finsched.experience.recall import recall
from finsched.ledger import Ledger
from finsched.model.history import PriceSeries, PriceSpan
from finsched.model.interruption import Observation
from finsched.model.market import Experience, Market
from finsched.model.run import AttemptEnd
from finsched.settings import LEDGER_FILE
from finsched.testing.builders import NOW, job, spot
from finsched.testing.runs import Story

GOLDEN = Path(__file__).parent / "golden"
MEASURED_POOL = "aws/us-east-1/p3.2xlarge"


@pytest.fixture(scope="module")
def recorded(cache_dir: Path) -> Recorded:
    return Recorded(price_history(cache_dir), availability(cache_dir))


def printed(found: History, *, everything: bool = False) -> str:
    """What is printed when nothing wraps it."""
    stream = io.StringIO()
    print_history(found, Console(file=stream, width=200, highlight=False), everything=everything)
    return stream.getvalue()


# --- what is selected ---------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [False, True])
def test_every_pool_is_found_by_its_name(market: Market, recorded: Recorded, zone: bool) -> None:
    pools = sorted({offer.pool for offer in market.offers if bool(offer.zone) == zone})
    for pool in random.Random(4).sample(pools, 12):
        found = history_in(market, recorded, str(pool))
        places = [(each.provider, each.region) for each in (*found.prices, *found.latest)]
        places += [(each.pool.provider, each.pool.region) for each in found.interruptions]
        assert places, pool
        assert set(places) <= {(pool.provider, pool.region)}, pool


def test_a_price_for_everywhere_is_found_in_any_region(market: Market, recorded: Recorded) -> None:
    everywhere = history_in(market, recorded, "runpod")
    assert {each.region for each in everywhere.prices} == {"*"}
    assert history_in(market, recorded, "runpod/eu-anywhere").prices == everywhere.prices


@pytest.mark.parametrize("narrower", ["aws/us-east-1", "aws/us-east-1/p4d", "gcp/asia-south1"])
def test_a_narrower_name_selects_less(market: Market, recorded: Recorded, narrower: str) -> None:
    few, many = (
        history_in(market, recorded, name) for name in (narrower, narrower.rpartition("/")[0])
    )
    assert few.prices
    assert set(few.prices) <= set(many.prices)
    assert set(few.availability) <= set(many.availability)
    assert {each.pool for each in few.interruptions} <= {each.pool for each in many.interruptions}
    assert len(printed(few, everything=True)) < len(printed(many, everything=True))


def test_gpus_are_selected_and_nothing_else(market: Market, recorded: Recorded) -> None:
    both = history_in(market, recorded, gpus=["a100", "v100-16gb"])
    assert {each.gpu for each in both.prices} == {"A100", "V100"}
    assert {each.gpu for each in both.interruptions} == {"A100", "V100"}
    assert {each.gpu for each in both.availability} == {"V100"}
    alone = history_in(market, recorded, gpus=["A100"])
    assert {each.gpu for each in alone.prices} == {"A100"}


def test_a_zone_name_selects_its_own_trace_and_a_zone_id_the_regions(
    market: Market, recorded: Recorded
) -> None:
    named = history_in(market, recorded, "aws/us-east-1a/p3.2xlarge")
    region = history_in(market, recorded, MEASURED_POOL)
    assert {each.zone for each in named.availability} == {"us-east-1a"}
    assert len(region.availability) > len(named.availability)
    assert named.prices == region.prices


def test_prices_that_moved_come_first(market: Market, recorded: Recorded) -> None:
    changes = [each.changes for each in history_in(market, recorded).prices]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0 == changes[-1]


def test_the_hazard_is_the_one_of_a_quote(market: Market, recorded: Recorded) -> None:
    hazards = Hazards(market)
    for known in history_in(market, recorded, "aws").interruptions:
        zones = [pool for pool in market.hazards if pool._replace(zone="") == known.pool]
        assert {hazards.of(pool).per_hour for pool in zones} == {known.hazard.per_hour}


def test_own_runs_are_shown_apart(market: Market, recorded: Recorded) -> None:
    pool = next(pool for pool in market.hazards if pool.zone and pool.region == "us-east-1")
    seen = Observation(interruptions=2, instance_hours=40.0, day=market.as_of.date())
    taught = replace(market, experience=Experience(observations={pool: [seen]}))
    found = history_in(taught, recorded, f"aws/us-east-1/{pool.instance_type}")
    [own] = [known for known in found.interruptions if known.own.instance_hours]
    assert own.pool == pool
    assert own.own.interruptions == 2
    assert 0 < own.own_share < 1
    assert own.hazard == Hazards(taught).of(pool)
    text = printed(found, everything=True)
    assert f"own runs, weighted by age: 2 in 40 h, {own.own_share:.0%} of the evidence" in text
    assert "own runs" not in printed(history_in(market, recorded, str(pool)), everything=True)


def test_the_ledger_teaches_pools_without_a_job(tmp_path: Path) -> None:
    story = Story(job=job()).launched(spot(4.0, zone="use1-az1")).after(hours=5)
    ledger = Ledger(tmp_path / LEDGER_FILE)
    for record in story.ended(AttemptEnd.INTERRUPTED).records:
        ledger.append("r-1", record.event, record.at)
    ledger.close()
    of_a_job = recall(tmp_path, job(), NOW).experience
    assert of_a_job.observations
    taught = Experience(observations=of_a_job.observations, cooling=of_a_job.cooling)
    assert recall(tmp_path, None, NOW).experience == taught


# --- how it is printed --------------------------------------------------------------------------


@pytest.mark.parametrize("gpu", ["A100-80GB", "V100"])
def test_the_page(market: Market, recorded: Recorded, gpu: str) -> None:
    text = printed(history_in(market, recorded, gpus=[gpu]))
    golden = GOLDEN / f"history_{gpu}.txt"
    if os.environ.get("FINSCHED_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_line_fits_80_columns(market: Market, recorded: Recorded) -> None:
    text = printed(history_in(market, recorded), everything=True)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    sold = sorted({offer.instance_type.gpu for offer in market.offers if offer.instance_type.gpu})
    for gpu in random.Random(6).sample(sold, 12):
        lines = printed(history_in(market, recorded, gpus=[gpu])).splitlines()
        assert [line for line in lines if len(line) > 80] == [], gpu


def test_a_table_is_short_unless_all_is_asked_for(market: Market, recorded: Recorded) -> None:
    found = history_in(market, recorded, gpus=["V100"])
    short, long = printed(found), printed(found, everything=True)
    assert len(found.interruptions) > MOST_ROWS
    assert f"{len(found.interruptions) - MOST_ROWS} more with --all" in short
    assert "more with --all" not in long
    assert all(each.zone in long for each in found.availability)


def test_every_figure_has_an_age(market: Market, recorded: Recorded) -> None:
    for gpu in ("A100-80GB", "V100", "H100"):
        text = printed(history_in(market, recorded, gpus=[gpu]))
        ages = text.replace("\n      ", " ").count(" old")
        sources = text.count("listed") + text.count("estimated") + text.count("measured 20")
        assert ages >= sources >= 2


def test_what_nobody_measured_is_said(market: Market, recorded: Recorded) -> None:
    text = printed(history_in(market, recorded, "lambda"))
    assert "On-demand price over time: not known; cheapest seen" in text
    assert "Spot interruptions: not known, no spot machine is listed" in text
    assert "Spot availability measured: not known" in text
    assert "Spot interruptions not known for gcp: a quote assumes one in 20.0 h" in printed(
        history_in(market, recorded, "gcp")
    )


def test_a_weekday_effect_is_said_with_its_interval(market: Market, recorded: Recorded) -> None:
    series = next(each for each in recorded.prices if each.daily)
    text = printed(history_in(market, Recorded((cheap_on_weekends(series),), ()), "aws"))
    words = " ".join(text.split())
    assert "weekday effect on price: aws us-east-1 A100: S" in words
    assert "against its week (80% interval -" in words
    assert "in 84 days" in words


def cheap_on_weekends(series: PriceSeries) -> PriceSeries:
    chance = random.Random(2)
    days = [date(2026, 1, 5) + timedelta(days=number) for number in range(84)]
    prices = [chance.gauss(2, 0.05) * (0.9 if day.weekday() >= 5 else 1) for day in days]
    spans = tuple(
        PriceSpan(first_day=day, last_day=day, usd_per_gpu_hour=price)
        for day, price in zip(days, prices, strict=True)
    )
    return replace(series, spans=spans)


# --- small plots --------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=30))
def test_a_sparkline_keeps_the_order_of_its_values(values: list[float | None]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    shown = [(value, char) for value, char in zip(values, line, strict=True) if value is not None]
    assert all(char == " " for value, char in zip(values, line, strict=True) if value is None)
    for value, char in shown:
        for other, other_char in shown:
            if FLAT not in line and value <= other:
                assert BLOCKS.index(char) <= BLOCKS.index(other_char)


def test_a_sparkline_spans_all_blocks_and_a_flat_one_none() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == BLOCKS
    assert sparkline([0.1 + 0.2, 0.3]) == FLAT * 2
    assert [bar(0, 4), bar(0.5, 4), bar(1, 4)] == ["░░░░", "██░░", "████"]


# --- for machines, and mistakes -----------------------------------------------------------------


@pytest.mark.parametrize(("pool", "gpus"), [("", []), (MEASURED_POOL, []), ("", ["A100", "H100"])])
def test_the_document_is_as_published(
    market: Market,
    recorded: Recorded,
    pool: str,
    gpus: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = history_in(market, recorded, pool, gpus=gpus)
    output.print_json(document(found))
    published = json.loads(files("finsched").joinpath("schemas/history.json").read_text("utf-8"))
    told = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(told, published, format_checker=jsonschema.FormatChecker())
    assert len(told["prices"]) == len(found.prices)
    assert told.keys() == published["properties"].keys()


def test_rates_of_the_document_agree(market: Market, recorded: Recorded) -> None:
    [known] = document(history_in(market, recorded, MEASURED_POOL))["interruptions"]
    for bound, rate in known["per_hour"].items():
        assert known["per_day"][bound] == pytest.approx(24 * rate)
    assert known["per_hour"]["low"] < known["per_hour"]["mean"] < known["per_hour"]["high"]
    by_age = [each["per_hour"] for each in known["by_age_of_spell"]]
    assert by_age == sorted(by_age, reverse=True)
    assert by_age[0] > known["per_hour"]["mean"] > by_age[-1]


@pytest.mark.parametrize(
    ("pool", "gpus", "nearest"),
    [
        ("awz", [], "aws"),
        ("aws/us-est-1", [], "aws/us-east-1"),
        ("aws/us-east-9/p4d.24xlarge", [], "aws/us-east-1/p4d.24xlarge"),
        ("", ["H1000"], "H100"),
        ("aws", ["MI300X"], "finsched gpus MI300X"),
        ("aws/us-east-1/p4d.24xlarge/spot", [], "provider/region/type"),
    ],
)
def test_mistakes_name_what_is_near(
    market: Market, recorded: Recorded, pool: str, gpus: list[str], nearest: str
) -> None:
    with pytest.raises(SpecError) as caught:
        history_in(market, recorded, pool, gpus=gpus)
    assert nearest in (caught.value.fix or "")
    assert caught.value.exit_code == 2


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "finsched", "history", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_is_plain_when_piped() -> None:
    answer = run("aws/us-east-1", "--gpu", "A100", "--all")
    assert answer.returncode == 0, answer.stderr
    assert "\x1b" not in answer.stdout
    assert answer.stdout.startswith("NVIDIA A100 · 40 GiB\n")
    assert max(map(len, answer.stdout.splitlines())) <= 80


def test_the_command_refuses_what_nobody_knows() -> None:
    answer = run("aws/us-east-9")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "did you mean aws/us-east-" in answer.stderr
