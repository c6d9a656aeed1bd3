"""Spot policies by name: ours, and those that other packages register by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from finsched.decide.spot.policies import POLICIES, MakePolicy, named
from finsched.decide.spot.situation import Placement, Policy, Situation, SpotJob
from finsched.errors import MachineProblem

GROUP = "finsched.policies"


def policy(name: str) -> MakePolicy:
    """Return what makes the policy of that name.

    Raises SpecError for a name that nobody has, and MachineProblem for a package that is broken:
    a run then stops cleanly and keeps its work.
    """
    registered = entry_points(group=GROUP, name=name)
    if name in POLICIES or not registered:
        return named(name)
    try:
        make: MakePolicy = next(iter(registered)).load()
    except Exception as error:
        raise _broken(name, error) from error
    return lambda job: _Guarded(name, make, job)


class _Guarded:
    """A policy of somebody else, whose faults are told as such."""

    def __init__(self, name: str, make: MakePolicy, job: SpotJob) -> None:
        self._name = name
        try:
            self._policy: Policy = make(job)
        except Exception as error:
            raise _broken(name, error) from error

    def decide(self, now: Situation) -> Placement:
        """What the policy wants."""
        try:
            return self._policy.decide(now)
        except Exception as error:
            raise _broken(self._name, error) from error


def _broken(name: str, error: Exception) -> MachineProblem:
    return MachineProblem(
        f"the policy {name!r} is broken: {type(error).__name__}: {error}",
        fix="mend its package, then finsched resume; the checkpoints are kept",
    )
