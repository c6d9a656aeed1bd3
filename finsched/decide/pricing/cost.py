"""The expected cost and time of a finished run, in parts: arithmetic only."""

from __future__ import annotations

import math
from typing import NamedTuple

from finsched.decide.pricing.checkpoint_store import CheckpointStore
from finsched.decide.pricing.transfer import HOURS_PER_MONTH, DataPlan
from finsched.decide.pricing.walltime import WallTime, expected_wall_time
from finsched.model.market import BillingRule
from finsched.model.quote import Cost, Hours


class Setting(NamedTuple):
    """Everything about an offer that the expected cost of a run depends on, but its data plan."""

    usd_per_hour: float  # all nodes
    work_hours: float
    interval_hours: float
    save_hours: float
    boot_hours: float
    hazard_per_hour: float  # of the whole gang
    store: CheckpointStore
    copy_usd_per_gb_month: float
    billing: BillingRule

    def restart_hours(self, data: DataPlan) -> float:
        """Hours from an interruption to useful work: boot, restore, data lost with the machine."""
        return self.boot_hours + self.store.restore_hours + data.restage_hours


class Expected(NamedTuple):
    """A finished run in expectation, with one way to move its data."""

    data: DataPlan
    wall: WallTime
    boot_hours: float
    hours: float
    billed_hours: float
    usd_per_hour: float
    transfer_usd: float
    storage_usd: float

    @property
    def total_usd(self) -> float:
        """All parts together."""
        return self.billed_hours * self.usd_per_hour + self.transfer_usd + self.storage_usd

    @property
    def uninterrupted_hours(self) -> float:
        """The run's hours when nothing interrupts it."""
        wall = self.wall
        saving_hours = wall.work_hours + wall.checkpoint_hours
        return saving_hours + self.boot_hours + self.data.staging_hours

    @property
    def lost_usd(self) -> float:
        """What interruptions cost: work done twice and restarts."""
        return self.usd_per_hour * (self.wall.rework_hours + self.wall.restart_hours)

    def cost(self, *, premium_usd: float = 0.0) -> Cost:
        """The parts of the cost; what billing rounds up and a premium are in compute."""
        price, wall = self.usd_per_hour, self.wall
        rounding_hours = self.billed_hours - self.hours
        return Cost(
            compute_usd=price * (wall.work_hours + rounding_hours) + premium_usd,
            rework_usd=price * wall.rework_hours,
            checkpoint_usd=price * wall.checkpoint_hours,
            startup_usd=price * (self.boot_hours + wall.restart_hours + self.data.staging_hours),
            transfer_usd=self.transfer_usd,
            storage_usd=self.storage_usd,
        )

    def parts(self) -> Hours:
        """The parts of the time."""
        wall = self.wall
        return Hours(
            work=wall.work_hours,
            checkpoint=wall.checkpoint_hours,
            rework=wall.rework_hours,
            restart=self.boot_hours + wall.restart_hours,
            staging=self.data.staging_hours,
        )


def expected_run(setting: Setting, data: DataPlan) -> Expected | None:
    """A finished run with its data moved this way, or None where it never ends."""
    wall = expected_wall_time(
        work_hours=setting.work_hours,
        interval_hours=setting.interval_hours,
        save_hours=setting.save_hours,
        restart_hours=setting.restart_hours(data),
        hazard_per_hour=setting.hazard_per_hour,
    )
    if wall is None:
        return None
    hours = wall.hours + setting.boot_hours + data.staging_hours
    return Expected(
        data,
        wall,
        setting.boot_hours,
        hours,
        billed_hours(setting.billing, hours, wall.interruptions),
        setting.usd_per_hour,
        _transfer_usd(setting, data, wall),
        _storage_usd(setting, data, hours),
    )


def billed_hours(rule: BillingRule, hours: float, interruptions: float) -> float:
    """Hours on the bill: at least the minimum, and each start rounded up to the granularity.

    The last start is rounded up exactly, an interrupted one by half a step on average; steps of a
    second are too small to count. A provider that does not bill an interrupted first hour is
    counted in full here: an upper bound.
    """
    least = max(hours, rule.minimum_seconds / 3600)
    if rule.granularity_seconds <= 1:
        return least
    step = rule.granularity_seconds / 3600
    return math.ceil(round(least / step, 9)) * step + interruptions * step / 2


def _transfer_usd(setting: Setting, data: DataPlan, wall: WallTime) -> float:
    """Egress: planned moves, reads repeated by rework, copies lost, checkpoints up and down."""
    usd = data.usd + wall.interruptions * data.restage_usd
    if data.streamed_usd:
        usd += data.streamed_usd * wall.rework_hours / wall.work_hours
    if setting.store.is_priced:
        uploads = setting.work_hours / setting.interval_hours
        usd += setting.store.moves_usd(uploads, wall.interruptions)
    return usd


def _storage_usd(setting: Setting, data: DataPlan, hours: float) -> float:
    """The last checkpoints and the copied inputs, for as long as the run lasts."""
    store = setting.store
    usd_per_month = store.kept * store.size_gb * store.usd_per_gb_month
    usd_per_month += data.kept_gb * setting.copy_usd_per_gb_month
    return usd_per_month * hours / HOURS_PER_MONTH
