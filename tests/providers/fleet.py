"""Boots the machines that an emulated cloud starts, and tells it how each of them ended."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finsched.testing.machine import EmulatedMachine, Host

_LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A machine as the cloud's API has it; `boots` gives its user data and its host."""

    is_running: bool
    boots: Callable[[], tuple[str, Host]]


class Fleet(ABC):
    """The hosts behind the API: each machine runs its real user data until something ends it.

    Machines go by the ids that finsched gives them; `taken` are those that were taken back.
    `environment` is what their image would set.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.machines: dict[str, EmulatedMachine] = {}
        self.most_at_once = 0
        self.taken: set[str] = set()
        self._folder = folder
        self._environment = environment or {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @abstractmethod
    def listed(self) -> Mapping[str, Listed]:
        """Return all machines that the API lists."""

    @abstractmethod
    def tell_ended(self, instance_id: str) -> None:
        """Tell the API how a machine has ended that it takes for a running one."""

    def take_back(self, instance_id: str, notice_seconds: float | None = None) -> None:
        """Take a spot machine back; with a notice, its metadata service tells it before."""
        machine = self.machines[instance_id]
        self.taken.add(instance_id)
        if notice_seconds is None:
            machine.vanish()
        else:
            machine.give_notice(notice_seconds)

    def has_switched_off(self, instance_id: str) -> bool:
        """Whether a machine was switched off from inside."""
        return "-P now" in self.machines[instance_id].shutdowns

    @property
    def is_off(self) -> bool:
        """Whether every machine has ended."""
        return all(machine.is_off for machine in [*self.machines.values()])

    @property
    def scripts(self) -> list[str]:
        """The user data of every machine that was booted."""
        return [(machine.folder / "user-data").read_text() for machine in [*self.machines.values()]]

    def close(self) -> None:
        """End the loop and every machine."""
        self._closing.set()
        self._thread.join()
        for machine in self.machines.values():
            with suppress(BrokenPipeError):
                machine.close()

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_AGAIN_SECONDS):
            listed = self.listed()
            for instance_id, each in listed.items():
                self._attend(instance_id, each)
            for instance_id in self.machines.keys() - listed.keys():
                self._switch_off(self.machines[instance_id])
            running = [machine for machine in self.machines.values() if not machine.is_off]
            self.most_at_once = max(self.most_at_once, len(running))

    def _attend(self, instance_id: str, listed: Listed) -> None:
        if instance_id not in self.machines and listed.is_running:
            self.machines[instance_id] = self._boot(instance_id, listed)
        machine = self.machines.get(instance_id)
        if machine is None:
            return
        if not listed.is_running:
            self._switch_off(machine)
        elif machine.is_off:
            self.tell_ended(instance_id)

    def _switch_off(self, machine: EmulatedMachine) -> None:
        if not machine.is_off:
            with suppress(BrokenPipeError):  # it has just ended by itself
                machine.vanish()

    def _boot(self, instance_id: str, listed: Listed) -> EmulatedMachine:
        user_data, host = listed.boots()
        folder = self._folder / instance_id.replace("/", "-")
        return EmulatedMachine(folder, user_data, host=host, environment=self._environment)
