"""The doors to the clouds, one a provider, through which all runs of the process go."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from finsched import plugins
from finsched.host.loop import Loop
from finsched.host.polls import SharedPolls, for_run
from finsched.provider import Provider
from finsched.settings import Settings


class SharedClouds:
    """Loads each provider once, and asks it for the machines of all runs together."""

    def __init__(self, settings: Settings, loop: Loop) -> None:
        self._settings = settings
        self._loop = loop
        self._loading = Lock()
        self._providers: dict[str, tuple[Provider, SharedPolls | None]] = {}

    def door(self, run: str) -> Callable[[str], Provider]:
        """Return how a run comes by its providers."""
        return lambda name: for_run(*self._loaded(name), run)

    def _loaded(self, name: str) -> tuple[Provider, SharedPolls | None]:
        with self._loading:
            if name not in self._providers:
                self._providers[name] = self._load(name)
            return self._providers[name]

    def _load(self, name: str) -> tuple[Provider, SharedPolls | None]:
        provider = plugins.load(name, self._settings)
        if provider.compute is None:
            return provider, None
        interval_seconds = provider.poll_interval.total_seconds()
        polls = SharedPolls(provider.compute, interval_seconds, self._loop.wake)
        self._loop.hold(f"machines of {name}", polls.refresh)
        return provider, polls
