"""Finds provider packages by entry point and imports one only when it is used."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING

from finsched.errors import FinschedError, ProviderProblem, SpecError
from finsched.settings import PROVIDERS, Settings

if TYPE_CHECKING:
    from finsched.provider import Provider


def names() -> tuple[str, ...]:
    """Return the names of all installed providers, sorted; none of them is imported."""
    return tuple(sorted({entry_point.name for entry_point in _installed()}))


def load(name: str, settings: Settings) -> Provider:
    """Import one provider and return what it hands over.

    Raises SpecError for a name that no package has, NotConfigured where the provider lacks
    something, and ProviderProblem for a package that is broken.
    """
    entry_point = _entry_point(name)
    try:
        provider = entry_point.load()(settings)
    except FinschedError:
        raise
    # whatever a third party's package raises must not take finsched down
    except Exception as error:
        raise _broken(entry_point, f"{type(error).__name__}: {error}") from error

    from finsched.provider import Provider  # noqa: PLC0415 - not for one that is not set up

    if not isinstance(provider, Provider) or provider.name != name:
        raise _broken(entry_point, "it did not hand over a provider of that name")
    return provider


def _entry_point(name: str) -> EntryPoint:
    found = {str(entry.dist and entry.dist.name): entry for entry in _registered(name)}
    if not found:
        raise SpecError(f"no installed package provides {name!r}", fix=_fix(name))
    if len(found) > 1:
        packages = " and ".join(sorted(found))
        message = f"the provider {name!r} is registered by {packages}"
        raise ProviderProblem(message, fix="uninstall all but one of them")
    return next(iter(found.values()))


def _registered(name: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_point for entry_point in _installed() if entry_point.name == name)


@cache
def _installed() -> EntryPoints:
    """Every provider's entry point; looking through all installed packages takes milliseconds."""
    return entry_points(group=PROVIDERS)


def _fix(name: str) -> str:
    installed = names()
    close = get_close_matches(name, installed, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"installed are {', '.join(installed) or 'none'}"


def _broken(entry_point: EntryPoint, problem: str) -> ProviderProblem:
    package = entry_point.dist.name if entry_point.dist else entry_point.module
    message = f"the provider {entry_point.name!r} of {package} is broken: {problem}"
    return ProviderProblem(message, fix=f"update or uninstall {package}")
