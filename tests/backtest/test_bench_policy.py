"""The measurement of the spot policies, on a small made-up market."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import bench_policy
from benchmarks.policy import ablation, made_up, mechanisms, plot
from benchmarks.policy.cases import Case, Recording, read_cases
from benchmarks.policy.fitting import fit
from benchmarks.policy.folds import HeldOut
from benchmarks.policy.made_up import availability
from benchmarks.policy.overlap import Overlap
from benchmarks.policy.scores import FORESIGHT, Scores
from finsched.backtest.course import Course
from finsched.backtest.omniscient import least_cost
from finsched.backtest.recorded import Window
from finsched.backtest.replay import replay
from finsched.decide.spot.policies import POLICIES
from finsched.decide.spot.situation import Off, Placement
from finsched.decide.spot.spells import MEASURED
from tests.backtest.test_replay import WINDOW, Scripted, generated

SEED = 20261122
POOLS = [
    (period, f"us-{side}-{number}{zone}")
    for period in ("2022-01-01", "2023-01-01")
    for side, number, zone in (("west", 2, "a"), ("west", 2, "b"), ("east", 1, "a"))
]
JOB = {"work_s": 5 * 3600, "changeover_s": 720, "spot_price": 0.3, "gap_s": 600, "ticks": 42}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pools of two periods, a week each, and sixteen jobs with stored costs."""
    folder = tmp_path_factory.mktemp("market")
    draw = random.Random(SEED)
    for period, zone in POOLS:
        series = folder / "traces" / period / f"aws_{zone}.json"
        series.parent.mkdir(parents=True, exist_ok=True)
        flags = [[int(flag), 1] for flag in availability(MEASURED, 1000, draw)]
        record = {"pool": f"aws/{zone}/v100x1", "collection": period, "nodes": 1}
        series.write_text(json.dumps(record | {"available": flags}), "utf-8")
    _write_windows(folder, [dict(entry) for entry in _entries(draw)])
    cases, _ = read_cases(folder / "traces", folder / "windows.json")
    stored = [
        entry | {"ref": _stored(case)} for entry, case in zip(_read(folder), cases, strict=True)
    ]
    _write_windows(folder, stored)
    return folder


def _entries(draw: random.Random) -> Any:
    for setting, change in (("default", {}), ("short_job", {"work_s": 3 * 3600, "ticks": 30})):
        for period in ("2022-01-01", "2023-01-01"):
            zones = [zone for when, zone in POOLS if when == period]
            for mode, chosen in [*(("single", [zone]) for zone in zones), ("multi", zones[:2])]:
                traces = [f"{period}/aws/{zone}/v100x1" for zone in chosen]
                start = draw.randrange(300, 900)
                name = f"{period}:{'+'.join(chosen)}"
                yield {
                    "id": f"{setting}/{mode}/{name}/{start}",
                    "setting": setting,
                    "mode": mode,
                    "group": name,
                    "traces": traces,
                    "start_tick": start,
                    "egress": 0.1 if mode == "multi" else 0.0,
                    **JOB,
                    **change,
                }


def _stored(case: Case) -> dict[str, float]:
    names = {"on_demand": "on-demand", "greedy": "greedy", "up": "uniform-progress"}
    costs = {key: replay(case.window, POLICIES[name]).cost for key, name in names.items()}
    return costs | {"omniscient": least_cost(case.window), "smdp": costs["greedy"]}


def _write_windows(folder: Path, entries: list[dict[str, Any]]) -> None:
    (folder / "windows.json").write_text(json.dumps({"windows": entries}), "utf-8")


def _read(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "windows.json").read_text("utf-8"))["windows"])


def asked(market: Path, *options: str) -> list[str]:
    traces, windows = str(market / "traces"), str(market / "windows.json")
    return ["--traces", traces, "--windows", windows, *options]


@pytest.fixture(scope="module")
def figures(market: Path) -> dict[str, Any]:
    """What the benchmark keeps."""
    kept = market / "figures.json"
    bench_policy.main(asked(market, "--stored", "ref", "--json", str(kept)))
    return dict(json.loads(kept.read_text("utf-8")))


def test_stored_costs_are_found_again(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--stored", "ref", "--held-out", "both", "--foresight-every", "5")
    bench_policy.main(asked(market, *options))
    agreement = [line for line in capsys.readouterr().out.splitlines() if "differs" in line]
    assert len(agreement) == 4
    assert all("differs by 0.0e+00" in line for line in agreement), agreement


def test_nobody_is_cheaper_than_foresight(figures: dict[str, Any]) -> None:
    for cell in figures["cells"]:
        for ratio in cell["ratios"].values():
            low, high = ratio["interval"]
            assert 1 <= low <= ratio["value"] + 1e-9 <= high + 2e-9


def test_foresight_is_worked_out_where_none_is_stored(
    market: Path, figures: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = market / "own.json"
    bench_policy.main(asked(market, "--json", str(kept)))
    own = json.loads(kept.read_text("utf-8"))
    assert own["excess"]["greedy"] == figures["excess"]["greedy"]
    assert "differs" not in capsys.readouterr().out


def test_the_plot_is_an_svg_with_a_mark_for_every_ratio(
    market: Path, figures: dict[str, Any]
) -> None:
    drawn = market / "plot.svg"
    plot.main([str(market / "figures.json"), str(drawn)])
    marks = ET.parse(drawn).getroot().findall("{http://www.w3.org/2000/svg}circle")
    legend, policies = 4, 4
    assert len(marks) == legend + policies * len(figures["cells"])


def test_a_held_out_job_believes_nothing_of_its_own_zone_or_period(market: Path) -> None:
    cases, recordings = read_cases(market / "traces", market / "windows.json")
    single = next(case for case in cases if case.window.mode == "single")
    (own,) = (each for each in recordings if each.name in single.traces)
    others = [r for r in recordings if r.period != own.period and r.zone != own.zone]
    assert len(others) == 2
    assert HeldOut(recordings, "both").beliefs(single) == fit(others)


def test_fitting_finds_the_chances_that_the_market_was_made_with() -> None:
    draw = random.Random(SEED)
    made = [
        Recording(name=f"p/c/{n}/g", tick_s=600, available=availability(MEASURED, 20_000, draw))
        for n in range(6)
    ]
    found = fit(made)
    assert found.up_ends[1:] == pytest.approx(MEASURED.up_ends[1:], rel=0.2)
    assert found.down_ends[1:] == pytest.approx(MEASURED.down_ends[1:], rel=0.2)


def test_ablation_and_made_up_markets_are_printed(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ablation.main(asked(market, "--stored", "ref"))
    made_up.main(asked(market, "--jobs", "1"))
    said = capsys.readouterr().out
    assert "no plans by region" in said
    told, untold = (float(part.split()[-1]) for part in _last(said, "one law").split(","))
    assert told == untold >= 0


def test_cheaper_starts_and_overlap_are_cheaper(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mechanisms.main(asked(market))
    said = capsys.readouterr().out
    mean = {name: float(_last(said, name).split()[-1]) for name in ("as scored", "starts take a")}
    assert mean["starts take a"] < mean["as scored"]


def _last(said: str, beginning: str) -> str:
    return [line for line in said.splitlines() if line.startswith(beginning)][-1]


def overlapped(window: Window, moves: list[Placement], *, overlap: bool = True) -> float:
    course = Overlap if overlap else Course
    return replay(window, lambda _: Scripted(moves), course).cost


def test_the_old_machine_works_while_the_next_one_starts() -> None:
    window = replace(WINDOW, changeover_s=600)
    moves: list[Placement] = [Off.ON_DEMAND, Off.ON_DEMAND, *[0] * 12]
    alone, both = (overlapped(window, moves, overlap=each) for each in (False, True))
    assert alone == pytest.approx((1200 + 0.3 * (600 + 3000)) / 3600)
    assert both == pytest.approx((1800 + 0.3 * (600 + 2400)) / 3600)


def test_the_old_machine_stays_when_the_next_one_is_taken_while_it_starts() -> None:
    flags = ((True, True, True, *[False] * 11), (True,) * 14)
    window = replace(WINDOW, changeover_s=1200, available=flags)
    moves: list[Placement] = [Off.ON_DEMAND, Off.ON_DEMAND, 0, *[Off.ON_DEMAND] * 11]
    cost = overlapped(window, moves)
    assert cost == pytest.approx((1200 + 3600 + 0.3 * 600) / 3600)


def test_overlap_meets_every_deadline_though_the_policy_does_not_know_of_it() -> None:
    for seed in range(40):
        assert not replay(generated(seed), POLICIES["adaptive"], Overlap).missed, f"seed {seed}"


def test_intervals_of_a_policy_against_itself_are_zero() -> None:
    windows = [replace(WINDOW, id=str(n), group=str(n)) for n in range(5)]
    cases = [Case(window=window, traces=(), stored={}) for window in windows]
    costs = {str(n): 2.0 + n for n in range(5)}
    least = {str(n): 1.0 + n for n in range(5)}
    scores = Scores(cases, {"a": costs, "b": dict(costs), FORESIGHT: least})
    assert scores.saves("a", "b").interval == (0, 0)
    assert scores.excess("a").value == pytest.approx(20 / 15 - 1)
