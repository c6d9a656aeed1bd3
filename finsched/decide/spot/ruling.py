"""What a run does where nobody tells which pools have machines: the policy's wish, and the net."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from finsched.decide.spot.safety import can_still_fall_back
from finsched.decide.spot.situation import Off, Placement, Policy, Situation, SpotJob, Weighing


class Ruling(NamedTuple):
    """Where a run goes; `forced` where the net overruled the policy."""

    placement: Placement
    forced: bool = False


def rule(policy: Policy, job: SpotJob, now: Situation, kept_left_s: float) -> Ruling:
    """Ask a policy, and go on demand where losing all that is not kept would miss the deadline.

    `kept_left_s` is the work that is not behind a commit. Here `available` means that a pool may
    be asked for a machine. A start on spot must leave time to boot, to lose an interval and to come
    back, so that a run does not go to and fro.
    """
    wanted = _wish(policy, now)
    if wanted is Off.ON_DEMAND:
        return Ruling(wanted)
    starts = isinstance(wanted, int) and wanted != now.placement
    ahead_s = job.changeover_s + job.kept_every_s if starts else 0.0
    if _is_safe(job, now, kept_left_s, ahead_s):
        return Ruling(wanted)
    return Ruling(Off.ON_DEMAND, forced=True)


def _wish(policy: Policy, now: Situation) -> Placement:
    wanted = policy.decide(now)
    if isinstance(wanted, int) and not now.available[wanted]:
        wanted = Off.IDLE
    if wanted is Off.IDLE and now.placement is Off.IDLE and any(now.available):
        return _rather_ask(policy, now)
    return wanted


def _rather_ask(policy: Policy, now: Situation) -> Placement:
    """Waiting shows nothing of pools that nobody watches; asking one costs nothing."""
    if not isinstance(policy, Weighing):
        return Off.IDLE
    costs = {where: cost for where, cost in policy.weigh(now).items() if isinstance(where, int)}
    return min(costs, key=lambda where: costs[where])


def _is_safe(job: SpotJob, now: Situation, kept_left_s: float, ahead_s: float) -> bool:
    """Whether on-demand would still do at the next look, `ahead_s` later."""
    later = replace(now, time_left_s=now.time_left_s - ahead_s, work_left_s=kept_left_s)
    return can_still_fall_back(job, later, Off.IDLE)
