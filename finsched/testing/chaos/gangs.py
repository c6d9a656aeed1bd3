"""Holds the nodes of each attempt to what they owe to one another."""

from __future__ import annotations

import json
from collections.abc import Sequence

from finsched.provider import EndReason
from finsched.testing.chaos import invariants
from finsched.testing.chaos.truth import LogEntry
from finsched.testing.chaos.weather import LEDGER, STORE, Weather
from finsched_sim.machine import Machine
from finsched_sim.node import SimNode
from finsched_sim.objects import Bucket
from finsched_sim.world import World

_POLLS_AT_MOST = 4  # in a row that may fail by chance


class GangInspector:
    """Knows which machines belong together, and since when one of them is missing."""

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self._weather = weather
        self._blind_s: dict[str, float] = {}  # by cloud: when nobody could ask for its machines

    def one_step(self, entry: LogEntry, bucket: Bucket, machines: Sequence[Machine]) -> str | None:
        """Check a new entry of the log against the parts that it names."""
        if entry.progress is None:
            return None
        parts = [json.loads(bucket.get(file["key"])) for file in entry.files]
        saved = [(int(part["rank"]), float(part["progress"])) for part in parts]
        leader = next(each for each in machines if each.request.attempt == entry.attempt)
        shares = self._world.nodes[leader.id].workload.shards
        ranks = range(leader.request.nodes) if shares else range(1)
        return invariants.one_step(entry, saved, ranks)

    def ends_together(self, machines: Sequence[Machine], lease_s: float) -> str | None:
        """Check the newest machines of a run: what a broken gang leaves ends soon."""
        now_s = self._world.timeline.now_s
        newest = machines[-1].request if machines else None
        if newest is None or newest.nodes == 1:
            return None
        gang = [each for each in machines[-newest.nodes :] if each.request is newest]
        cloud = gang[0].cloud
        if self._is_blind(cloud.name):
            self._blind_s[cloud.name] = now_s
        ended_s = [each.meter.ended_s for each in gang if each.meter.ended_s is not None]
        if not ended_s or len(ended_s) == len(gang) or any(each.unlisted for each in gang):
            return None
        broke_s = max(min(ended_s), self._blind_s.get(cloud.name, 0.0))
        for machine in gang:
            if machine.runs and not machine.frozen:
                since_s = max(broke_s, machine.booted_by_s, machine.thawed_s)
                reserve_s = 2 * float(newest.node_config["reserve_seconds"])
                allowed_s = lease_s + reserve_s + _POLLS_AT_MOST * cloud.poll_s
                if said := invariants.ends_together(machine, now_s - since_s, allowed_s):
                    return said
        return None

    def _is_blind(self, cloud: str) -> bool:
        return any(self._weather.storm_over(place) for place in (cloud, STORE, LEDGER))


def was_hindered(world: World, machines: Sequence[Machine], token: str) -> bool:
    """Whether an attempt could not save at its end, because one of its nodes could not."""
    gang = [each for each in machines if each.request.token == token]
    return any(_was_hindered(world.nodes[each.id], each) for each in gang)


def _was_hindered(node: SimNode, machine: Machine) -> bool:
    is_lost = machine.status.reason in {EndReason.INTERRUPTED, EndReason.FAILED}
    is_dead = node.ended is None and not node.is_alive
    is_full = node.disk_full_until_s > 0.0
    return is_lost or is_dead or is_full or node.was_frozen or node.was_deaf
