"""Simulated clouds: prices, capacity, machines and bills from one seed, on a virtual clock.

As the provider `sim` one such cloud lives in the process that uses it and keeps real time, so that
the command line can be tried without an account; its machines are gone when the process ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, Protocol, TypeVar

from finsched.errors import NotConfigured
from finsched.node.clock import utc_now
from finsched.node.store import Store
from finsched.provider import Provider
from finsched_sim.settings import SimSettings, sim_settings
from finsched_sim.showcase import plan, workload
from finsched_sim.timeline import Timeline
from finsched_sim.world import World

Result = TypeVar("Result")


class Settings(Protocol):
    """The settings that this provider reads."""

    @property
    def clouds(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables named after providers."""
        ...


class RealTime:
    """Lets the simulated world catch up with real time before every call of its API."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._one_at_a_time = RLock()

    def lateness_s(self, place: str) -> float:  # noqa: ARG002
        """Not at all."""
        return 0.0

    def around(self, place: str, operation: str, effect: Callable[[], Result]) -> Result:  # noqa: ARG002
        """Do what the call is for, at the present moment."""
        with self._one_at_a_time:
            self._timeline.run_until(self._timeline.seconds(utc_now()))
            return effect()


def provider(settings: Settings) -> Provider:
    """Return one simulated cloud; it is there only where the config has a table `[sim]`."""
    if "sim" not in settings.clouds:
        raise NotConfigured(
            "the simulated cloud is not switched on",
            fix="write a table [sim] into the config file, for a trial without an account",
        )
    return simulated(sim_settings(settings.clouds["sim"]))


def simulated(settings: SimSettings) -> Provider:
    """Return one simulated cloud that keeps real time."""
    timeline = Timeline(utc_now())
    world = World(
        [plan(settings)],
        lambda _request: workload(settings),
        seed=settings.seed,
        timeline=timeline,
        trouble=RealTime(timeline),
        open_store=Store,
    )
    return world.clouds["sim"].provider
