"""Boots the machines that the emulated EC2 starts, and tells it how each of them ended."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from finsched.testing.machine import EmulatedMachine, Host

from .conftest import Lab

_LOOK_AGAIN_SECONDS = 0.1
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


class Fleet:
    """The hosts behind the API: each machine runs its real user data until something ends it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.machines: dict[str, EmulatedMachine] = {}
        self.most_at_once = 0
        self._lab = lab
        self._folder = folder
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take_back(self, instance_id: str, notice_seconds: float | None = None) -> None:
        """Take a spot machine back; the metadata service and the API tell a notice before."""
        machine, region = self.machines[instance_id], self._region(instance_id)
        if notice_seconds is None:
            machine.vanish()
        else:
            self._lab("notice", region=region, instance_id=instance_id)
            machine.give_notice(notice_seconds)

    def close(self) -> None:
        """End the loop and every machine."""
        self._closing.set()
        self._thread.join()
        for machine in self.machines.values():
            with suppress(BrokenPipeError):
                machine.close()

    def _region(self, instance_id: str) -> str:
        regions = {each["instance_id"]: each["region"] for each in self._lab("machines")}
        return str(regions[instance_id])

    def _run(self) -> None:
        while not self._closing.is_set():
            for described in self._lab("machines"):
                self._attend(described)
            running = [machine for machine in self.machines.values() if not machine.is_off]
            self.most_at_once = max(self.most_at_once, len(running))
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _attend(self, described: dict[str, Any]) -> None:
        name, is_running = described["instance_id"], described["state"] == "running"
        if name not in self.machines and is_running:
            self.machines[name] = self._boot(name, described)
        machine = self.machines.get(name)
        if machine is None:
            return
        if machine.is_off and is_running:
            how = _SWITCHED_OFF if "-P now" in machine.shutdowns else _TAKEN
            self._lab("end", region=described["region"], instance_id=name, **how)
        elif not is_running and not machine.is_off:
            with suppress(BrokenPipeError):  # it has just ended by itself
                machine.vanish()

    def _boot(self, name: str, described: dict[str, Any]) -> EmulatedMachine:
        script = base64.b64decode(described["user_data"]).decode()
        return EmulatedMachine(
            self._folder / name,
            script,
            host=Host(names={"name": name, "launch_index": str(described["launch_index"])}),
            environment={"AWS_ENDPOINT_URL": self._lab.url},
        )
