"""How long nothing was heard of a machine's agent, and when that is too long."""

from __future__ import annotations

from datetime import timedelta

FIRST_SIGN_SECONDS = 2700.0
"""How long a machine may take to boot and to start its agent; large ones need half an hour."""


class Silence:
    """The time since the last letter of an agent, which writes three times a lease at least."""

    def __init__(self, lease: timedelta) -> None:
        self._patience = 2 * lease.total_seconds()
        self._newest = 0
        self._since: float | None = None
        self._looked = 0.0

    def too_long(self, newest: int, now: float) -> bool:
        """Say whether the agent has been silent for too long; `newest` numbers its last letter."""
        self._looked = now
        if self._since is None or newest > self._newest:
            self._newest, self._since = newest, now
        patience = self._patience if self._newest else max(FIRST_SIGN_SECONDS, self._patience)
        return now - self._since > patience

    def cannot_tell(self, now: float) -> None:
        """The letters could not be read: the time since the last look does not count."""
        if self._since is not None:
            self._since += now - self._looked
        self._looked = now
