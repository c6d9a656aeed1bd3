"""Boots the machines that the emulated project starts, and tells it how each of them ended."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from finsched.testing.machine import EmulatedMachine, Host

from .conftest import Lab
from .gce import PROJECT, Document, Refused
from .gce_http import MACHINES_TOKEN

_LOOK_AGAIN_SECONDS = 0.1


class Fleet:
    """The hosts behind the API: each machine runs its real user data until something ends it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.machines: dict[str, EmulatedMachine] = {}
        self.most_at_once = 0
        self._gce = lab.gce
        self._folder = folder
        self._taken: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take_back(self, instance_id: str, notice_seconds: float | None = None) -> None:
        """Take a spot machine back; only its metadata service tells a notice before."""
        machine = self.machines[instance_id]
        self._taken.add(instance_id)
        if notice_seconds is None:
            machine.vanish()
        else:
            machine.give_notice(notice_seconds)

    def close(self) -> None:
        """End the loop and every machine."""
        self._closing.set()
        self._thread.join()
        for machine in self.machines.values():
            with suppress(BrokenPipeError):
                machine.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._gce.tick()
            with self._gce.lock:
                known = {f"{zone}/{name}": each for (zone, name), each in self._instances()}
            for instance_id in {*known, *self.machines}:
                self._attend(instance_id, known.get(instance_id, {"status": "gone"}))
            running = [machine for machine in self.machines.values() if not machine.is_off]
            self.most_at_once = max(self.most_at_once, len(running))
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _instances(self) -> list[tuple[tuple[str, str], Document]]:
        return list(self._gce.resources["instances"].items())

    def _attend(self, instance_id: str, instance: Document) -> None:
        is_running = instance["status"] == "RUNNING"
        if instance_id not in self.machines and is_running:
            self.machines[instance_id] = self._boot(instance_id, instance)
        machine = self.machines.get(instance_id)
        if machine is None:
            return
        if machine.is_off and is_running:
            with suppress(Refused):  # it has just been deleted
                ends = self._gce.preempt if instance_id in self._taken else self._gce.switch_off
                ends(instance_id)
        elif not is_running and not machine.is_off:
            with suppress(BrokenPipeError):  # it has just ended by itself
                machine.vanish()

    def _boot(self, instance_id: str, instance: Document) -> EmulatedMachine:
        zone, _, name = instance_id.partition("/")
        metadata = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
        names = {"name": name, "project": PROJECT, "zone": zone}
        host = Host(cloud="gcp", names=names, credential=MACHINES_TOKEN)
        folder = self._folder / f"{zone}-{name}"
        return EmulatedMachine(folder, metadata["startup-script"], host=host)
