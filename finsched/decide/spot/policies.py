"""The named policies: ours and those to compare it with, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable

from finsched.decide.spot.baselines import Greedy, OnDemand, UniformProgress
from finsched.decide.spot.situation import Policy, SpotJob

DEFAULT = "adaptive"


def _adaptive(job: SpotJob) -> Policy:
    from finsched.decide.spot.adaptive import Adaptive  # noqa: PLC0415 - only it needs NumPy

    return Adaptive(job)


POLICIES: dict[str, Callable[[SpotJob], Policy]] = {
    "adaptive": _adaptive,
    "on-demand": OnDemand,
    "greedy": Greedy,
    "uniform-progress": UniformProgress,
}
