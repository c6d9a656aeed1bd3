"""The machines behind the emulated Compute Engine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from finsched.testing.machine import Host
from tests.providers import fleet

from .conftest import Lab
from .gce import PROJECT, Document, Refused
from .gce_http import MACHINES_TOKEN


class Fleet(fleet.Fleet):
    """Machines of Compute Engine; one that was taken back is gone, one that stopped stays."""

    def __init__(
        self, lab: Lab, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._gce = lab.gce
        super().__init__(folder, environment)

    def listed(self) -> Mapping[str, fleet.Listed]:
        self._gce.tick()
        with self._gce.lock:
            return {
                f"{zone}/{name}": fleet.Listed(
                    is_running=instance["status"] == "RUNNING",
                    boots=partial(_booted, zone, name, instance),
                )
                for (zone, name), instance in self._gce.resources["instances"].items()
            }

    def tell_ended(self, instance_id: str) -> None:
        was_taken = instance_id in self.taken
        with suppress(Refused):  # it has just been deleted
            (self._gce.preempt if was_taken else self._gce.switch_off)(instance_id)


def _booted(zone: str, name: str, instance: Document) -> tuple[str, Host]:
    metadata = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
    names = {"name": name, "project": PROJECT, "zone": zone}
    host = Host(cloud="gcp", names=names, credential=MACHINES_TOKEN)
    return metadata["startup-script"], host
