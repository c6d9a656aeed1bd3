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
        raise SpecError(f"there is no policy {name!r}", fix=_FIX)
    return POLICIES[name]


def _adaptive(job: SpotJob) -> Policy:
    from finsched.decide.spot.adaptive import Adaptive  # noqa: PLC0415 - only it needs NumPy

    return Adaptive(job)


_WORDS = {
    "adaptive": "the least expected cost to the end",
    "on-demand": "never spot",
    "greedy": "any spot, and on-demand once the slack is used up",
    "uniform-progress": "an even pace on spot, and on-demand when behind it",
}
_FIX = (
    f"take {', '.join(f'{name} ({does})' for name, does in _WORDS.items())}, or leave it out:"
    " a job without a deadline takes the cheapest placement"
)
POLICIES: dict[str, MakePolicy] = {
    "adaptive": _adaptive,
    "on-demand": OnDemand,
    "greedy": Greedy,
    "uniform-progress": UniformProgress,
}
