"""What a run sees of the pools: only what happened when it asked them for a machine.

As in production, a pool that took or refused a machine cools down; any other may be asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from finsched.decide.live.cooldown import AFTER
from finsched.decide.spot.spells import UNSEEN_AGE_S
from finsched.model.run import AttemptEnd
from finsched.simulating.futures import PoolFuture


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """For how long a pool is left alone, in seconds; production's times unless told."""

    after_loss_s: float = AFTER[AttemptEnd.INTERRUPTED].total_seconds()
    after_refusal_s: float = AFTER[AttemptEnd.NOT_LAUNCHED].total_seconds()


class Sight:
    """Which pools can be asked, and for how long each has been as it was last seen."""

    def __init__(self, pools: Sequence[PoolFuture], cool_down: CoolDown) -> None:
        self._pools, self._cool_down = pools, cool_down
        self._cools_until_s = [0.0] * len(pools)
        self._seen_at_s = [-math.inf] * len(pools)
        self._held: int | None = None
        self.next_change_s = -math.inf
        self.can_be_asked: list[bool] = []

    @property
    def any_to_ask(self) -> bool:
        """Whether some pool can be asked."""
        return any(self.can_be_asked)

    def look(self, now_s: float) -> None:
        """See which cool-downs are over; on spot only the own pool counts, as in production."""
        if now_s < self.next_change_s:
            return
        if self._held is not None:
            self.can_be_asked = [pool == self._held for pool in range(len(self._pools))]
            self.next_change_s = math.inf
            return
        self.can_be_asked = [until_s <= now_s for until_s in self._cools_until_s]
        coming = (until_s for until_s in self._cools_until_s if until_s > now_s)
        self.next_change_s = min(coming, default=math.inf)

    def ages_s(self, now_s: float) -> list[float]:
        """As production tells them: from the start of a held machine, or from the last refusal."""
        ages = [min(now_s - seen_s, UNSEEN_AGE_S) for seen_s in self._seen_at_s]
        if self._held is not None:
            ages[self._held] = now_s - self._seen_at_s[self._held]
        return ages

    def ask(self, pool: int, now_s: float) -> float | None:
        """When the machine that the pool gives will be taken back; None if it refuses."""
        is_up, until_s = self._pools[pool].spell(now_s)
        if not is_up:
            self._cool(pool, now_s, self._cool_down.after_refusal_s)
            return None
        self.leave()
        self._held, self._seen_at_s[pool] = pool, now_s
        self.next_change_s = -math.inf
        return until_s

    def leave(self) -> None:
        """The machine that was held is given back; its pool is one like any other."""
        if self._held is not None:
            self._seen_at_s[self._held] = -math.inf
            self._held = None
            self.next_change_s = -math.inf

    def lose(self, now_s: float) -> None:
        """The machine that was held is taken back."""
        if self._held is not None:
            self._cool(self._held, now_s, self._cool_down.after_loss_s)
            self._held = None

    def _cool(self, pool: int, now_s: float, for_s: float) -> None:
        self._seen_at_s[pool] = now_s
        self._cools_until_s[pool] = now_s + for_s
        self.next_change_s = -math.inf
