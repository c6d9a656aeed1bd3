"""The parts of Azure, put together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from finsched.bootstrap.lender import StoreLender
from finsched.provider import LaunchRequest, Provider
from finsched_azure.api import Api
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


class _BootstrapOnUse:
    """The node's bootstrap, imported for a launch: a quote has no time for it."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings

    def __call__(self, request: LaunchRequest, rank: int) -> str:
        return self._made()(request, rank)

    def forget(self, request: LaunchRequest) -> None:
        self._made().forget(request)

    def _made(self) -> Bootstrap:
        from finsched_azure.bootstrap import NodeBootstrap  # noqa: PLC0415 - heavy

        return NodeBootstrap(self._settings)


def assemble(
    settings: AzureSettings,
    *,
    bootstrap: Bootstrap | None = None,
    patience: Patience | None = None,
    credential: Any = None,
) -> Provider:
    """Return Azure; no network call is made. `bootstrap` replaces what starts the node agent."""
    api = Api(settings, patience, credential=credential)
    compute = AzureCompute(api, settings, bootstrap or _BootstrapOnUse(settings))
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
