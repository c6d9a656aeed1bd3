"""The expected cost and time of a finished run, in parts: arithmetic only."""

from __future__ import annotations

import math
from typing import NamedTuple

from finsched.decide.store import KEPT_CHECKPOINTS, CheckpointStore
from finsched.decide.transfer import HOURS_PER_MONTH, DataPlan
from finsched.decide.walltime import WallTime, expected_wall_time
from finsched.model.market import BillingRule
from finsched.model.quote import Cost, Hours


class Setting(NamedTuple):
    """Everything about an offer that the expected cost of a run depends on."""

    usd_per_hour: float  # all nodes
    work_hours: float
    interval_hours: float
    save_hours: float
    boot_hours: float
    hazard_per_hour: float  # of the whole gang
    data: DataPlan
    store: CheckpointStore
    copy_usd_per_gb_month: float
    billing: BillingRule

    @property
    def restart_hours(self) -> float:
        """Hours from an interruption to useful work: boot, restore, data lost with the machine."""
        return self.boot_hours + self.store.restore_hours + self.data.restage_hours


class Expected(NamedTuple):
    """A finished run in expectation."""

    cost: Cost
    hours: Hours
    interruptions: float


def expected_run(setting: Setting) -> Expected | None:
    """The parts of a finished run's cost and time, or None where the run never ends."""
    wall = expected_wall_time(
        work_hours=setting.work_hours,
        interval_hours=setting.interval_hours,
        save_hours=setting.save_hours,
        restart_hours=setting.restart_hours,
        hazard_per_hour=setting.hazard_per_hour,
    )
    if wall is None:
        return None
    hours = Hours(
        work=wall.work_hours,
        checkpoint=wall.checkpoint_hours,
        rework=wall.rework_hours,
        restart=setting.boot_hours + wall.restart_hours,
        staging=setting.data.staging_hours,
    )
    return Expected(_cost(setting, wall, hours), hours, wall.interruptions)


def billed_hours(rule: BillingRule, hours: float, interruptions: float) -> float:
    """Hours on the bill: the minimum, and each start rounded up to the granularity.

    The last start is rounded up exactly, an interrupted one by half a step on average. Providers
    that do not bill an interrupted first hour are billed in full here: an upper bound.
    """
    step = rule.granularity_seconds / 3600
    least = max(hours, rule.minimum_seconds / 3600)
    return math.ceil(round(least / step, 9)) * step + interruptions * step / 2


def _cost(setting: Setting, wall: WallTime, hours: Hours) -> Cost:
    price = setting.usd_per_hour
    total_hours = hours.expected
    rounding = billed_hours(setting.billing, total_hours, wall.interruptions) - total_hours
    return Cost(
        compute_usd=price * (hours.work + max(0.0, rounding)),
        rework_usd=price * hours.rework,
        checkpoint_usd=price * hours.checkpoint,
        startup_usd=price * (hours.restart + hours.staging),
        transfer_usd=_transfer_usd(setting, wall),
        storage_usd=_storage_usd(setting, total_hours),
    )


def _transfer_usd(setting: Setting, wall: WallTime) -> float:
    """Egress: planned moves, reads repeated by rework, copies lost, checkpoints up and down."""
    data, store = setting.data, setting.store
    usd = data.usd + wall.interruptions * data.restage_usd
    usd += data.streamed_usd * wall.rework_hours / wall.work_hours
    if store.size_gb and (store.upload_tiers or store.restore_tiers):
        usd += store.moves_usd(setting.work_hours / setting.interval_hours, wall.interruptions)
    return usd


def _storage_usd(setting: Setting, hours: float) -> float:
    """The last checkpoints and the copied inputs, for as long as the run lasts."""
    store = setting.store
    kept = KEPT_CHECKPOINTS * store.size_gb * store.usd_per_gb_month
    return (kept + setting.data.kept_gb * setting.copy_usd_per_gb_month) * hours / HOURS_PER_MONTH
