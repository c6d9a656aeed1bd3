"""`finsched simulate` as a user runs it, on the bundled market."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.cli.render.simulation_progress import Bar

JOB = """\
name: sweep
resources: {gpu: "V100:1"}
where: {clouds: [aws]}
work: {hours: 20}
deadline: 26h
checkpoint: {size: 4GB, save_time: 20s}
budget: {max_cost: 30}
run: python train.py
"""
FEW = ("--futures", "40", "--policy", "greedy")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Run:
    def simulate(job: str, *flags: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "job.yaml").write_text(job, encoding="utf-8")
        (tmp_path / "config.toml").write_text("", encoding="utf-8")
        variables = {
            "HOME": str(home),
            "FINSCHED_CACHE_DIR": str(home / "cache"),
            "FINSCHED_STATE_DIR": str(home / "state"),
            "FINSCHED_CONFIG": str(tmp_path / "config.toml"),
            "LANG": "C.UTF-8",
        }
        return subprocess.run(
            [sys.executable, "-m", "finsched", "simulate", "job.yaml", *flags],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return simulate


def document(run: Run, job: str, *flags: str) -> dict[str, Any]:
    done = run(job, *flags, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    schema = files("finsched").joinpath("schemas/simulate.json").read_text("utf-8")
    jsonschema.validate(found, json.loads(schema))
    return found


def test_the_document_says_all_and_the_same_seed_the_same(run: Run) -> None:
    first, again = (document(run, JOB, *FEW, "--seed", "3") for _ in range(2))
    assert first["policies"] == again["policies"]
    [policy] = first["policies"]
    assert policy["finishes"]["probability"] == 1
    assert 0 <= policy["within_max_cost"]["probability"] <= 1
    assert sum(policy["cost_histogram"]["counts"]) == 40
    assert first["on_demand"]["capacity_type"] == "on_demand"
    assert {pool["capacity_type"] for pool in first["pools"]} == {"spot"}
    quote = first["quote"]
    assert policy["cost_usd"]["mean"] - quote["total_usd"] == pytest.approx(
        quote["difference_usd"], abs=1e-4
    )


def test_people_see_a_table_a_plot_and_the_quote_in_80_columns(run: Run) -> None:
    done = run(JOB, *FEW)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    for said in ("40 futures under greedy, seed 0", "median", "█", "within 26 h (deadline)"):
        assert said in done.stdout
    assert "within $30 (max_cost)" in done.stdout
    assert "the quote says" in done.stdout.lower()
    assert "Prices stand still." in done.stdout


def test_all_policies_are_compared_and_drawn(run: Run, tmp_path: Path) -> None:
    done = run(JOB, "--futures", "6", "--compare", "--html", "page.html")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    page = (tmp_path / "page.html").read_text("utf-8")
    for said in ("adaptive", "greedy", "uniform-progress", "on-demand", "deadline 26 h"):
        assert said in page
    for outside in ("http:", "https:", "<script", "src=", "@import", "url("):
        assert outside not in page
    assert "prefers-color-scheme: dark" in page
    assert re.search(
        r"prices of 20\d\d-\d\d-\d\d( to 20\d\d-\d\d-\d\d)?( or older)?, simulated", page
    )
    _assert_closed(page)


class _Tags(HTMLParser):
    """Opened tags must be closed in order; SVG closes its own."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def _assert_closed(page: str) -> None:
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert page.count("<svg") == 6


def test_a_limit_rejects_nothing_here(run: Run) -> None:
    found = document(run, JOB, *FEW, "--max-cost", "1")
    assert found["quote"] is None
    assert found["policies"][0]["within_max_cost"]["probability"] == 0


def test_on_demand_alone_is_one_sure_path(run: Run) -> None:
    done = run(JOB + "capacity: on_demand\n", "--max-cost", "99", "--html", "page.html")
    assert done.returncode == 0, done.stderr
    assert "every future costs $" in done.stdout
    assert "no difference" in " ".join(done.stdout.split())


def test_without_a_deadline_the_cheapest_is_taken(run: Run) -> None:
    found = document(run, JOB.replace("deadline: 26h\n", ""), "--futures", "20")
    assert (found["policy"], found["deadline_hours"]) == ("cheapest", None)


def test_without_hours_it_says_what_to_add(run: Run) -> None:
    done = run(JOB.replace("work: {hours: 20}\n", ""))
    assert (done.returncode, done.stdout) == (2, "")
    assert "fix: add `work: {hours: ...}`" in done.stderr


def test_a_policy_that_needs_a_deadline_is_refused(run: Run) -> None:
    done = run(JOB.replace("deadline: 26h\n", ""), "--policy", "adaptive")
    assert done.returncode == 2
    assert "no deadline" in done.stderr
    assert "cheapest" in done.stderr


def test_nothing_is_said_of_progress_before_it_takes_long(run: Run) -> None:
    assert run(JOB, "--futures", "5", "--policy", "on-demand").stderr == ""


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar(2000, after_seconds=0.0)
    bar.done(1500)
    bar.done(1501)
    bar.close()
    assert capsys.readouterr() == ("", "1,500 of 2,000 futures\n")
