"""Where a policy is known to keep its answer until the market changes, so that time may jump.

`tests/simulating` compares jumps with a decision at every tick.
"""

from __future__ import annotations

from enum import Flag, auto


class Patience(Flag):
    """Placements that a policy keeps; NONE means that it is asked at every tick.

    Off every machine, with no pool up, it waits until some moment and from then on pays for
    on-demand; asking it ahead of time must not change it.
    """

    NONE = 0
    ON_SPOT = auto()
    ON_DEMAND = auto()
    IDLE = auto()
    ALL = ON_SPOT | ON_DEMAND | IDLE


_KNOWN = {
    "on-demand": Patience.ALL,
    "greedy": Patience.ALL,
    "cheapest": Patience.ALL,
    "uniform-progress": Patience.ON_SPOT | Patience.IDLE,
}


def patience_of(policy: str) -> Patience:
    """How long the named policy keeps its answers."""
    return _KNOWN.get(policy, Patience.NONE)
