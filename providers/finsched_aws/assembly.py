"""The parts of AWS, put together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from finsched.errors import NotConfigured
from finsched.provider import LaunchRequest, Provider
from finsched_aws.api import Api
from finsched_aws.capacity import AwsCapacity
from finsched_aws.checks import AwsChecks
from finsched_aws.compute import AwsCompute, UserData
from finsched_aws.interruptions import SpotAdvisor
from finsched_aws.inventory import AwsInventory
from finsched_aws.notices import AwsNotices
from finsched_aws.pace import Patience
from finsched_aws.prices import PATIENCE, AwsLivePrices, CatalogPrices

if TYPE_CHECKING:
    from finsched.settings import AwsSettings

_POLL_EVERY = timedelta(seconds=15)


def no_bootstrap(request: LaunchRequest) -> str:
    """Refuse: a machine that cannot fetch the node agent would cost money and do nothing."""
    raise NotConfigured(
        f"aws: the attempt {request.token} was not launched: machines of AWS cannot be given the"
        " node agent yet",
        fix="rehearse the job here: finsched launch JOB --rehearse",
    )


def assemble(
    settings: AwsSettings, *, user_data: UserData = no_bootstrap, patience: Patience | None = None
) -> Provider:
    """Return AWS with a way to start the node agent; no network call is made."""
    api = Api(settings.regions, patience)
    return Provider(
        name="aws",
        prices=CatalogPrices(),
        compute=AwsCompute(api, settings, user_data),
        notices=AwsNotices(api),
        inventory=AwsInventory(api),
        live_prices=AwsLivePrices(Api(settings.regions, patience or PATIENCE)),
        interruptions=SpotAdvisor(settings.spot_advisor_url),
        capacity=AwsCapacity(api),
        checks=AwsChecks(api, settings),
        regions=frozenset(settings.regions) or None,
        poll_interval=_POLL_EVERY,
    )
