"""Replays every policy on every job, with the beliefs that a job may have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.policy.cases import Case, Recording
from benchmarks.policy.folds import HeldOut, in_order_of
from benchmarks.policy.scores import FORESIGHT
from finsched.backtest.omniscient import least_cost
from finsched.backtest.replay import replay
from finsched.decide.spot.adaptive import Adaptive
from finsched.decide.spot.policies import POLICIES, MakePolicy

SKETCH = "sketch"
STORED_AS = {
    "on-demand": "on_demand",
    "greedy": "greedy",
    "uniform-progress": "up",
    FORESIGHT: "omniscient",
}
"""Names of the stored costs that a replay must reproduce."""


class MissedDeadline(Exception):
    """A policy was late: no figure counts."""


def costs_of(cases: Sequence[Case], make_policy: MakePolicy) -> dict[str, float]:
    """What each job costs under one policy, in hours on demand."""
    return {case.window.id: cost_of(case, make_policy) for case in cases}


def costs_held_out(
    cases: Sequence[Case], recordings: Sequence[Recording], by: str
) -> dict[str, float]:
    """What the adaptive policy costs, with beliefs from other periods, other zones, or both."""
    if by == "none":
        return costs_of(cases, Adaptive)
    held_out = HeldOut(recordings, by)
    return {
        case.window.id: cost_of(case, partial(Adaptive, beliefs=held_out.beliefs(case)))
        for case in in_order_of(held_out.fold, cases)
    }


def costs_of_all(
    cases: Sequence[Case], recordings: Sequence[Recording], by: str
) -> dict[str, dict[str, float]]:
    """Every named policy; adaptive last, and held out as asked."""
    costs = {name: costs_of(cases, POLICIES[name]) for name in POLICIES if name != "adaptive"}
    return costs | {"adaptive": costs_held_out(cases, recordings, by)}


def foresight(cases: Sequence[Case]) -> dict[str, float]:
    """The least cost of every job with perfect foresight, worked out here."""
    return {case.window.id: least_cost(case.window) for case in cases}


def stored(cases: Sequence[Case], name: str) -> dict[str, float]:
    """What was stored for every job under a name of `Case.stored`."""
    return {case.window.id: case.stored[name] for case in cases}


def disagreement(
    cases: Sequence[Case], costs: dict[str, dict[str, float]]
) -> dict[str, tuple[int, float]]:
    """By policy: the jobs compared with their stored costs, and the largest difference."""
    found = {}
    for policy, of_policy in costs.items():
        if policy in STORED_AS:
            told = stored(cases, STORED_AS[policy])
            found[policy] = (
                len(of_policy),
                max(abs(cost - told[job]) for job, cost in of_policy.items()),
            )
    return found


def cost_of(case: Case, make_policy: MakePolicy) -> float:
    """What one job costs; raises MissedDeadline where it is late."""
    outcome = replay(case.window, make_policy)
    if outcome.missed:
        raise MissedDeadline(case.window.id)
    return outcome.cost
