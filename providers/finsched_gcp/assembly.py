"""The parts of GCP, put together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from finsched.bootstrap.lender import StoreLender
from finsched.provider import Inventory, OwnedResource, Provider
from finsched_gcp.api import Api
from finsched_gcp.bootstrap import NodeBootstrap
from finsched_gcp.capacity import GcpCapacity
from finsched_gcp.checks import GcpChecks
from finsched_gcp.compute import Bootstrap, GcpCompute
from finsched_gcp.pace import Patience
from finsched_gcp.prices import CATALOG_PRICES, live_prices

if TYPE_CHECKING:
    from finsched_gcp.settings import GcpSettings

_POLL_EVERY = timedelta(seconds=15)


class _InventoryOnUse:
    """The inventory, imported for a sweep: a quote has no time for it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        return self._made().owned(installation)

    def delete(self, resource: OwnedResource) -> None:
        self._made().delete(resource)

    def _made(self) -> Inventory:
        from finsched_gcp.inventory import GcpInventory  # noqa: PLC0415 - heavy

        return GcpInventory(self._api)


def assemble(
    settings: GcpSettings, *, bootstrap: Bootstrap | None = None, patience: Patience | None = None
) -> Provider:
    """Return GCP; no network call is made. `bootstrap` replaces what starts the node agent.

    Compute Engine gives no notices outside of the machine, so there is no part for them.
    """
    api = Api(settings.project, settings.endpoint, patience)
    return Provider(
        name="gcp",
        prices=CATALOG_PRICES,
        compute=GcpCompute(api, settings, bootstrap or NodeBootstrap(settings)),
        inventory=_InventoryOnUse(api),
        live_prices=live_prices(settings),
        capacity=GcpCapacity(api),
        checks=GcpChecks(api, settings),
        lender=StoreLender("gcp", settings.access),
        regions=frozenset(settings.regions) or None,
        poll_interval=_POLL_EVERY,
    )
