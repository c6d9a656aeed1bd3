"""The job of a gang: its commands work in step with one another, or not at all."""

from __future__ import annotations

from random import Random
from typing import Protocol


class Member(Protocol):
    """One command of such a job, on its node."""

    @property
    def leads(self) -> bool:
        """Whether it is the first one, which keeps count of the work."""
        ...

    @property
    def progress(self) -> float:
        """The fraction of the work that is done."""
        ...

    @property
    def is_in_step(self) -> bool:
        """Whether it would work if all the others did."""
        ...

    @property
    def is_reachable(self) -> bool:
        """Whether it runs, and can hear of a signal."""
        ...

    def work_on(self) -> None:
        """All work: so does this one."""
        ...

    def hold(self) -> None:
        """Somebody does not: this one waits."""
        ...

    def save_together(self, progress: float) -> None:
        """All save at this point of the work."""
        ...

    def finish_together(self) -> None:
        """The work is done."""
        ...

    def lose_connection(self, seconds: float) -> None:
        """A peer is gone: the command fails after a while."""
        ...


class Collective:
    """All commands of one attempt: what one of them does not do, no other can."""

    def __init__(self, nodes: int, dice: Random) -> None:
        self._nodes = nodes
        self._dice = dice
        self._members: list[Member] = []
        self._breaks_off = dice.random() < 0.5  # or else it hangs when a peer is gone

    def join(self, member: Member) -> None:
        """One more command will be there."""
        self._members.append(member)

    def changed(self) -> None:
        """Some command came, went, stood still or goes on."""
        is_whole = len(self._members) == self._nodes
        together = is_whole and all(member.is_in_step for member in self._members)
        for member in self._members:
            if member.leads:
                act = member.work_on if together else member.hold
                act()

    @property
    def hears(self) -> bool:
        """Whether the commands wait for none that is gone, so that a signal reaches them."""
        return all(member.is_reachable for member in self._members)

    @property
    def progress(self) -> float:
        """The point of the work at which all of them are."""
        return max((member.progress for member in self._members if member.leads), default=0.0)

    def save(self, progress: float) -> None:
        """The first command saves: all the others do."""
        for member in self._others():
            member.save_together(progress)

    def finish(self) -> None:
        """The work is done, on all nodes at once."""
        for member in self._others():
            member.finish_together()

    def lost(self, gone: Member) -> None:
        """A command is gone without a word: the others fail, or wait for it for ever."""
        self.changed()
        for member in self._members:
            if member is not gone and self._breaks_off:
                member.lose_connection(self._dice.uniform(1.0, 60.0))

    def _others(self) -> list[Member]:
        return [member for member in self._members if not member.leads]
