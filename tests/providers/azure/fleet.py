"""The machines behind the emulated Azure."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from finsched.testing.machine import Host
from tests.providers import fleet

from .cloud import going_away
from .conftest import Lab

NODE_TOKEN = "token-of-the-machine"


class Fleet(fleet.Fleet):
    """Virtual machines; one that only switches itself off stays, as on Azure.

    A machine takes `boot_seconds` from running to its first line of user data.
    """

    def __init__(
        self, lab: Lab, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.boot_seconds = 0.0
        self._running_since: dict[str, float] = {}
        self._lab = lab
        super().__init__(folder, environment)

    def listed(self) -> Mapping[str, fleet.Listed]:
        described = {_instance_id(each): each for each in self._lab.machines()}
        return {
            name: fleet.Listed(
                is_running=self._is_running(name, each), boots=partial(_booted, each)
            )
            for name, each in described.items()
        }

    def tell_ended(self, instance_id: str) -> None:
        with suppress(Exception):  # it has just been deleted
            if instance_id in self.taken:
                self._lab.evict(instance_id)
            elif self.has_switched_off(instance_id):
                self._lab.power(instance_id, "stopped")

    def _is_running(self, name: str, described: dict[str, Any]) -> bool:
        if going_away(described) or described.get("_power") != "running":
            return False
        since = self._running_since.setdefault(name, time.monotonic())
        return time.monotonic() - since >= self.boot_seconds


def _instance_id(described: dict[str, Any]) -> str:
    """Return the id that finsched gives a machine."""
    return f"{described['id'].split('/')[4]}/{described['name']}"


def _booted(described: dict[str, Any]) -> tuple[str, Host]:
    custom = described["properties"]["osProfile"]["customData"]
    host = Host(cloud="azure", names={"resource_id": described["id"]}, credential=NODE_TOKEN)
    return base64.b64decode(custom).decode(), host
