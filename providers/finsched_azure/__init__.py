"""Azure: machines, spot and on demand.

A quote asks this module whether Azure can be launched on from here, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured
from finsched_azure.credentials import are_configured, subscription

if TYPE_CHECKING:
    from finsched.provider import Provider
    from finsched.settings import Settings

_SDKS = ("azure.identity", "azure.mgmt.compute", "azure.mgmt.network")


def provider(settings: Settings) -> Provider:
    """Return Azure, without a network call; raises NotConfigured naming what is missing."""
    missing = [name for name in _SDKS if not _is_installed(name)]
    if missing:
        needed = missing[0].replace(".", "-")
        raise NotConfigured(f"azure needs {needed}", fix="pip install 'finsched[azure]'")
    if not are_configured(os.environ):
        raise NotConfigured(
            "azure: no credentials are configured here",
            fix="run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        )
    return _assembled(settings)


def _assembled(settings: Settings) -> Provider:
    from dataclasses import replace  # noqa: PLC0415 - only where Azure can be used

    from finsched_azure.assembly import assemble  # noqa: PLC0415
    from finsched_azure.settings import azure_settings  # noqa: PLC0415

    chosen = azure_settings(settings.clouds.get("azure", {}))
    named = chosen.subscription or subscription(os.environ)
    if not named:
        raise NotConfigured(
            "azure: no subscription is chosen",
            fix="run `az account set`, or name it as azure.subscription in the settings",
        )
    return assemble(replace(chosen, subscription=named))


def _is_installed(name: str) -> bool:
    """Look for a module of the SDK without importing those that it is in."""
    top, _, rest = name.partition(".")
    spec = find_spec(top)
    places = (spec.submodule_search_locations if spec else None) or ()
    return any(Path(place, *rest.split(".")).is_dir() for place in places)
