"""The named policies: ours and those to compare it with, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable

from finsched.decide.spot.baselines import Greedy, OnDemand, UniformProgress
from finsched.decide.spot.situation import Policy, SpotJob
from finsched.errors import SpecError

DEFAULT = "adaptive"
MakePolicy = Callable[[SpotJob], Policy]


def named(name: str) -> MakePolicy:
    """The policy of that name; raises SpecError for an unknown one."""
    if name not in POLICIES:
        raise SpecError(f"there is no policy {name!r}", fix=f"one of: {', '.join(POLICIES)}")
    return POLICIES[name]


def _adaptive(job: SpotJob) -> Policy:
    from finsched.decide.spot.adaptive import Adaptive  # noqa: PLC0415 - only it needs NumPy

    return Adaptive(job)


POLICIES: dict[str, MakePolicy] = {
    "adaptive": _adaptive,
    "on-demand": OnDemand,
    "greedy": Greedy,
    "uniform-progress": UniformProgress,
}
