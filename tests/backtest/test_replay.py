"""Replays: costs worked out by hand, the pipe, the command, on made-up traces."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finsched.backtest.recorded import Window, read_series, read_windows
from finsched.backtest.replay import replay, spot_job
from finsched.backtest.wire import Session
from finsched.decide.spot.policies import POLICIES, named
from finsched.decide.spot.situation import Off, Placement, Situation, SpotJob
from finsched.errors import SpecError

WINDOW = Window(
    id="w",
    setting="s",
    mode="multi",
    group="g",
    tick_s=600,
    work_s=3600,
    changeover_s=720,
    spot_price=0.3,
    egress=0.1,
    regions=("us-west-2", "us-east-1"),
    available=((True,) * 14, (True,) * 14),
)


class Scripted:
    """Goes where it is told, tick by tick."""

    def __init__(self, placements: list[Placement]) -> None:
        self._placements = iter(placements)

    def decide(self, now: Situation) -> Placement:
        return next(self._placements)


class ThroughThePipe:
    """Asks a session in its own words."""

    def __init__(self, job: SpotJob, session: Session) -> None:
        self._job, self._session = job, session
        pools = [
            {"id": f"pool{i}", "region": pool.region, "spot_price": pool.price_per_hour}
            for i, pool in enumerate(job.pools)
        ]
        told: dict[str, Any] = {
            "type": "reset",
            "gap_s": job.tick_s,
            "deadline_s": job.deadline_s,
            "work_s": job.work_s,
            "changeover_s": job.changeover_s,
            "od_price": 1.0,
            "egress": job.egress_price,
            "pools": pools,
        }
        assert session.answer(json.dumps(told)) is None

    def decide(self, now: Situation) -> Placement:
        on_spot = isinstance(now.placement, int)
        asked = {
            "type": "decide",
            "time_left_s": now.time_left_s,
            "work_left_s": now.work_left_s,
            "placement": now.placement.value if isinstance(now.placement, Off) else "spot",
            "pool": now.placement if on_spot else None,
            "changeover_left_s": now.changeover_left_s,
            "data_region": now.data_region,
            "available": now.available,
        }
        action = json.loads(self._session.answer(json.dumps(asked)) or "")["action"]
        return action if isinstance(action, int) else Off(action)


def generated(seed: int, ticks: int = 100, pools: int = 2) -> Window:
    """Spells of random length on each pool."""
    chance = random.Random(seed)
    flags = []
    for _ in range(pools):
        line: list[bool] = []
        while len(line) < ticks:
            line += [len(line) % 2 == 0] * chance.randint(1, 30)
        flags.append(tuple(line[:ticks]))
    regions = ("us-west-2", "us-east-1")[:pools]
    return replace(WINDOW, work_s=12 * 3600, available=tuple(flags), regions=regions)


def test_on_demand_pays_the_changeover_and_the_work() -> None:
    outcome = replay(WINDOW, POLICIES["on-demand"])
    assert outcome.cost == pytest.approx(1.2)
    assert (outcome.missed, outcome.starts) == (False, 1)


def test_moving_between_regions_pays_egress_and_a_second_changeover() -> None:
    moves: list[Placement] = [0, 0, 0, *[1] * 10]
    outcome = replay(WINDOW, lambda _: Scripted(moves))
    worked_s = 3 * 600 - 720
    assert outcome.cost == pytest.approx(0.3 * (1800 + 720 + 3600 - worked_s) / 3600 + 0.1)
    assert (outcome.starts, outcome.interruptions) == (2, 0)


def test_an_interruption_loses_the_changeover() -> None:
    flags = ((True, False, *[True] * 12), (False,) * 14)
    moves: list[Placement] = [0, Off.IDLE, *[0] * 12]
    outcome = replay(replace(WINDOW, available=flags), lambda _: Scripted(moves))
    assert outcome.cost == pytest.approx(0.3 * (600 + 720 + 3600) / 3600)
    assert (outcome.starts, outcome.interruptions) == (2, 1)


def test_idling_past_the_deadline_is_a_miss() -> None:
    assert replay(WINDOW, lambda _: Scripted([Off.IDLE] * 14)).missed


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_behind_the_pipe_decides_the_same(policy: str) -> None:
    for seed in range(5):
        window = generated(seed)
        session = Session(named(policy))
        piped = replay(window, lambda job, s=session: ThroughThePipe(job, s))
        assert piped == replay(window, named(policy)), f"seed {seed}"


def test_no_policy_is_late_and_none_costs_more_than_on_demand_with_all_its_starts() -> None:
    for seed in range(20):
        window = generated(seed)
        for policy in POLICIES.values():
            outcome = replay(window, policy)
            assert not outcome.missed
            changeovers = outcome.starts * (window.changeover_s / 3600 + window.egress)
            assert outcome.cost <= window.work_s / 3600 + changeovers + 1e-9, f"seed {seed}"


@pytest.mark.parametrize("line", ["{", "[]", '{"type": "decide"}', '{"type": "reset"}'])
def test_a_line_that_means_nothing_is_named(line: str) -> None:
    with pytest.raises(SpecError) as caught:
        Session(named("greedy")).answer(line)
    assert line in caught.value.message


def test_the_job_of_a_window_is_told_in_full() -> None:
    job = spot_job(WINDOW)
    assert (job.deadline_s, [pool.region for pool in job.pools]) == (14 * 600, [*WINDOW.regions])


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with one made-up series and a file of windows on it."""
    series = {"pool": "aws/us-west-2a/v100x1", "collection": "c", "nodes": 1}
    (tmp_path / "traces" / "c").mkdir(parents=True)
    file = tmp_path / "traces" / "c" / "a.json"
    file.write_text(json.dumps(series | {"available": [[1, 9], [0, 9], [1, 90]]}), "utf-8")
    window = {
        "id": "default/single/a",
        "setting": "default",
        "mode": "single",
        "group": "a",
        "traces": ["c/aws/us-west-2a/v100x1"],
        "start_tick": 1,
        "ticks": 60,
        "gap_s": 600,
        "work_s": 8 * 3600,
        "changeover_s": 720,
        "spot_price": 0.3,
        "egress": 0.0,
    }
    (tmp_path / "windows.json").write_text(json.dumps({"windows": [window]}), "utf-8")
    return tmp_path


def finsched(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from finsched.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_every_window(recorded: Path) -> None:
    traces, windows = str(recorded / "traces"), str(recorded / "windows.json")
    done = finsched("backtest", "--traces", traces, "--windows", windows, "--omniscient", "--json")
    document = json.loads(done.stdout)
    schema = files("finsched").joinpath("schemas/backtest.json").read_text("utf-8")
    jsonschema.validate(document, json.loads(schema))
    (window,) = document["windows"]
    jobs = read_windows(Path(windows), read_series(Path(traces)))
    assert window["cost"] == pytest.approx(replay(jobs[0], POLICIES["adaptive"]).cost, abs=1e-8)
    assert document["cells"][0]["ratio_of_means"] >= 1
    assert (document["misses"], document["policy"], done.returncode) == (0, "adaptive", 0)
    assert jobs[0].available[0][:9] == (True,) * 8 + (False,)


def test_the_other_policies_are_replayed_on_the_same_windows(recorded: Path) -> None:
    traces, windows = str(recorded / "traces"), str(recorded / "windows.json")
    asked = ("backtest", "--traces", traces, "--windows", windows, "--compare")
    document = json.loads(finsched(*asked, "--policy", "greedy", "--json").stdout)
    schema = files("finsched").joinpath("schemas/backtest.json").read_text("utf-8")
    jsonschema.validate(document, json.loads(schema))
    assert {each["policy"] for each in document["others"]} == {*POLICIES} - {"greedy"}
    alone = json.loads(finsched(*asked[:-1], "--policy", "adaptive", "--json").stdout)
    adaptive = next(each for each in document["others"] if each["policy"] == "adaptive")
    assert adaptive["cells"] == alone["cells"]
    assert "uniform-prog" in finsched(*asked).stdout


def test_a_folder_without_traces_is_said(tmp_path: Path) -> None:
    done = finsched("backtest", "--traces", str(tmp_path), "--windows", "w.json")
    assert (done.returncode, "there are no traces" in done.stderr) == (2, True)


def test_a_window_on_an_unknown_series_is_said(recorded: Path) -> None:
    with pytest.raises(SpecError, match="v100x1"):
        read_windows(recorded / "windows.json", {})
