"""What holds on Google Cloud, and its prices of this moment, summed from its list of SKUs.

The list tells in which regions a part has a price, and not where machines are made of it: an offer
counts only where the machine is known to be sold, in the zones that are known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from finsched.errors import NotAuthorized, NotConfigured
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import BillingRule, InstanceType, Offer, ProviderTerms
from finsched.provider import PriceAnswer, Provider
from finsched.toolbox.json_api import JsonApi, Patience, known_form
from finsched.toolbox.price_list import PriceList
from finsched_gcp import prices_fetch as fetch
from finsched_gcp import prices_parse as parse
from finsched_gcp.credentials import are_configured
from finsched_gcp.settings import GcpSettings, gcp_settings

if TYPE_CHECKING:
    from finsched.settings import Settings

SOURCE = "Google Cloud Billing catalog"
KEY_VARIABLE = "GOOGLE_API_KEY"
SCOPE = "https://www.googleapis.com/auth/cloud-billing.readonly"
PATIENCE = Patience(seconds=60.0, silent_seconds=20.0)
"""A page has megabytes; whoever waits for all providers stops waiting on their own."""

WARNING = timedelta(seconds=30)

CATALOG_PRICES = PriceList(
    of=ProviderTerms(provider="gcp", billing=BillingRule(minimum_seconds=60), notice=WARNING)
)
"""A quote takes the catalog's offers; the terms hold for every machine of Compute Engine."""


def provider(settings: Settings) -> Provider:
    """Return Google Cloud as a price list, for those who do not launch there.

    Raises NotConfigured naming what is missing.
    """
    chosen = gcp_settings(settings.clouds.get("gcp", {}))
    if not os.environ.get(KEY_VARIABLE) and not are_configured(os.environ):
        raise NotConfigured(
            f"gcp: its prices need {KEY_VARIABLE}, or application default credentials",
            fix="make an API key for the Cloud Billing API, or run"
            " `gcloud auth application-default login`",
        )
    return Provider(name="gcp", prices=CATALOG_PRICES, live_prices=live_prices(chosen))


def live_prices(settings: GcpSettings) -> GcpLivePrices:
    """Return what asks for prices, with an API key or the application default credentials."""
    return GcpLivePrices(settings)


class GcpLivePrices:
    """Prices by region, on demand, spot, queued (DWS Flex Start) and reserved ahead (Calendar)."""

    def __init__(self, settings: GcpSettings) -> None:
        self._settings = settings
        self._rates: Mapping[parse.Rate, float] = {}

    def regions(self) -> Sequence[str]:
        """Ask for the list, which knows all regions. Raises a `ProviderProblem`."""
        self._rates = self._asked()
        sold = sorted({rate.region for rate in self._rates})
        wanted = self._settings.regions
        return tuple(region for region in sold if not wanted or region in wanted)

    def ask(
        self,
        regions: Sequence[str],
        known: Mapping[str, InstanceType],
        *,
        past: timedelta | None,  # noqa: ARG002 - Google tells no past prices
    ) -> Iterator[PriceAnswer]:
        """Yield the sums of every region."""
        rates = self._rates or self._asked()
        evidence = _evidence(datetime.now(UTC))
        for region in regions:
            offers = (
                Offer(machine, region, "", tariff.capacity_type, tariff.tier, usd, evidence)
                for machine, tariff, usd in parse.machine_prices(known.values(), rates, region)
            )
            yield PriceAnswer(region=region, offers=tuple(offers), only_where_known=True)

    def _asked(self) -> dict[parse.Rate, float]:
        api = JsonApi(
            provider="gcp", address=self._settings.prices_url, headers=_headers(), patience=PATIENCE
        )
        with known_form("gcp: the SKUs"):
            return parse.rates(fetch.skus(api))


def _evidence(now: datetime) -> Evidence:
    return Evidence(
        what="price",
        source=SOURCE,
        quality=Quality.LIVE,
        earliest=now.date(),
        latest=now.date(),
        note=f"its parts summed, asked {now:%H:%M} UTC",
    )


def _headers() -> dict[str, str]:
    """What lets us ask: in a header, so that no address in a log shows it."""
    if key := os.environ.get(KEY_VARIABLE):
        return {"X-Goog-Api-Key": key}
    try:
        import google.auth  # noqa: PLC0415 - heavy
        import google.auth.exceptions  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
    except ImportError as error:
        fix = f"pip install 'finsched[gcp]', or set {KEY_VARIABLE}"
        raise NotConfigured(f"gcp: its prices need google-auth: {error}", fix=fix) from error
    credentials: Any
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        credentials.refresh(Request())
    except google.auth.exceptions.GoogleAuthError as error:
        fix = "run `gcloud auth application-default login`"
        raise NotAuthorized(f"gcp: the credentials do not work: {error}", fix=fix) from error
    headers: dict[str, str] = {}
    credentials.apply(headers)
    return headers
