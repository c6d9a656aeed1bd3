"""Boots the machines that the emulated Google Cloud and Azure start, and ends them with those.

Each machine runs its real user data. A machine deletes itself through the emulated API, as on the
real clouds; what the API deletes or takes back is switched off here.
"""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from finsched.testing.machine import EmulatedMachine, Host

from ..providers.azure.arm import Arm
from ..providers.azure.cloud import VM
from ..providers.gcp.gce import PROJECT
from ..providers.gcp.gce_http import MACHINES_TOKEN, Cloud

_LOOK_AGAIN_SECONDS = 0.1


class Hosts(Protocol):
    """The machines of one cloud, as its API sees them."""

    def running(self) -> dict[str, tuple[str, Host]]:
        """Return user data and host of every machine that is to run, by its name."""
        ...


class GoogleHosts:
    """Machines of Compute Engine."""

    def __init__(self, cloud: Cloud) -> None:
        self._gce = cloud.gce

    def running(self) -> dict[str, tuple[str, Host]]:
        self._gce.tick()
        with self._gce.lock:
            machines = [*self._gce.resources["instances"].items()]
        return {
            name: (_startup_script(instance), _google_host(zone, name))
            for (zone, name), instance in machines
            if instance["status"] == "RUNNING"
        }

    def take_back(self, name: str) -> None:
        """Preempt a machine: with the termination action DELETE it is gone."""
        [zone] = [z for z, known in self._gce.resources["instances"] if known == name]
        self._gce.preempt(f"{zone}/{name}")


class AzureHosts:
    """Virtual machines of Azure."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def running(self) -> dict[str, tuple[str, Host]]:
        with self._arm.lock:
            self._arm.cloud.settle()
            machines = self._arm.cloud.of_kind(VM)
            return {
                each["id"]: (_custom_data(each), _azure_host(each["id"]))
                for each in machines
                if each["properties"]["provisioningState"] == "Succeeded"
            }

    def take_back(self, path: str) -> None:
        """Evict a machine: with the policy Delete it is gone."""
        with self._arm.lock:
            self._arm.cloud.vanish(path)


class Datacenter:
    """Keeps the machines of one cloud in step with its API."""

    def __init__(self, hosts: Hosts, folder: Path, environment: dict[str, str]) -> None:
        self.machines: dict[str, EmulatedMachine] = {}
        self._hosts = hosts
        self._folder = folder
        self._environment = environment
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the loop and every machine."""
        self._closing.set()
        self._thread.join()
        for machine in self.machines.values():
            with suppress(BrokenPipeError):
                machine.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            running = self._hosts.running()
            for name, (script, host) in running.items():
                if name not in self.machines:
                    self.machines[name] = self._boot(script, host)
            for name, machine in self.machines.items():
                if name not in running and not machine.is_off:
                    with suppress(BrokenPipeError):  # it has just ended by itself
                        machine.vanish()
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _boot(self, script: str, host: Host) -> EmulatedMachine:
        folder = self._folder / f"{host.cloud}-{len(self.machines)}"
        return EmulatedMachine(folder, script, host=host, environment=self._environment)


def _startup_script(instance: dict[str, Any]) -> str:
    items = {item["key"]: item["value"] for item in instance["metadata"]["items"]}
    return str(items["startup-script"])


def _google_host(zone: str, name: str) -> Host:
    names = {"name": name, "project": PROJECT, "zone": zone}
    return Host(cloud="gcp", names=names, credential=MACHINES_TOKEN)


def _custom_data(machine: dict[str, Any]) -> str:
    return base64.b64decode(machine["properties"]["osProfile"]["customData"]).decode()


def _azure_host(path: str) -> Host:
    return Host(cloud="azure", names={"resource_id": path}, credential="token-of-the-machine")
