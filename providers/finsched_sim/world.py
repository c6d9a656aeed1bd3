"""A simulated world of clouds: one timeline, one market, one object store, seeded dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from finsched.node.objects import Objects
from finsched.node.store import Store
from finsched.provider import EndReason, LaunchRequest
from finsched_sim.cloud import SimCloud
from finsched_sim.collective import Collective
from finsched_sim.following_node import FollowingNode
from finsched_sim.furnishing import Furnishing
from finsched_sim.leading_node import LeadingNode
from finsched_sim.machine import Machine
from finsched_sim.market import CloudPlan
from finsched_sim.node import SimNode
from finsched_sim.objects import Bucket
from finsched_sim.timeline import Timeline
from finsched_sim.trouble import Calm, Trouble, TroubledObjects
from finsched_sim.workload import WorkloadOf

_NEVER_BOOTS, _BOOTS_LATE = 0.02, 0.06  # of the machines of a gang


class World:
    """Several clouds that share time, and the stores of the runs in them."""

    def __init__(
        self,
        plans: Sequence[CloudPlan],
        workload_of: WorkloadOf,
        *,
        seed: int,
        timeline: Timeline,
        trouble: Trouble | None = None,
        node_trouble: Callable[[Machine], Trouble] | None = None,
        open_store: Callable[[str], Store] | None = None,
    ) -> None:
        self.timeline = timeline
        self.nodes: dict[str, SimNode] = {}
        self.made: list[Machine] = []
        self._workload_of = workload_of
        self._seed = seed
        self._trouble = trouble or Calm()
        self._node_trouble = node_trouble or (lambda _machine: Calm())
        self._open_store = open_store
        self._buckets: dict[str, Bucket] = {}
        self._collectives: dict[str, Collective] = {}
        self.clouds: Mapping[str, SimCloud] = {
            plan.name: SimCloud(plan, self.timeline, self._trouble, self._furnish) for plan in plans
        }

    def bucket(self, uri: str) -> Bucket:
        """Return what is stored under a URI."""
        return self._buckets.setdefault(uri, Bucket())

    def store(self, uri: str) -> Store:
        """Return a store as somebody outside of the clouds reaches it."""
        return Store(uri, opener=self._opener(self._trouble))

    def _opener(self, trouble: Trouble) -> Callable[[str, Mapping[str, Any]], Objects]:
        return lambda uri, _options: TroubledObjects(self.bucket(uri), trouble)

    def _furnish(self, machine: Machine) -> None:
        """Put an agent onto a new machine, and decide how long the machine lasts."""
        dice = Random(f"{self._seed} {machine.request.token} {machine.id}")  # noqa: S311
        node = self._node(machine, dice)
        machine.tenant = self.nodes[machine.id] = node
        self.made.append(machine)
        self._boot(machine, dice)
        if machine.shelf.losses_per_hour > 0:
            lives_s = dice.expovariate(machine.shelf.losses_per_hour) * 3600
            lives_s *= machine.request.nodes  # a gang is lost as often as a single machine
            warned = dice.random() < 0.7 and machine.cloud.notice_s > 0
            self.timeline.after(lives_s, lambda: _take_back(machine, warned=warned))
        self._lose_with_capacity(machine)

    def _boot(self, machine: Machine, dice: Random) -> None:
        """One machine in many of a gang is late, and one in very many never comes."""
        boot_s = dice.uniform(*machine.cloud.boot_s)
        fate = dice.random() if machine.request.nodes > 1 else 1.0
        if fate < _NEVER_BOOTS:
            machine.frozen = self.nodes[machine.id].was_frozen = True
        elif fate < _BOOTS_LATE:
            boot_s += dice.uniform(300.0, 2000.0)
        machine.booted_by_s = self.timeline.now_s + boot_s
        self.timeline.after(boot_s, machine.has_booted)

    def _node(self, machine: Machine, dice: Random) -> SimNode:
        bucket = self.bucket(machine.request.node_config["store_uri"])
        kind = SimNode
        if machine.request.nodes > 1:
            kind = FollowingNode if machine.rank else LeadingNode
        node = kind(
            Furnishing(
                machine=machine,
                store=self._store_of(machine),
                workload=self._workload_of(machine.request),
                dice=dice,
                skew_s=dice.uniform(-1.0, 1.0),
                loses_notices=dice.random() < 0.1,
                collective=self._collective(machine.request),
                listen=None if self._open_store else bucket.watch,
            )
        )
        if self._open_store:
            node.poll_orders()
        else:
            bucket.watch(f"orders/{node.config.attempt:06d}", node.read_orders)
        return node

    def _collective(self, request: LaunchRequest) -> Collective | None:
        if request.nodes == 1:
            return None
        if request.token not in self._collectives:
            dice = Random(f"{self._seed} {request.token}")  # noqa: S311
            self._collectives[request.token] = Collective(request.nodes, dice)
        return self._collectives[request.token]

    def _store_of(self, machine: Machine) -> Store:
        uri = machine.request.node_config["store_uri"]
        if self._open_store:
            return self._open_store(uri)
        return Store(uri, opener=self._opener(self._node_trouble(machine)))

    def _lose_with_capacity(self, machine: Machine) -> None:
        """A machine on spot goes when its pool's capacity does."""
        if machine.shelf.capacity_type != "spot":
            return
        now_s = self.timeline.now_s
        ends = [at_s for at_s in machine.shelf.capacity.changes_s if at_s > now_s]
        if ends:
            warned = machine.cloud.notice_s > 0
            self.timeline.after(ends[0] - now_s, lambda: _take_back(machine, warned=warned))


def _take_back(machine: Machine, *, warned: bool) -> None:
    if warned:
        machine.warn(machine.cloud.notice_s)
    else:
        machine.end(EndReason.INTERRUPTED)
