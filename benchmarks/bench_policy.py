"""What spot policies cost on recorded availability, against perfect foresight.

Run: `python benchmarks/bench_policy.py --traces DIR --windows FILE`. With `--stored ref` costs that
are stored with the windows under that key are compared, and its foresight is used; without it,
foresight is worked out here, which takes an hour for a thousand jobs. `--held-out both` gives
`adaptive` only beliefs from other periods and other zones than the job's. `--json` keeps the
figures for `benchmarks/policy/plot.py`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.policy.cases import Case, read_cases
from benchmarks.policy.folds import HELD_OUT
from benchmarks.policy.replays import (
    SKETCH,
    STORED_AS,
    costs_of_all,
    disagreement,
    foresight,
    stored,
)
from benchmarks.policy.scores import FORESIGHT, Figure, Scores

OURS = "adaptive"


def main(arguments: list[str] | None = None) -> None:
    """Replay, compare, print, and keep."""
    asked = _arguments(arguments)
    cases, recordings = read_cases(asked.traces, asked.windows, asked.stored)
    costs = costs_of_all(cases, recordings, asked.held_out)
    if asked.stored:
        _print_agreement(cases, costs, asked.foresight_every)
        costs |= {SKETCH: stored(cases, "smdp")} if "smdp" in cases[0].stored else {}
        costs |= {FORESIGHT: stored(cases, STORED_AS[FORESIGHT])}
    else:
        costs |= {FORESIGHT: foresight(cases)}
    scores = Scores(cases, costs)
    _print_scores(scores)
    if asked.json:
        asked.json.write_text(json.dumps(document(scores), indent=1), "utf-8")


def document(scores: Scores) -> dict[str, object]:
    """Every ratio with its interval, for plots and tables."""
    return {
        "cells": [
            {
                "setting": cell[0],
                "mode": cell[1],
                "ratios": {name: asdict(scores.ratio(cell, name)) for name in scores.policies},
            }
            for cell in scores.cells
        ],
        "excess": {name: asdict(scores.excess(name)) for name in scores.policies},
    }


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--windows", type=Path, required=True)
    parser.add_argument("--stored", help="the key of a window's stored costs")
    parser.add_argument("--held-out", choices=["none", *HELD_OUT], default="none")
    parser.add_argument(
        "--foresight-every", type=int, default=0, help="check our foresight on every so-manieth job"
    )
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    return parser.parse_args(arguments)


def _print_agreement(
    cases: list[Case], costs: dict[str, dict[str, float]], foresight_every: int
) -> None:
    """The largest difference to stored costs, by policy."""
    checked = {FORESIGHT: foresight(cases[::foresight_every])} if foresight_every else {}
    for policy, (jobs, most) in disagreement(cases, costs | checked).items():
        print(f"{policy}: differs by {most:.1e} at most from what is stored, {jobs} jobs")


def _print_scores(scores: Scores) -> None:
    print(f"{'':<22}" + "".join(f"{name:>17}" for name in scores.policies) + "   interval")
    for cell in scores.cells:
        ratios = [scores.ratio(cell, name) for name in scores.policies]
        ours = scores.ratio(cell, OURS)
        print(
            f"{' '.join(cell):<22}"
            + "".join(f"{ratio.value:>17.4f}" for ratio in ratios)
            + f"   {_interval(ours)}"
        )
    for name in scores.policies:
        excess = scores.excess(name)
        print(f"mean excess of {name}: {excess.value:.4f} ({_interval(excess)})")
    for name in scores.policies:
        if name != OURS:
            saved = scores.saves(OURS, name)
            print(f"{OURS} against {name}: {saved.value:.4f} lower ({_interval(saved)})")
    for name in ("greedy", "uniform-progress"):
        worst = max(scores.ratio(c, OURS).value / scores.ratio(c, name).value for c in scores.cells)
        print(f"worst cell of {OURS} against {name}: {worst - 1:+.2%}")
    closed = scores.gap_closed(OURS, "uniform-progress")
    print(f"of uniform-progress's distance to foresight {OURS} saves {closed:.1%}")


def _interval(figure: Figure) -> str:
    low, high = figure.interval
    return f"{low:.4f} - {high:.4f}"


if __name__ == "__main__":
    main()
