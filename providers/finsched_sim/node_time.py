"""The clock of one simulated machine."""

from __future__ import annotations

from datetime import datetime

from finsched_sim.timeline import Timeline


class NodeTime:
    """The world's time, a little off; waiting in the middle of a step takes none of it.

    So the retries inside of one step of the agent all meet the same state of the store.
    """

    def __init__(self, timeline: Timeline, skew_s: float) -> None:
        self.skew_s = skew_s
        self._timeline = timeline

    def now(self) -> datetime:
        """Return what this machine takes for the present moment."""
        return self.moment(self._timeline.now_s)

    def moment(self, at_s: float) -> datetime:
        """Return what this machine calls a moment of the world."""
        return self._timeline.moment(at_s + self.skew_s)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return self._timeline.now_s

    def pause(self, seconds: float) -> None:
        """Go on at once."""
