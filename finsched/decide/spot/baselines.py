"""Policies to compare with: on-demand only, greedy, and Uniform Progress."""

from __future__ import annotations

from finsched.decide.spot.situation import Off, Placement, Situation, SpotJob


class OnDemand:
    """Never takes spot."""

    def __init__(self, job: SpotJob) -> None:
        self._job = job

    def decide(self, now: Situation) -> Placement:  # noqa: ARG002 - the protocol's signature
        """On-demand, always."""
        return Off.ON_DEMAND


class Greedy:
    """Takes any spot, waits while there is none, and pays full price once the slack is used up."""

    def __init__(self, job: SpotJob) -> None:
        self._job = job
        self._turns = _Turns(job)

    def decide(self, now: Situation) -> Placement:
        """Stay on spot; stay on demand once there."""
        if isinstance(now.placement, int):
            return now.placement
        if now.placement is Off.ON_DEMAND or slack_is_used_up(self._job, now):
            return Off.ON_DEMAND
        pool = self._turns.next_pool(now)
        return Off.IDLE if pool is None else self._turns.take(pool)


class UniformProgress:
    """Keeps to a line of even progress (Wu et al., "Can't Be Late", NSDI 2024).

    Ahead of the line it waits for spot, behind it pays for on-demand; it leaves on-demand only for
    spot, and only when two changeovers ahead.
    """

    def __init__(self, job: SpotJob) -> None:
        self._job = job
        self._turns = _Turns(job)

    def decide(self, now: Situation) -> Placement:
        """Stay on spot until it is taken back."""
        if isinstance(now.placement, int):
            return now.placement
        if slack_is_used_up(self._job, now):
            return Off.ON_DEMAND
        pool = self._turns.next_pool(now)
        margin_s = 2 * self._job.changeover_s if now.placement is Off.ON_DEMAND else 0.0
        if pool is None or now.placement is Off.ON_DEMAND:
            behind = self._behind(now, margin_s)
            if pool is None:
                stays = now.placement is Off.ON_DEMAND or behind
                return Off.ON_DEMAND if stays else Off.IDLE
            if behind:
                return Off.ON_DEMAND
        return self._turns.take(pool)

    def _behind(self, now: Situation, margin_s: float) -> bool:
        job = self._job
        elapsed_s = job.deadline_s - now.time_left_s
        done_s = job.work_s - now.work_left_s
        return done_s < (elapsed_s + margin_s) * (job.work_s / job.deadline_s)


def slack_is_used_up(job: SpotJob, now: Situation) -> bool:
    """The authors' safety net: two changeovers before the last moment."""
    return now.time_left_s - job.tick_s < now.work_left_s + 2 * job.changeover_s


class _Turns:
    """The next available pool: where the data is first, then in turn after the last one used."""

    def __init__(self, job: SpotJob) -> None:
        self._pools = job.pools
        self._last = -1

    def next_pool(self, now: Situation) -> int | None:
        count = len(self._pools)
        order = [(self._last + 1 + step) % count for step in range(count)]
        free = [pool for pool in order if now.available[pool]]
        near = [p for p in free if now.data_region in (None, self._pools[p].region)]
        return next(iter(near or free), None)

    def take(self, pool: int) -> int:
        self._last = pool
        return pool
