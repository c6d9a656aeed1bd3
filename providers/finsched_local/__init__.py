"""The local cloud: instances are supervised process trees on this machine.

docs/reference/node-contract.md has the hints by which a rehearsal makes it flaky.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from finsched.provider import Provider
from finsched_local.checks import LocalChecks
from finsched_local.compute import LocalCompute
from finsched_local.prices import LocalPrices


class LocalSettings(Protocol):
    """The settings that this provider reads."""

    @property
    def state_dir(self) -> Path:
        """Where instances have their folders."""
        ...

    @property
    def local_price_usd_per_hour(self) -> float:
        """What an hour of this machine is said to cost."""
        ...


def provider(settings: LocalSettings) -> Provider:
    """Return this machine as a cloud."""
    compute = LocalCompute(settings.state_dir / "local")
    return Provider(
        name="local",
        prices=LocalPrices(settings.local_price_usd_per_hour),
        compute=compute,
        inventory=compute,
        checks=LocalChecks(settings.state_dir / "local"),
        poll_interval=timedelta(seconds=0.15),
    )
