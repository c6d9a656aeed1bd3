"""The parts of Azure, put together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from finsched.bootstrap.lender import StoreLender
from finsched.provider import Provider
from finsched_azure.api import Api
from finsched_azure.bootstrap import NodeBootstrap
from finsched_azure.capacity import AzureCapacity
from finsched_azure.checks import AzureChecks
from finsched_azure.compute import AzureCompute, Bootstrap
from finsched_azure.interruptions import EvictionRates
from finsched_azure.inventory import AzureInventory
from finsched_azure.pace import Patience
from finsched_azure.prices import CATALOG_PRICES, live_prices

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings

_POLL_EVERY = timedelta(seconds=15)


def assemble(
    settings: AzureSettings,
    *,
    bootstrap: Bootstrap | None = None,
    patience: Patience | None = None,
    credential: Any = None,
) -> Provider:
    """Return Azure; no network call is made. `bootstrap` replaces what starts the node agent."""
    api = Api(settings, patience, credential=credential)
    compute = AzureCompute(api, settings, bootstrap or NodeBootstrap(settings))
    return Provider(
        name="azure",
        prices=CATALOG_PRICES,
        compute=compute,
        inventory=AzureInventory(api, compute),
        live_prices=live_prices(settings, api.token),
        interruptions=EvictionRates(api.token, settings.endpoint),
        capacity=AzureCapacity(api),
        checks=AzureChecks(api, settings),
        lender=StoreLender("azure", settings.access),
        regions=frozenset(settings.regions) or None,
        poll_interval=_POLL_EVERY,
    )
