"""What a node of a gang has answered with, and which of its saves belong to a round.

A save that became part of a commit is old from then on: it may have come so late that it lies
nearer to the leader's next one. And a save at the signal belongs to the leader's save at the
signal only, however far apart the two were signalled.
"""

from __future__ import annotations

from finsched.node.gangs.gang import Round


class Answered:
    """When the files were written that went into the last rounds, and when all had to end."""

    def __init__(self) -> None:
        self._written_ns: dict[int, int] = {}
        self._signal_ns: int | None = None

    def signalled(self, at_ns: int) -> None:
        """This node is asked to save and to end: what is written from then on is its last save."""
        self._signal_ns = at_ns

    def is_last_save(self, written_ns: int) -> bool:
        """Say whether files that were written until then are a save at the signal."""
        return self._signal_ns is not None and written_ns >= self._signal_ns

    def note(self, asked: Round, written_ns: int) -> None:
        """A round was answered with files that were written until then."""
        accepted_ns = self._written_ns.get(asked.accepted, 0)
        self._written_ns = {asked.accepted: accepted_ns, asked.number: written_ns}

    def are_new(self, asked: Round, written_ns: int) -> bool:
        """Say whether files that were written until then are new to the leader's save."""
        if asked.signalled != self.is_last_save(written_ns):
            return False
        accepted_ns = self._written_ns.get(asked.accepted, 0)
        return written_ns > max(asked.newer_than_ns, accepted_ns)
