"""The deadline guarantee: a hard net under every policy, not a weight in one."""

from __future__ import annotations

from finsched.decide.spot.situation import Off, Placement, Situation, SpotJob

_ROUNDING_S = 1e-6


def can_still_fall_back(job: SpotJob, now: Situation, wanted: Placement) -> bool:
    """Whether a fresh on-demand machine, started next tick, would still finish in time.

    A policy that goes on demand wherever this is false meets the deadline under every pattern of
    interruptions, if on-demand machines can be had and could have met it from the start.
    """
    progress_s = _progress_s(job, now, wanted)
    if progress_s >= now.work_left_s:
        return True
    work_s = now.work_left_s - progress_s
    return now.time_left_s - job.tick_s + _ROUNDING_S >= work_s + job.changeover_s


def _progress_s(job: SpotJob, now: Situation, wanted: Placement) -> float:
    """Work done in the coming tick."""
    if wanted is Off.IDLE:
        return 0.0
    stays = wanted == now.placement
    changeover_s = now.changeover_left_s if stays else job.changeover_s
    return max(0.0, job.tick_s - changeover_s)
