"""`finsched gpus`: the table at 80 columns, the JSON, the mistakes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from finsched.catalog.browse import by_gpu, by_provider, usd_per_gpu_hour
from finsched.cli import gpus
from finsched.errors import SpecError
from finsched.model.market import CapacityType, Market, Tier

TODAY = date(2026, 11, 22)
GOLDEN = Path(__file__).parent / "golden"
COMMAND = """
from datetime import UTC, datetime
import typer
from finsched.cli import gpus
typer.run(gpus.gpus)
"""


def printed(table: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["all", "A100"])
def test_the_table(market: Market, name: str) -> None:
    rows = by_gpu(market) if name == "all" else by_provider(market, name)
    text = printed(gpus.table(rows, TODAY, one_gpu=name != "all"))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    golden = GOLDEN / f"gpus_{name}.txt"
    if os.environ.get("FINSCHED_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_cheapest_is_the_cheapest_that_can_start(market: Market) -> None:
    for row in by_gpu(market):
        for kind, shown in ((CapacityType.ON_DEMAND, row.on_demand), (CapacityType.SPOT, row.spot)):
            prices = [
                usd_per_gpu_hour(o)
                for o in market.offers
                if o.instance_type.gpu == row.gpu.name and o.capacity_type is kind
                and o.tier not in (Tier.FLEX_START, Tier.CALENDAR)
            ]  # fmt: skip
            assert (shown and usd_per_gpu_hour(shown)) == min(prices, default=None)


def test_a_queued_price_is_never_the_cheapest(market: Market) -> None:
    google = next(row for row in by_provider(market, "B200") if row.providers == ("gcp",))
    assert google.on_demand is not None
    assert usd_per_gpu_hour(google.on_demand) == 16.11  # Flex Start would be 8.055


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_piped_output_is_plain_and_narrow() -> None:
    answer = run("a100_80gb")
    assert answer.returncode == 0, answer.stderr
    assert "\x1b" not in answer.stdout
    assert answer.stdout.startswith("NVIDIA A100-80GB · 80 GiB")
    assert max(map(len, answer.stdout.splitlines())) <= 80


def test_json_of_all_and_of_one() -> None:
    everything = json.loads(run("--json").stdout)
    one = json.loads(run("H100-SXM", "--json").stdout)
    assert everything["schema_version"] == one["schema_version"] == 1
    assert one["gpu"]["name"] == "H100"
    h100 = next(row for row in everything["gpus"] if row["name"] == "H100")
    assert h100["sellers"] == [row["provider"] for row in one["providers"]]
    assert h100["cheapest_spot"]["evidence"]["source"]


def test_an_unknown_gpu_is_a_mistake_of_the_caller(market: Market) -> None:
    with pytest.raises(SpecError, match="unknown GPU: H1000") as caught:
        gpus._find("H1000", market)
    assert caught.value.fix is not None
    assert caught.value.fix.startswith("did you mean H100")
    assert caught.value.exit_code == 2
