"""What a machine type of an offer is to Compute Engine, and where it is sold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from finsched.errors import InvalidRequest, NoCapacity
from finsched.model.market import Offer
from finsched_gcp.api import Api
from finsched_gcp.names import last_part, region_of

ACCELERATORS = {
    "K80": "nvidia-tesla-k80",
    "P4": "nvidia-tesla-p4",
    "P100": "nvidia-tesla-p100",
    "T4": "nvidia-tesla-t4",
    "V100": "nvidia-tesla-v100",
}
"""GPUs that are attached to a machine; all others are built into a machine type of their own."""

_WITH_GPUS = re.compile(r"(?P<type>[a-z0-9-]+)(?:\+(?P<count>\d+)x(?P<gpu>\w+))?")
_ONLY_HYPERDISK = ("a3-ultragpu", "a4", "a4x", "g4")
# https://cloud.google.com/compute/docs/disks/hyperdisks: newer families take no persistent disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine type and the GPUs that are attached to it, none where they are built in."""

    type: str
    accelerator: str = ""
    count: int = 0

    @property
    def disk_type(self) -> str:
        """The kind of boot disk that it takes."""
        if self.type.startswith(_ONLY_HYPERDISK):
            return "hyperdisk-balanced"
        return "pd-balanced"


def machine_of(name: str) -> Machine:
    """Read an offer's instance type, such as `n1-standard-8+1xT4`; raises InvalidRequest."""
    found = _WITH_GPUS.fullmatch(name)
    if found is None or name.startswith("tpu-") or (found["gpu"] or "T4") not in ACCELERATORS:
        raise InvalidRequest(
            f"gcp: {name} cannot be launched by finsched, only quoted", fix="ask for a GPU machine"
        )
    if not found["gpu"]:
        return Machine(type=name)
    return Machine(
        type=found["type"], accelerator=ACCELERATORS[found["gpu"]], count=int(found["count"])
    )


class Zones:
    """Where a machine is sold, asked once for each machine."""

    def __init__(self, api: Api) -> None:
        self._sell = lru_cache(maxsize=None)(lambda *what: _zones_with(api, *what))

    def for_offer(self, offer: Offer) -> list[str]:
        """Return the zones to try, in the same order each time; an offer may name no zone.

        Raises NoCapacity where the machine is not sold there: a price list may name zones that
        have never had it, or no longer.
        """
        machine = machine_of(offer.instance_type.name)
        zones = self._sell("MachineTypes", "machine_types", machine.type)
        if machine.accelerator:
            zones &= self._sell("AcceleratorTypes", "accelerator_types", machine.accelerator)
        there = {zone for zone in zones if region_of(zone) == offer.region}
        found = sorted(there & {offer.zone} if offer.zone else there)
        if not found:
            where = offer.zone or offer.region
            raise NoCapacity(
                f"gcp/{where}: {offer.instance_type.name} is not sold there",
                fix="finsched tries the next pool",
            )
        return found


def _zones_with(api: Api, service: str, key: str, name: str) -> frozenset[str]:
    told = api.surveyed(service, key, filter=f'name = "{name}"')
    return frozenset(last_part(each.zone) for each in told.found if each.name == name)
