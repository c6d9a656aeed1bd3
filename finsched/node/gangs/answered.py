"""What a node of a gang has answered with: a save that became part of a commit is old from then on.

Such a save may have come so late that it lies nearer to the leader's next one.
"""

from __future__ import annotations

from finsched.node.gangs.gang import Round


class Answered:
    """When the files were written that went into the last rounds."""

    def __init__(self) -> None:
        self._written_ns: dict[int, int] = {}

    def note(self, asked: Round, written_ns: int) -> None:
        """A round was answered with files that were written until then."""
        accepted_ns = self._written_ns.get(asked.accepted, 0)
        self._written_ns = {asked.accepted: accepted_ns, asked.number: written_ns}

    def are_new(self, asked: Round, written_ns: int) -> bool:
        """Say whether files that were written until then are new to the leader's save."""
        accepted_ns = self._written_ns.get(asked.accepted, 0)
        return written_ns > max(asked.newer_than_ns, accepted_ns)
