"""The job as a simulated machine runs it: how long it works, saves and uploads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finsched.provider import LaunchRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One job on one kind of machine; all times in seconds.

    `fails_at` is the fraction of the work at which the user's own program ends with an error. On
    several nodes each of them saves a part where there are `shards`, or else only the first one.
    """

    work_s: float
    fetch_s: float = 30.0
    setup_s: float = 60.0
    save_s: float = 30.0
    upload_s: float = 60.0
    report_every_s: float = 900.0
    size_bytes: int = 64
    heeds_signal: bool = True
    fails_at: float | None = None
    shards: bool = True


WorkloadOf = Callable[[LaunchRequest], Workload]
