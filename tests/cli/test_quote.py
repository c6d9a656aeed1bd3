"""`finsched quote` as a user runs it, on the bundled market."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched import catalog
from finsched.model.market import Location

LORA = """\
name: lora
resources: {gpu: ["A100-80GB:8", "H100:8"], memory: 256GiB}
where: {regions: [us-*, eu-*]}
work: {hours: 40, reference: A100-80GB}
deadline: 72h
data:
  inputs: [{uri: s3://lake/tokens, region: aws/us-east-1, size: 500GB}]
checkpoint: {uri: s3://ckpt/lora, size: 16GB, save_time: 60s}
run: python train.py
"""
UNSAVED = 'resources: {gpu: "A100:1"}\nwork: {hours: 200}\ncapacity: spot\nrun: python train.py\n'
HOURLY = 'resources: {gpu: "H100:1"}\nrun: python train.py\n'
HEAVY_MODULES = ("numpy", "boto3", "botocore", "google.cloud", "azure", "sky", "obstore", "httpx")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Run:
    def quote(job: str, *flags: str, config: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "job.yaml").write_text(job, encoding="utf-8")
        (tmp_path / "config.toml").write_text(config, encoding="utf-8")
        variables = {
            "HOME": str(home),
            "FINSCHED_CACHE_DIR": str(home / "cache"),
            "FINSCHED_STATE_DIR": str(home / "state"),
            "FINSCHED_CONFIG": str(tmp_path / "config.toml"),
        }
        return subprocess.run(
            [sys.executable, "-m", "finsched", "quote", "job.yaml", *flags],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return quote


@pytest.fixture
def document(run: Run) -> Callable[..., dict[str, Any]]:
    def quote(job: str, *flags: str, config: str = "") -> dict[str, Any]:
        done = run(job, *flags, "--json", config=config)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return quote


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        files("finsched").joinpath("schemas/quote.json").read_text("utf-8")
    )
    return found


@pytest.mark.parametrize("job", [LORA, HOURLY], ids=["a finished run", "one hour"])
def test_json_follows_its_schema_and_every_key_is_described(
    document: Callable[..., dict[str, Any]], job: str
) -> None:
    found = document(job)
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    validator.validate({**found, "rejections": found["rejections"][:50]})
    described = schema()["$defs"]
    assert set(found) == set(schema()["properties"])
    assert set(found["quotes"][0]) == set(described["quote"]["properties"])
    assert set(found["rejections"][0]) <= set(described["rejection"]["properties"])


def test_every_offer_is_a_quote_or_a_rejection(document: Callable[..., dict[str, Any]]) -> None:
    found = document(LORA)
    market = catalog.load_market(now=datetime.now(UTC))
    assert len(found["quotes"]) + len(found["rejections"]) == len(market.offers)
    assert found["offers_considered"] == len(market.offers)
    codes = Counter(rejection["code"] for rejection in found["rejections"])
    assert found["rejection_counts"] == codes
    assert all(rejection["reason"] for rejection in found["rejections"])


def test_parts_sum_to_totals_and_known_hosts_come_first_cheapest_ahead(
    document: Callable[..., dict[str, Any]],
) -> None:
    quotes = document(LORA)["quotes"]
    assert len(quotes) > 50
    for quote in quotes:
        cost, hours = dict(quote["cost"]), dict(quote["hours"])
        assert round(sum(cost.values()) - 2 * cost["total_usd"], 4) == 0
        assert round(sum(hours.values()) - 2 * hours["expected"], 4) == 0
        assert all(evidence["source"] for evidence in quote["evidence"][:1])
    order = [
        ("host memory unknown" in quote["marks"], quote["cost"]["total_usd"]) for quote in quotes
    ]
    assert order == sorted(order)


def test_the_page_for_people_is_plain_and_80_wide(run: Run) -> None:
    done = run(LORA, "--explain")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    rows = done.stdout.splitlines()
    assert max(map(len, rows)) <= 80
    assert [row for row in rows if row != row.rstrip()] == []
    labels = {row.split()[0] for row in rows if row[:1].isalpha()}
    assert {"best", "cost", "time", "saving", "price", "not", "why", "formula", "next"} <= labels


def test_csv_holds_every_quote_and_nothing_else(
    run: Run, document: Callable[..., dict[str, Any]]
) -> None:
    rows = list(csv.DictReader(io.StringIO(run(LORA, "--csv").stdout)))
    quotes = document(LORA)["quotes"]
    assert [float(row["total_usd"]) for row in rows] == [
        quote["cost"]["total_usd"] for quote in quotes
    ]
    assert len(list(csv.DictReader(io.StringIO(run(LORA, "--csv", "--top", "3").stdout)))) == 3


def test_over_a_threshold_is_4_and_its_fix_works(run: Run) -> None:
    done = run(LORA, "--max-cost", "1")
    assert done.returncode == 4
    assert "all over a threshold; the nearest is" in done.stderr
    fix = next(line for line in done.stderr.splitlines() if "fix:" in line)
    flags = fix.split("fix: ")[1].split(" would")[0].split()
    assert run(LORA, *flags).returncode == 0


def test_json_over_a_threshold_is_still_data(run: Run) -> None:
    done = run(LORA, "--max-hourly", "0.01", "--json")
    assert done.returncode == 4
    found = json.loads(done.stdout)
    assert found["quotes"] == []
    over = [each for each in found["rejections"] if each["code"] == "max_hourly"]
    assert over
    assert all(each["total_usd"] > 0 for each in over)


@pytest.mark.parametrize(
    ("job", "fix"),
    [
        (HOURLY.replace("H100:1", "T4:3"), "ask for 1, 2, 4 or 8 GPUs a machine"),
        (LORA.replace("[us-*, eu-*]", "[af-*]"), "drop where.regions ("),
        (UNSAVED, "declare a checkpoint"),
    ],
    ids=["no machine with three", "no region there", "spot for long without a checkpoint"],
)
def test_nothing_feasible_is_3_with_the_nearest_fix(run: Run, job: str, fix: str) -> None:
    done = run(job)
    assert done.returncode == 3, done.stderr
    assert "can run" in done.stderr
    assert fix in done.stderr


@pytest.mark.parametrize(
    ("job", "flags"),
    [
        (LORA.replace("hours: 40", "hours: -1"), ()),
        (LORA, ("--clouds", "awz")),
        (LORA, ("--json", "--csv")),
        (LORA, ("--max-cost", "-1")),
        (LORA, ("--top", "0")),
    ],
)
def test_a_bad_spec_or_flag_is_2(run: Run, job: str, flags: tuple[str, ...]) -> None:
    done = run(job, *flags)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_data_without_a_region_breaks_the_residency_by_its_own_name(run: Run) -> None:
    done = run(LORA.replace("{regions: [us-*, eu-*]}", "{residency: [us]}"))
    assert done.returncode == 2
    assert "checkpoint has no region, so it cannot be shown to stay in us" in done.stderr
    assert "fix: add region: aws/us-east-1" in done.stderr


def test_the_documented_job_can_be_quoted(document: Callable[..., dict[str, Any]]) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/job-yaml.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    places = catalog.places()
    found = document(example)["quotes"]
    assert found
    assert all(places[Location(each["provider"], each["region"])].in_eu for each in found)


def test_clouds_narrow_the_market_and_say_so(document: Callable[..., dict[str, Any]]) -> None:
    found = document(LORA, "--clouds", "aws, gcp")
    assert {quote["provider"] for quote in found["quotes"]} == {"aws", "gcp"}
    assert found["rejection_counts"]["cloud"] > 0


def test_a_discount_lowers_the_price_and_is_named(
    document: Callable[..., dict[str, Any]],
) -> None:
    def cheapest(config: str) -> dict[str, Any]:
        quotes: list[dict[str, Any]] = document(LORA, "--clouds", "lambda", config=config)["quotes"]
        return quotes[0]

    listed, paid = cheapest(""), cheapest("[discounts]\nlambda = 0.5\n")
    assert paid["price_usd_per_hour"] == pytest.approx(listed["price_usd_per_hour"] / 2)
    assert paid["cost"]["compute_usd"] == pytest.approx(listed["cost"]["compute_usd"] / 2, rel=1e-4)
    assert "discount" in {evidence["what"] for evidence in paid["evidence"]}
    assert any("discount" in mark for mark in paid["marks"])
    assert not any("discount" in mark for mark in listed["marks"])


def test_a_rate_of_ones_own_holds_for_its_machine_on_demand_and_no_discount_on_it(
    document: Callable[..., dict[str, Any]],
) -> None:
    def by_place(config: str) -> dict[tuple[str, ...], dict[str, Any]]:
        places = ("region", "zone", "instance_type", "capacity_type")
        quotes = document(LORA, "--clouds", "aws", config=config)["quotes"]
        return {tuple(quote[name] for name in places): quote for quote in quotes}

    rates = '{aws = {"p4de.24xlarge" = 9.5, "us-west-2/p4de.24xlarge" = 8.5}}'
    listed = by_place("")
    own = by_place(f"rates = {rates}\ndiscounts = {{aws = 0.5}}\n")
    east = ("us-east-1", "", "p4de.24xlarge", "on_demand")
    west = ("us-west-2", "", "p4de.24xlarge", "on_demand")
    assert [own[place]["price_usd_per_hour"] for place in (east, west)] == [9.5, 8.5]
    [price] = [each for each in own[east]["evidence"] if each["what"] == "price"]
    assert (price["source"], price["quality"]) == ("settings: rates", "declared")
    assert "your own rate, not the list price" in own[east]["marks"]
    assert not any("discount" in mark for mark in own[east]["marks"])
    others = {place for place in listed.keys() & own.keys() if place[2:] != east[2:]}
    assert others
    for place in others:
        half = listed[place]["price_usd_per_hour"] / 2
        assert own[place]["price_usd_per_hour"] == pytest.approx(half, abs=1e-4)


def test_launchable_keeps_only_what_can_start_here(run: Run) -> None:
    done = run(LORA, "--launchable", "--json")
    found = json.loads(done.stdout)
    assert all(quote["launchable"] for quote in found["quotes"])
    assert found["rejection_counts"]["not_launchable"] > 4000


def test_a_quote_loads_no_sdk_and_stays_small(home: Path, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(LORA, encoding="utf-8")
    code = (
        "import sys\n"
        "from finsched.cli import app\n"
        "app()(['quote', 'job.yaml', '--json'], standalone_mode=False)\n"
        f"loaded = [name for name in {HEAVY_MODULES!r} if name in sys.modules]\n"
        # not ru_maxrss: it begins with the size of the process that started this one
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "peak_mib = int(status['VmHWM'].split()[0]) / 1024\n"
        "print(loaded, peak_mib, sep=';', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(home), "FINSCHED_CACHE_DIR": str(home / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded, peak_mib = done.stderr.strip().split(";")
    assert loaded == "[]"
    assert float(peak_mib) < 120
