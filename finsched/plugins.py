"""Finds provider packages by entry point and imports one only when it is used.

There are two groups. `finsched.providers` can be launched on, once they are set up; every quote
asks them whether they are. `finsched.prices` can be asked for prices alone, which only a refresh
does: clouds that nothing is launched on yet, and price lists that need no account.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING

from finsched.errors import FinschedError, NotConfigured, ProviderProblem, SpecError
from finsched.settings import PRICES, PROVIDERS, Settings

if TYPE_CHECKING:
    from finsched.provider import Provider


def names() -> tuple[str, ...]:
    """Return the names of all installed providers, sorted; none of them is imported."""
    return _names_in(PROVIDERS)


def priced_names() -> tuple[str, ...]:
    """Return the names of all that may be asked for prices, whether they can launch or not."""
    return tuple(sorted({*_names_in(PROVIDERS), *_names_in(PRICES)}))


def load(name: str, settings: Settings) -> Provider:
    """Import one provider and return what it hands over.

    Raises SpecError for a name that no package has, NotConfigured where the provider lacks
    something, and ProviderProblem for a package that is broken.
    """
    group = PROVIDERS if name in names() else PRICES
    return _handed_over(_entry_point(name, group), settings)


def load_prices(name: str, settings: Settings) -> Provider:
    """Return a provider to ask for prices: as it is set up, or else its price list alone.

    Raises as `load` does.
    """
    try:
        return load(name, settings)
    except NotConfigured:
        if name not in names() or name not in _names_in(PRICES):
            raise
    return _handed_over(_entry_point(name, PRICES), settings)


def _handed_over(entry_point: EntryPoint, settings: Settings) -> Provider:
    try:
        provider = entry_point.load()(settings)
    except FinschedError:
        raise
    # whatever a third party's package raises must not take finsched down
    except Exception as error:
        raise _broken(entry_point, f"{type(error).__name__}: {error}") from error

    from finsched.provider import Provider  # noqa: PLC0415 - not for one that is not set up

    if not isinstance(provider, Provider) or provider.name != entry_point.name:
        raise _broken(entry_point, "it did not hand over a provider of that name")
    return _asked_as_often(provider, settings)


def _asked_as_often(provider: Provider, settings: Settings) -> Provider:
    """A user may say how often a cloud is asked; this machine is asked all the time."""
    if settings.poll_interval is None or provider.poll_interval < timedelta(seconds=1):
        return provider
    return replace(provider, poll_interval=settings.poll_interval)


def _names_in(group: str) -> tuple[str, ...]:
    return tuple(sorted({entry_point.name for entry_point in _installed(group)}))


def _entry_point(name: str, group: str) -> EntryPoint:
    found = {str(entry.dist and entry.dist.name): entry for entry in _registered(name, group)}
    if not found:
        raise SpecError(f"no installed package provides {name!r}", fix=_fix(name))
    if len(found) > 1:
        packages = " and ".join(sorted(found))
        message = f"the provider {name!r} is registered by {packages}"
        raise ProviderProblem(message, fix="uninstall all but one of them")
    return next(iter(found.values()))


def _registered(name: str, group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_point for entry_point in _installed(group) if entry_point.name == name)


@cache
def _installed(group: str) -> EntryPoints:
    """Every entry point of a group; looking through all installed packages takes milliseconds."""
    return entry_points(group=group)


def _fix(name: str) -> str:
    installed = priced_names()
    close = get_close_matches(name, installed, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"installed are {', '.join(installed) or 'none'}"


def _broken(entry_point: EntryPoint, problem: str) -> ProviderProblem:
    package = entry_point.dist.name if entry_point.dist else entry_point.module
    message = f"the provider {entry_point.name!r} of {package} is broken: {problem}"
    return ProviderProblem(message, fix=f"update or uninstall {package}")
