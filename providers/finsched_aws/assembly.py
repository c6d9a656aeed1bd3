"""The parts of AWS, put together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from finsched.bootstrap.lender import StoreLender
from finsched.provider import Provider
from finsched_aws.api import Api
from finsched_aws.bootstrap import NodeBootstrap
from finsched_aws.capacity import AwsCapacity
from finsched_aws.checks import AwsChecks
from finsched_aws.compute import AwsCompute, Bootstrap
from finsched_aws.interruptions import SpotAdvisor
from finsched_aws.inventory import AwsInventory
from finsched_aws.notices import AwsNotices
from finsched_aws.pace import Patience
from finsched_aws.prices import CATALOG_PRICES, PATIENCE, AwsLivePrices

if TYPE_CHECKING:
    from finsched_aws.settings import AwsSettings

_POLL_EVERY = timedelta(seconds=15)


def assemble(
    settings: AwsSettings, *, bootstrap: Bootstrap | None = None, patience: Patience | None = None
) -> Provider:
    """Return AWS; no network call is made. `bootstrap` replaces what starts the node agent."""
    api = Api(settings.regions, patience)
    return Provider(
        name="aws",
        prices=CATALOG_PRICES,
        compute=AwsCompute(api, settings, bootstrap or NodeBootstrap(api, settings)),
        notices=AwsNotices(api),
        inventory=AwsInventory(api),
        live_prices=AwsLivePrices(Api(settings.regions, patience or PATIENCE)),
        interruptions=SpotAdvisor(settings.spot_advisor_url),
        capacity=AwsCapacity(api),
        checks=AwsChecks(api, settings),
        lender=StoreLender("aws", settings.access),
        regions=frozenset(settings.regions) or None,
        poll_interval=_POLL_EVERY,
    )
