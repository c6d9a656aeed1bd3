"""A rehearsal: the user's real command here, under a placement's prices and interruptions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from finsched.model.market import CapacityType
from finsched.model.run import Placement, Rehearsal, Run

EARLIEST_POINT = 0.08
LATEST_POINT = 0.92
SHORTEST_NOTICE_SECONDS = 1.0
INTERVAL_HERE_SECONDS = 2.0
ELAPSED_SECONDS = 1.0
HIGHEST_SPEED = 10_000.0


def default_speed(chosen: Placement) -> float:
    """Return the speed that brings the placement's checkpoint interval down to two seconds."""
    every_seconds = chosen.checkpoint_every_seconds or 0.0
    return min(max(1.0, every_seconds / INTERVAL_HERE_SECONDS), HIGHEST_SPEED)


def hints(run: Run, placement: Placement) -> Mapping[str, Any]:
    """Return what the local machine needs to take itself back at the next seeded point."""
    rehearsal = run.rehearsal
    if rehearsal is None:
        return {}
    is_spot = placement.offer.capacity_type is CapacityType.SPOT
    if is_spot and not _has_capacity(run, rehearsal):
        return {"no_capacity": "no spot machine, as rehearsed"}
    if rehearsal.hazard_per_hour is not None:
        hazard_per_hour = rehearsal.hazard_per_hour if is_spot else 0.0
        return _arrival(run, rehearsal, hazard_per_hour, placement)
    done = run.interruptions
    if done >= (rehearsal.interruptions or 0):
        return {}
    return {
        "interruption": {
            "at_progress": points(rehearsal)[done],
            "after_seconds": _elapsed(rehearsal, done),
            "notice_seconds": _notice_seconds(rehearsal, placement, done),
        }
    }


def points(rehearsal: Rehearsal) -> list[float]:
    """Return the seeded fractions of progress at which machines are taken back, ascending."""
    count = rehearsal.interruptions or 0
    dice = random.Random(f"points {rehearsal.seed}")  # noqa: S311 - a seeded plan, no secret
    width = (LATEST_POINT - EARLIEST_POINT) / max(count, 1)
    return [EARLIEST_POINT + width * (k + dice.random()) for k in range(count)]


def without_notice(rehearsal: Rehearsal) -> int:
    """Return which interruption, counted from 0, comes without any notice."""
    dice = random.Random(f"silent {rehearsal.seed}")  # noqa: S311
    return dice.randrange(max(rehearsal.interruptions or 1, 1))


def _notice_seconds(rehearsal: Rehearsal, placement: Placement, index: int) -> float:
    if index == without_notice(rehearsal) or placement.notice_seconds <= 0:
        return 0.0
    return max(placement.notice_seconds / rehearsal.speed, SHORTEST_NOTICE_SECONDS)


def _elapsed(rehearsal: Rehearsal, index: int) -> float:
    dice = random.Random(f"elapsed {rehearsal.seed} {index}")  # noqa: S311
    return ELAPSED_SECONDS * (0.5 + dice.random())


def _has_capacity(run: Run, rehearsal: Rehearsal) -> bool:
    dice = random.Random(f"capacity {rehearsal.seed} {len(run.attempts)}")  # noqa: S311
    return dice.random() < rehearsal.spot_capacity


def _arrival(
    run: Run, rehearsal: Rehearsal, hazard_per_hour: float, placement: Placement
) -> Mapping[str, Any]:
    if hazard_per_hour <= 0:
        return {}
    number = len(run.attempts)
    dice = random.Random(f"arrival {rehearsal.seed} {number}")  # noqa: S311
    hours = dice.expovariate(hazard_per_hour)
    silent = dice.random() < 0.5 or placement.notice_seconds <= 0
    notice = max(placement.notice_seconds / rehearsal.speed, SHORTEST_NOTICE_SECONDS)
    return {
        "interruption": {
            "at_progress": None,
            "after_seconds": hours * 3600 / rehearsal.speed,
            "notice_seconds": 0.0 if silent else notice,
        }
    }
