"""What a simulated node is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from finsched.node.store import Store
from finsched_sim.machine import Machine
from finsched_sim.workload import Workload

if TYPE_CHECKING:
    from finsched_sim.collective import Collective


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnishing:
    """What a node is made of: its machine, store, job, dice, and how its clock differs.

    The nodes of a gang share a `collective`, and hear of new objects in a folder by `listen`.
    """

    machine: Machine
    store: Store
    workload: Workload
    dice: Random
    skew_s: float = 0.0
    loses_notices: bool = False
    collective: Collective | None = None
    listen: Callable[[str, Callable[[], None]], None] | None = None


@dataclass(frozen=True, slots=True)
class Save:
    """A state of the job that is being uploaded."""

    progress: float
    ready_s: float
