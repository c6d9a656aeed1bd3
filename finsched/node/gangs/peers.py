"""The other nodes of an attempt: waited for at the start and at the end, told of every trouble.

Alone, a node leads, and there is nobody to wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.checkpoints.fetch import Damaged, Fetcher
from finsched.node.checkpoints.restore import Restored
from finsched.node.clock import monotonic, pause, utc_now
from finsched.node.gangs.gang import DONE, HERE, LEADER, READY, ROLL, Begun, Gang, Incomplete
from finsched.node.gangs.own_address import own_address
from finsched.node.store import StoreError

LONGEST_WAIT_SECONDS = 1200.0  # for the other nodes to boot and to set up
ROLL_SECONDS = 10.0  # for the others to answer that they are there
_TICK_SECONDS = 0.05
_ASK_AGAIN_SECONDS = 1.0
_A_MOMENT_SECONDS = 3.0
_THIS_MACHINE = "127.0.0.1"


class Peers:
    """The gang, if there is one, in the words of the agent."""

    def __init__(self, gang: Gang | None) -> None:
        self.gang = gang
        self.leads = gang is None or gang.leads
        self._called_at: float | None = None

    def wait_until_ready(self) -> None:
        """Say that this node of a standby is ready; the leader waits for all."""
        self._meet(READY, {})

    def begin(self, restored: Restored) -> Begun:
        """Wait until every node is ready to start, and from which checkpoint; raises Incomplete."""
        checkpoint = restored.commit.number if restored.commit else None
        if self.gang is None:
            return Begun(leader_address=_THIS_MACHINE, checkpoint=checkpoint)
        if self.leads:
            return _lead(self.gang, checkpoint)
        _insist(lambda gang: gang.answer(HERE, {"checkpoint": checkpoint}), self.gang)
        while self.gang.begun is None:
            pause(_TICK_SECONDS)
        return self.gang.begun

    def warn(self, end: str, what: str, ends_at: datetime) -> None:
        """Let the others save with this node, and tell what befalls it; returns at once."""
        if gang := self.gang:
            arguments = (end, f"node {gang.rank} {what}", ends_at)
            threading.Thread(target=_tell, args=(gang, *arguments), daemon=True).start()

    @property
    def know_of_an_end(self) -> bool:
        """Whether another node has told that all have to end."""
        return self.gang is not None and self.gang.end is not None

    def tell_end(self, end: str, detail: str) -> None:
        """Tell the others that they have to end, unless they know already."""
        if self.gang and self.gang.end is None:
            where = f"node {self.gang.rank}: " if self.gang.rank else ""
            _tell(self.gang, end, f"{where}{detail or end}", None)

    def wait_until_done(self) -> None:
        """Say that this node has done its part; the leader waits for all."""
        self._meet(DONE, {})

    def wait_until_over(self, until: datetime | None = None) -> bool:
        """Stay until the leader needs nothing more of this node; False where it is too late."""
        gang = self.gang
        while gang and not gang.is_over and (until is None or utc_now() < until):
            pause(_TICK_SECONDS)
        return gang is None or gang.is_over

    def hear_of_an_end(self) -> bool:
        """Wait a moment for a word of another node that explains why a command failed here."""
        give_up_at = monotonic() + _A_MOMENT_SECONDS
        while self.gang and self.gang.end is None and monotonic() < give_up_at:
            pause(_TICK_SECONDS)
        return self.gang is not None and self.gang.end is not None

    def call_roll(self) -> None:
        """Ask once, as the leader, who is still there; returns at once."""
        if self.gang and self.leads and self._called_at is None:
            self._called_at = monotonic()
            threading.Thread(target=_call_roll, args=(self.gang,), daemon=True).start()

    def absent(self) -> list[int]:
        """Return the nodes that have not answered the roll; who told of the end was there."""
        gang, called_at = self.gang, self._called_at
        if gang is None or called_at is None:
            return []
        answers = gang.gather(ROLL, go_on=lambda: monotonic() - called_at < ROLL_SECONDS)
        told = gang.end.rank if gang.end else LEADER
        return [rank for rank in gang.others if rank != told and rank not in answers]

    def _meet(self, question: str, content: Mapping[str, Any]) -> None:
        if self.gang and self.leads:
            self.gang.gather(question, go_on=lambda: True)
        elif self.gang:
            _insist(lambda gang: gang.answer(question, content), self.gang)

    def let_go(self) -> None:
        """Let the others end: the leader has said its last word."""
        if self.gang and self.leads:
            with suppress(StoreError):
                self.gang.tell_over()


def restored_at(
    checkpoint: int | None, found: Restored, log: CommitLog, fetcher: Fetcher, into: Path
) -> Restored:
    """Return what was restored, or the leader's checkpoint where this node had found another one.

    Raises Damaged, StoreError, OSError.
    """
    if checkpoint == (found.commit.number if found.commit else None):
        return found
    if checkpoint is None:
        return Restored()
    commit, directory = log.read(checkpoint), into / f"{checkpoint:08d}"
    if not isinstance(commit, Committed):
        raise Damaged(f"checkpoint {checkpoint}: its manifest cannot be read")
    fetcher.fetch(commit, directory)
    return Restored(commit=commit, directory=directory)


def _lead(gang: Gang, own: int | None) -> Begun:
    answers = gang.gather(HERE, go_on=_until(LONGEST_WAIT_SECONDS))
    if missing := [rank for rank in gang.others if rank not in answers]:
        ranks = ", ".join(map(str, missing))
        minutes = LONGEST_WAIT_SECONDS / 60
        raise Incomplete(f"node {ranks} of {gang.nodes} has not come within {minutes:g} min")
    found = [own, *(answer.get("checkpoint") for answer in answers.values())]
    begun = Begun(leader_address=own_address(), checkpoint=that_all_have(found))
    gang.begin(begun)
    return begun


def that_all_have(found: Sequence[int | None]) -> int | None:
    """Return the newest checkpoint that no node found damaged."""
    known = [number for number in found if number is not None]
    return min(known) if len(known) == len(found) else None


def _insist(act: Callable[[Gang], None], gang: Gang) -> None:
    """Act until the store lets us; the lease ends what never comes back."""
    while True:
        try:
            return act(gang)
        except StoreError:
            pause(_ASK_AGAIN_SECONDS)


def _tell(gang: Gang, end: str, detail: str, ends_at: datetime | None) -> None:
    with suppress(StoreError):  # the supervisor sees that a machine is gone, too
        gang.tell_end(end, detail, ends_at)


def _call_roll(gang: Gang) -> None:
    with suppress(StoreError):  # then nobody answers, and the attempt is not the job's failure
        gang.call_roll()


def _until(seconds: float) -> Callable[[], bool]:
    give_up_at = monotonic() + seconds
    return lambda: monotonic() < give_up_at
