"""`finsched catalog refresh` over several clouds of which one is dead, one slow and one lies."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from .asking import Asker
from .together import KEYS, SLOW_SECONDS, Together, together

JOB = """
name: fine-tune
resources: {gpu: [H100:8, H100:1]}
run: python train.py
"""


@pytest.fixture
def clouds() -> Iterator[Together]:
    with together() as found:
        yield found


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def finsched(clouds: Together, tmp_path: Path, shared_cache: Path) -> Asker:
    """A user who has keys for all of them."""
    (tmp_path / "config.toml").write_text(clouds.settings())
    (tmp_path / "job.yaml").write_text(JOB)
    return Asker(tmp_path, shared_cache, **KEYS)


def refreshed(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    document = json.loads(done.stdout)
    schema = files("finsched").joinpath("schemas/catalog-refresh.json").read_text("utf-8")
    jsonschema.validate(document, json.loads(schema))
    return {each["provider"]: each for each in document["providers"]}


def quoted(finsched: Asker, *words: str) -> list[dict[str, Any]]:
    document = json.loads(finsched("quote", "job.yaml", "--json", *words).stdout)
    return list(document["quotes"])


def is_live(quote: dict[str, Any]) -> bool:
    return any(e["what"] == "price" and e["quality"] == "live" for e in quote["evidence"])


@pytest.mark.slow
def test_one_dead_one_slow_and_one_liar_cost_nobody_else_anything(
    finsched: Asker, clouds: Together
) -> None:
    finsched("gpus")  # compiles the catalog, once for an installation
    clouds.die("lambda")
    clouds.slow_down("vast")
    clouds.lie()
    began = time.monotonic()
    done = finsched("catalog", "refresh", "--json")
    assert time.monotonic() - began < SLOW_SECONDS
    told = refreshed(done)
    assert told["azure"]["accepted"] > 0
    assert told["azure"]["problems"] == []
    assert [told[name]["accepted"] for name in ("lambda", "runpod", "vast")] == [0, 0, 0]
    assert told["lambda"]["problems"][0]["problem"].startswith("lambda: no answer")
    assert "no answer" in told["vast"]["problems"][0]["problem"]
    reasons = [each["reason"] for each in told["runpod"]["quarantined"]]
    assert any("times the last known price" in reason for reason in reasons)
    assert any("times what others ask" in reason for reason in reasons)  # eight GPUs are new
    for key in KEYS.values():
        assert key not in done.stdout + done.stderr


@pytest.mark.slow
def test_nothing_absurd_is_quoted_and_what_came_is(finsched: Asker, clouds: Together) -> None:
    clouds.die("lambda")
    clouds.lie()
    before = {quote["provider"]: quote for quote in reversed(quoted(finsched))}
    finsched.refresh()
    after = quoted(finsched)
    assert {quote["provider"] for quote in after if is_live(quote)} == {"azure", "vast"}
    assert min(quote["price_usd_per_hour"] for quote in after) > 0.5
    best = {quote["provider"]: quote for quote in reversed(after)}
    for name in ("lambda", "runpod"):
        assert best[name]["price_usd_per_hour"] == before[name]["price_usd_per_hour"]
    shown = finsched("catalog", "status").stdout
    assert "aside: * " in shown
    assert "times what others ask" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
def test_machines_of_eight_gpus_are_quoted_and_marked_as_not_launchable(
    finsched: Asker,
) -> None:
    finsched.refresh()
    found = {
        quote["provider"]: quote
        for quote in reversed(quoted(finsched))
        if is_live(quote) and quote["gpu_count"] == 8
    }
    assert found["runpod"]["price_usd_per_hour"] == pytest.approx(8 * 1.35)  # community spot
    assert found["vast"]["price_usd_per_hour"] == pytest.approx(15.92)
    assert found["lambda"]["price_usd_per_hour"] == pytest.approx(31.92)
    assert not any(quote["launchable"] for quote in found.values())
    page = finsched("quote", "job.yaml", "--clouds", "runpod,vast").stdout
    assert "finsched cannot start machines on" in " ".join(page.split())
    refusal = finsched("quote", "job.yaml", "--launchable", "--clouds", "runpod,vast", code=3)
    assert "leave out --launchable" in refusal.stderr
    assert "cannot launch machines" in finsched("check", "vast").stdout


@pytest.mark.slow
def test_a_person_may_believe_a_price_that_looks_absurd(finsched: Asker, clouds: Together) -> None:
    clouds.lie()
    told = refreshed(finsched.refresh("--accept", "runpod/*/h100-sxm", "--json"))
    assert told["runpod"]["accepted"] == 4  # secure and community, on demand and spot
    aside = {each["instance_type"] for each in told["runpod"]["quarantined"]}
    assert "h100-sxm" not in aside
    assert "8x-h100-sxm" in aside
    again = refreshed(finsched.refresh("runpod", "--json"))
    assert again["runpod"]["accepted"] == 4  # it is the last price now
    assert quoted(finsched, "--clouds", "runpod")[0]["price_usd_per_hour"] < 0.05
    wrong = finsched.refresh("runpod", "--accept", "azure/eastus", code=2)
    assert "is no pool of runpod" in wrong.stderr


@pytest.mark.slow
def test_only_those_who_have_a_region_are_asked_for_it(finsched: Asker) -> None:
    told = refreshed(finsched.refresh("--region", "us-west-1", "--json"))
    assert told.keys() == {"lambda"}
    wrong = finsched.refresh("--region", "us-wst-1", code=2)
    assert "did you mean us-west-1?" in wrong.stderr
