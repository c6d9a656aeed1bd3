"""What a simulated agent is made of: its time, its letters, and what befalls its machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from finsched.node.checkpoints.commit_log import Fenced
from finsched.node.clock import time_from
from finsched.node.config import NodeConfig
from finsched.node.ending import End
from finsched.node.gangs.gang import LEADER
from finsched.node.store import StoreError
from finsched_sim.furnishing import Furnishing
from finsched_sim.letters import Letters
from finsched_sim.node_time import NodeTime
from finsched_sim.timeline import Appointment
from finsched_sim.trouble import Gone


class NodeProcess:
    """A process on a machine: whatever it does, it does unless the machine is gone or frozen."""

    def __init__(self, made_of: Furnishing) -> None:
        document = NodeConfig.from_document(made_of.machine.request.node_config)
        self.config = replace(document, node_rank=made_of.machine.rank)
        self.workload = made_of.workload
        self.ended: End | None = None
        self.was_frozen = False
        self._machine = made_of.machine
        self._store = made_of.store
        self._dice = made_of.dice
        self._timeline = made_of.machine.timeline
        self._time = NodeTime(self._timeline, made_of.skew_s)
        self._letters = Letters(self._store, self.config.attempt)
        self._posted_s = 0.0
        self._alive = True
        self._thawed: list[Callable[[], None]] = []

    @property
    def leads(self) -> bool:
        """Whether it speaks for its attempt."""
        return self.config.node_rank == LEADER

    @property
    def token(self) -> str:
        """What its machine was asked for with."""
        return self._machine.request.token

    @property
    def is_alive(self) -> bool:
        """Whether the agent is there at all."""
        return self._alive

    def die(self) -> None:
        """The machine is gone, whatever the agent was about to do."""
        self._alive = False

    def freeze(self) -> None:
        """Nothing happens here until it thaws; the machine is paid all the same."""
        self.was_frozen = True
        self._machine.frozen = True

    def thaw(self) -> None:
        """What was due meanwhile happens now, as on a machine that its host had stopped."""
        self._machine.frozen, self._machine.thawed_s = False, self._timeline.now_s
        due, self._thawed = self._thawed, []
        for action in due:
            self._act(action)

    @property
    def _poll_s(self) -> float:
        return self._dice.uniform(0.0, self.config.poll_seconds)

    def _warn(self, text: str) -> None:
        rank = self.config.node_rank
        where = f"node {rank}: " if rank else ""
        self._post("warning", text=f"{where}{text}", node=rank)

    def _post(self, kind: str, **content: object) -> None:
        self._posted_s = self._timeline.now_s
        self._letters.post(kind, **content)
        if not self._letters.send() and kind != "ended":
            self._after(10.0, self._send_again)

    def _show_life(self) -> None:
        """As long as nothing else is written, a letter says that the agent lives."""
        if self.ended:
            return
        every_s = self.config.lease_seconds / 3
        quiet_s = self._timeline.now_s - self._posted_s
        if quiet_s >= every_s - 1.0 and self._letters.all_sent:
            self._post("alive", node=self.config.node_rank)
            quiet_s = 0.0
        self._after(max(every_s - quiet_s, 30.0), self._show_life)

    def _send_again(self) -> None:
        if not self._letters.send() and self.ended is None:
            self._after(10.0, self._send_again)

    def _after(self, seconds: float, action: Callable[[], None]) -> Appointment:
        return self._timeline.after(seconds, lambda: self._act(action))

    def _act(self, action: Callable[[], None]) -> None:
        """Do something, unless the machine is gone, or frozen: then it is done at the thaw."""
        if not self._alive:
            return
        if self._machine.frozen:
            self._thawed.append(action)
            return
        with time_from(self._time), suppress(Gone):
            try:
                action()
            except (Fenced, StoreError) as error:
                self._fails(error)

    def _fails(self, error: Fenced | StoreError) -> None:
        """Nothing can go on here."""
        raise NotImplementedError
