"""The one cloud of the provider `sim`: eight A100 on demand and on spot, at round prices."""

from __future__ import annotations

from finsched.model.market import CapacityType, InstanceType
from finsched_sim.market import CloudPlan, PricePath, Shelf
from finsched_sim.settings import SimSettings
from finsched_sim.workload import Workload

_MACHINE = InstanceType(
    provider="sim",
    name="sim-8x",
    gpu="A100-80GB",
    gpu_count=8,
    gpu_memory_gib=80,
    vcpus=96,
    memory_gib=1152,
)
_USD_PER_HOUR = {CapacityType.ON_DEMAND: 24.0, CapacityType.SPOT: 9.0}


def plan(settings: SimSettings) -> CloudPlan:
    """Return the cloud."""
    shelves = (_shelf(way, usd_per_hour, settings) for way, usd_per_hour in _USD_PER_HOUR.items())
    return CloudPlan(
        name="sim",
        shelves=tuple(shelves),
        boot_s=(settings.boot_seconds, settings.boot_seconds),
        notice_s=5.0,
        shutdown_s=0.2,
        poll_s=0.5,
    )


def workload(settings: SimSettings) -> Workload:
    """Return a job that works for so long, whatever the job file says."""
    return Workload(
        work_s=settings.work_seconds,
        fetch_s=0.1,
        setup_s=0.1,
        save_s=0.1,
        upload_s=0.1,
        report_every_s=1.0,
    )


def _shelf(way: CapacityType, usd_per_hour: float, settings: SimSettings) -> Shelf:
    return Shelf(
        instance_type=_MACHINE,
        region="sim-1",
        zone="sim-1a",
        capacity_type=way,
        price=PricePath(steps=((0.0, usd_per_hour),)),
        losses_per_hour=settings.losses_per_hour if way is CapacityType.SPOT else 0.0,
    )
