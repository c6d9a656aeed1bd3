"""What this machine is, and what an hour of it is said to cost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from finsched.model.evidence import Evidence, Quality
from finsched.model.market import (
    Accelerator,
    BillingRule,
    CapacityType,
    InstanceType,
    Offer,
    ProviderTerms,
    Tier,
)

_GIB = 1 << 30
_NVIDIA_SMI_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGpus:
    """The GPUs of this machine, all of one model."""

    name: str
    count: int
    memory_gib: float


class LocalPrices:
    """One offer: this machine, at the price that the settings give it."""

    def __init__(self, price_usd_per_hour: float) -> None:
        self._price_usd_per_hour = price_usd_per_hour

    def offers(self) -> Iterable[Offer]:
        """Yield this machine."""
        yield Offer(
            instance_type=self._instance_type,
            region="local",
            zone="",
            capacity_type=CapacityType.ON_DEMAND,
            tier=Tier.STANDARD,
            price_usd_per_hour=self._price_usd_per_hour,
            evidence=_evidence("price", "setting local_price_usd_per_hour", Quality.DECLARED),
        )

    def terms(self) -> ProviderTerms:
        """Return what holds here: nobody takes the machine back, and it is there at once."""
        return ProviderTerms(
            provider="local",
            billing=BillingRule(minimum_seconds=0),
            notice=timedelta(0),
            boot=timedelta(seconds=1),
            boot_evidence=_evidence("boot time", "a process start", Quality.ESTIMATED),
        )

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield the GPU model of this machine, if it has one."""
        if self._gpus:
            yield Accelerator(
                name=self._gpus.name,
                vendor="nvidia",
                memory_gib=self._gpus.memory_gib,
                evidence=_evidence("GPU", "nvidia-smi", Quality.LIVE),
            )

    @cached_property
    def _gpus(self) -> LocalGpus | None:
        return find_gpus()

    @property
    def _instance_type(self) -> InstanceType:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return InstanceType(
            provider="local",
            name="this-machine",
            gpu=self._gpus.name if self._gpus else None,
            gpu_count=self._gpus.count if self._gpus else 0,
            gpu_memory_gib=self._gpus.memory_gib if self._gpus else None,
            vcpus=float(len(os.sched_getaffinity(0))),
            memory_gib=round(memory_bytes / _GIB, 1),
        )


def find_gpus() -> LocalGpus | None:
    """Ask nvidia-smi for the GPUs of this machine; None where there is none to ask."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed question
            query, capture_output=True, text=True, timeout=_NVIDIA_SMI_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_gpus(answer.stdout)


def parse_gpus(table: str) -> LocalGpus | None:
    """Read nvidia-smi's `name, memory in MiB` lines; of several models the most frequent counts."""
    lines = [line for line in table.splitlines() if line.count(",") == 1]
    if not lines:
        return None
    line = max(lines, key=lines.count)
    name, memory_mib = (part.strip() for part in line.split(","))
    return LocalGpus(
        name=name.removeprefix("NVIDIA ").replace(" ", "-"),
        count=lines.count(line),
        memory_gib=round(float(memory_mib) / 1024, 1),
    )


def _evidence(what: str, source: str, quality: Quality) -> Evidence:
    today = datetime.now(UTC).date()
    return Evidence(what=what, source=source, quality=quality, earliest=today, latest=today)
