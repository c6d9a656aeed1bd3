"""What a simulated node is made of."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from finsched.node.store import Store
from finsched_sim.machine import Machine
from finsched_sim.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnishing:
    """What a node is made of: its machine, store, job, dice, and how its clock differs."""

    machine: Machine
    store: Store
    workload: Workload
    dice: Random
    skew_s: float = 0.0
    loses_notices: bool = False


@dataclass(frozen=True, slots=True)
class Save:
    """A state of the job that is being uploaded."""

    progress: float
    ready_s: float
