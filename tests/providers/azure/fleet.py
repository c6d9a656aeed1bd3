"""Boots the machines that the emulated Azure starts; each runs its real user data."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from finsched.testing.machine import EmulatedMachine, Host

from .cloud import going_away
from .conftest import Lab

NODE_TOKEN = "token-of-the-machine"
_LOOK_AGAIN_SECONDS = 0.1


class Fleet:
    """The hosts behind the API; a machine that only switches itself off stays, as on Azure."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.machines: dict[str, EmulatedMachine] = {}
        self.most_at_once = 0
        self.boot_seconds = 0.0
        self._running_since: dict[str, float] = {}
        self._lab = lab
        self._folder = folder
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take_back(self, instance_id: str, notice_seconds: float | None = None) -> None:
        """Evict a machine; its metadata service tells a notice before, where there is one."""
        machine = self.machines[instance_id]
        if notice_seconds is None:
            machine.vanish()
            self._lab.evict(instance_id)
            return
        machine.give_notice(notice_seconds)
        machine.wait_until_off(notice_seconds + 30)
        self._lab.evict(instance_id)

    def close(self) -> None:
        """End the loop and every machine."""
        self._closing.set()
        self._thread.join()
        for machine in self.machines.values():
            with suppress(BrokenPipeError):
                machine.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            listed = {instance_id(each): each for each in self._lab.machines()}
            for name, described in listed.items():
                self._attend(name, described)
            for name in self.machines.keys() - listed.keys():
                self._switch_off(self.machines[name])
            running = [machine for machine in self.machines.values() if not machine.is_off]
            self.most_at_once = max(self.most_at_once, len(running))
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _attend(self, name: str, described: dict[str, Any]) -> None:
        since = self._running_since.setdefault(name, time.monotonic())
        has_booted = time.monotonic() - since >= self.boot_seconds
        if name not in self.machines and described.get("_power") == "running" and has_booted:
            self.machines[name] = self._boot(name, described)
        machine = self.machines.get(name)
        if machine is None:
            return
        if going_away(described):
            self._switch_off(machine)
        elif machine.is_off and "-P now" in machine.shutdowns:
            with suppress(Exception):  # it has just been deleted
                self._lab.power(name, "stopped")

    def _switch_off(self, machine: EmulatedMachine) -> None:
        if not machine.is_off:
            with suppress(BrokenPipeError):  # it has just ended by itself
                machine.vanish()

    def _boot(self, name: str, described: dict[str, Any]) -> EmulatedMachine:
        custom = described["properties"]["osProfile"]["customData"]
        host = Host(cloud="azure", names={"resource_id": described["id"]}, credential=NODE_TOKEN)
        folder = self._folder / name.replace("/", "-")
        return EmulatedMachine(folder, base64.b64decode(custom).decode(), host=host)


def instance_id(described: dict[str, Any]) -> str:
    """Return the id that finsched gives a machine."""
    return f"{described['id'].split('/')[4]}/{described['name']}"
