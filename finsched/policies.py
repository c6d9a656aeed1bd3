"""Spot policies by name: ours, and those that other packages register by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from finsched.decide.spot.policies import POLICIES, MakePolicy, named
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, SpotJob
from finsched.errors import MachineProblem

GROUP = "finsched.policies"


def policy(name: str) -> MakePolicy:
    """Return what makes the policy of that name.

    Raises SpecError for a name that nobody has, and MachineProblem for a package that is broken:
    a run then stops cleanly and keeps its work.
    """
    if name in POLICIES:  # looking through all installed packages takes milliseconds
        return named(name)
    registered = entry_points(group=GROUP, name=name)
    if not registered:
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
            wanted = self._policy.decide(now)
        except Exception as error:
            raise _broken(self._name, error) from error
        if not _is_placement(wanted, len(now.available)):
            raise _broken(self._name, ValueError(f"{wanted!r} is no placement"))
        return wanted


def _is_placement(wanted: object, pools: int) -> bool:
    if isinstance(wanted, Off):
        return True
    return isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < pools


def _broken(name: str, error: Exception) -> MachineProblem:
    return MachineProblem(
        f"the policy {name!r} is broken: {type(error).__name__}: {error}",
        fix="mend its package, then finsched resume; the checkpoints are kept",
    )
