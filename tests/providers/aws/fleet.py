"""The machines behind the emulated EC2."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from finsched.testing.machine import Host
from tests.providers import fleet

from .conftest import Lab

_TAKEN = {
    "code": "Server.SpotInstanceTermination",
    "transition": "Server.SpotInstanceTermination",
    "spot_status": "instance-terminated-no-capacity",
}
_SWITCHED_OFF = {
    "code": "Client.InstanceInitiatedShutdown",
    "transition": "User initiated",
    "spot_status": "instance-terminated-by-user",
}


class Fleet(fleet.Fleet):
    """Machines of EC2; the API tells a notice, too, and every end from inside is its owner's."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        super().__init__(folder, {"AWS_ENDPOINT_URL": lab.url})

    def listed(self) -> Mapping[str, fleet.Listed]:
        return {
            f"{each['region']}/{each['instance_id']}": fleet.Listed(
                is_running=each["state"] == "running", boots=partial(_booted, each)
            )
            for each in self._lab("machines")
        }

    def take_back(self, instance_id: str, notice_seconds: float | None = None) -> None:
        if notice_seconds is not None:
            self._lab("notice", **_named(instance_id))
        super().take_back(instance_id, notice_seconds)

    def tell_ended(self, instance_id: str) -> None:
        how = _SWITCHED_OFF if self.has_switched_off(instance_id) else _TAKEN
        self._lab("end", **_named(instance_id), **how)


def _named(instance_id: str) -> dict[str, str]:
    region, _, own = instance_id.partition("/")
    return {"region": region, "instance_id": own}


def _booted(described: dict[str, Any]) -> tuple[str, Host]:
    index = str(described["launch_index"])
    host = Host(names={"name": described["instance_id"], "launch_index": index})
    return base64.b64decode(described["user_data"]).decode(), host
