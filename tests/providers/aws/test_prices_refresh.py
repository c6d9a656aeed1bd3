"""`finsched catalog refresh` and `status`, as commands, over HTTP with the real SDK."""

from __future__ import annotations

import json
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.providers.asking import Asker

from . import replay
from .prices_lab import Prices

HANGS_SECONDS = 30.0
REGIONS = ["eu-west-1", "us-east-1", "us-west-2"]
JOB = """
name: fine-tune
resources: {gpu: A100:8}
where: {clouds: [aws], regions: [us-west-2]}
work: {hours: 10}
checkpoint: {path: ckpt, size: 1GB, save_time: 10s}
run: python train.py
"""
HEAVY = """
import sys
import time
import finsched.cli
try:
    finsched.cli.main()
except SystemExit as end:
    assert not end.code, end.code
print(sorted({"boto3", "botocore", "numpy"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled catalog, once for all tests here."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def finsched(prices: Prices, tmp_path: Path, shared_cache: Path) -> Asker:
    """A user whose only cloud is the replay."""
    own_table = f'[aws]\nspot_advisor_url = "{prices.advisor_url}"\n'
    (tmp_path / "config.toml").write_text(f'providers = ["aws", "local"]\n{own_table}')
    (tmp_path / "job.yaml").write_text(JOB)
    prices.steer(regions=REGIONS)
    return Asker(tmp_path, shared_cache)


def document(done: subprocess.CompletedProcess[str], schema: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    if schema:
        text = files("finsched").joinpath(f"schemas/{schema}.json").read_text("utf-8")
        jsonschema.validate(found, json.loads(text))
    return found


def aws_of(done: subprocess.CompletedProcess[str], schema: str) -> dict[str, Any]:
    [found] = [each for each in document(done, schema)["providers"] if each["provider"] == "aws"]
    return dict(found)


def quoted(finsched: Asker, kind: str = "spot") -> list[dict[str, Any]]:
    found = document(finsched("quote", "job.yaml", "--json"), "quote")
    return [each for each in found["quotes"] if each["capacity_type"] == kind]


@pytest.mark.slow
def test_a_quote_after_a_refresh_uses_the_new_prices_and_says_so(finsched: Asker) -> None:
    before = {each["price_usd_per_hour"] for each in quoted(finsched)}
    finsched.refresh("aws")
    after = quoted(finsched)
    expected = {round(0.4 * (1 + zone / 100) * 21.957642, 4) for zone in range(1, 5)}
    assert before.isdisjoint(each["price_usd_per_hour"] for each in after)
    assert {each["price_usd_per_hour"] for each in after} == expected
    evidence = [e for each in after for e in each["evidence"] if e["what"] == "price"]
    assert {(e["source"], e["quality"]) for e in evidence} == {("AWS spot price history", "live")}
    assert "live" in finsched("quote", "job.yaml").stdout


@pytest.mark.slow
def test_a_new_machine_is_found_by_its_gpu_and_that_gpus_memory(
    finsched: Asker, tmp_path: Path
) -> None:
    finsched.refresh()
    assert replay.NEW_MACHINE not in {
        each["instance_type"] for each in quoted(finsched, "on_demand")
    }
    (tmp_path / "job.yaml").write_text(JOB.replace("A100:8", "A100-80GB:8"))
    assert replay.NEW_MACHINE in {each["instance_type"] for each in quoted(finsched, "on_demand")}


@pytest.mark.slow
def test_a_quote_with_live_prices_loads_no_sdk(finsched: Asker) -> None:
    finsched.refresh()
    done = finsched("quote", "job.yaml", "--json", script=HEAVY)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_dead_region_is_told_and_keeps_its_prices(finsched: Asker, prices: Prices) -> None:
    finsched.refresh()
    live = {each["price_usd_per_hour"] for each in quoted(finsched)}
    prices.steer(regions=REGIONS, dead=["us-west-2", "advisor"], factor=1.5)
    done = finsched.refresh("--json")
    answer = aws_of(done, "catalog-refresh")
    assert (answer["regions"], answer["answered"]) == (3, 2)
    assert [each["region"] for each in answer["problems"]] == ["us-west-2", ""]
    assert {each["price_usd_per_hour"] for each in quoted(finsched)} == live
    status = aws_of(finsched("catalog", "status", "--json"), "catalog-status")
    assert status["last_refresh"]["problems"] == answer["problems"]
    assert "us-west-2" in finsched("catalog", "status").stdout
    assert done.stderr == "aws: 3 of 3 regions\n"


@pytest.mark.slow
def test_nothing_at_all_ends_with_5_and_keeps_everything(finsched: Asker, prices: Prices) -> None:
    finsched.refresh()
    live = quoted(finsched)
    prices.steer(regions=REGIONS, dead=[*REGIONS, "advisor"])
    done = finsched.refresh(code=5)
    assert "aws: 0 prices" in done.stdout
    assert "health.aws.amazon.com" in done.stdout  # what to do about it
    assert quoted(finsched) == live


@pytest.mark.slow
def test_the_absurd_is_kept_aside_and_shown(finsched: Asker, prices: Prices) -> None:
    finsched.refresh()
    prices.steer(
        regions=REGIONS,
        prices={
            "us-west-2/usw2-az1/p4d.24xlarge": 0.0,
            "us-west-2/usw2-az2/p4d.24xlarge": 40.0,
            "us-west-2/usw2-az3/p4d.24xlarge": 0.4,
            "us-west-2/usw2-az4/p4d.24xlarge": 9.0,
        },
    )
    done = finsched.refresh("--json")
    aside = {
        each["zone"]: each["reason"] for each in aws_of(done, "catalog-refresh")["quarantined"]
    }
    assert aside.keys() == {"usw2-az1", "usw2-az2", "usw2-az3"}
    assert aside["usw2-az1"] == "not above zero"
    assert aside["usw2-az2"].startswith("spot at 1.82 times on-demand")
    assert "times the last known price" in aside["usw2-az3"]
    assert 9.0 in {each["price_usd_per_hour"] for each in quoted(finsched)}
    assert min(each["price_usd_per_hour"] for each in quoted(finsched)) > 8
    shown = finsched("catalog", "status").stdout
    assert shown.count("aside: ") == 3
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
def test_history_shows_what_refreshes_saw_and_what_the_provider_told(
    finsched: Asker, prices: Prices
) -> None:
    finsched.refresh()
    pool = "aws/usw2-az1/p4d.24xlarge"
    [seen] = live_series(finsched, pool)
    assert (seen["zone"], len(seen["spans"]), seen["daily"]) == ("usw2-az1", 1, False)
    prices.steer(regions=REGIONS, past={"240": 0.5, "480": 0.25})
    finsched.refresh("--history", "--region", "us-west-2")
    [told] = live_series(finsched, pool)
    shares = [
        span["usd_per_gpu_hour"] / told["spans"][-1]["usd_per_gpu_hour"] for span in told["spans"]
    ]
    assert shares == pytest.approx([0.25, 0.5, 1.0], rel=1e-3)
    assert told["spans"][-1]["usd_per_gpu_hour"] == pytest.approx(0.4 * 1.01 * 21.957642 / 8)
    assert told["daily"]
    assert replay.CALLS["GetProducts"] == 1
    assert "usw2-az1" in finsched("history", pool).stdout


def live_series(finsched: Asker, pool: str) -> list[dict[str, Any]]:
    found = document(finsched("history", pool, "--json"), "history")
    return [
        each
        for each in found["prices"]
        if (each["evidence"]["source"], each["capacity_type"]) == ("asked by finsched", "spot")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["local"], 5, "local has no live prices"),
        (["awz"], 2, "did you mean aws?"),
        (["--region", "us-wst-2"], 2, "did you mean us-west-2?"),
    ],
)
def test_what_nobody_can_ask_is_said(
    finsched: Asker, words: list[str], code: int, said: str
) -> None:
    assert said in finsched("catalog", "refresh", *words, code=code).stderr


@pytest.mark.slow
def test_a_cloud_that_hangs_is_left_behind_and_so_is_its_sdk(
    finsched: Asker, prices: Prices
) -> None:
    finsched("catalog", "status")  # compiles the catalog
    prices.steer(regions=REGIONS, latency_seconds=HANGS_SECONDS)
    began = time.monotonic()
    done = finsched("catalog", "refresh", "aws", "--timeout", "2", "--json", code=5)
    assert time.monotonic() - began < HANGS_SECONDS
    said = " ".join(each["problem"] for each in aws_of(done, "catalog-refresh")["problems"])
    assert "no answer within 2 s; --timeout waits longer" in said
