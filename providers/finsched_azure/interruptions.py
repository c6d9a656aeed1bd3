"""How often Azure evicts spot machines, as Resource Graph tells it, as priors.

Azure gives bands of the chance to be evicted within an hour, from its own last days, so that
h = -ln(1 - f) per hour needs no assumption about how long machines run. The band is told for a
whole region and no length of observation with it: the prior is an estimate worth one interruption
(shape 1, exposure 1/h), with h at the middle of the band. The open band "20+" bounds from below:
its lower edge is put at the prior's tenth percentile, as for the open band of AWS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finsched.errors import ProviderError
from finsched.model.evidence import Evidence, Quality
from finsched.model.interruption import HazardPrior
from finsched.settings_values import text
from finsched.toolbox.json_api import OTHER_FORM, JsonApi, Patience
from finsched_azure.prices_fetch import EVICTION_RATES, graph_rows
from finsched_azure.prices_parse import size_name
from finsched_azure.settings import PUBLIC_CLOUD

MANAGEMENT_SCOPE = "https://management.azure.com/.default"
BANDS = {
    "0-5": (0.0, 0.05),
    "5-10": (0.05, 0.10),
    "10-15": (0.10, 0.15),
    "15-20": (0.15, 0.20),
}
OPEN_BAND, OPEN_FROM = "20+", 0.20
PRIOR_SHAPE = 1.0
SOURCE = "Azure Resource Graph"
_TENTH_PERCENTILE = -math.log(0.9)  # of a Gamma with shape 1, in units of its mean

Token = Callable[[], str]
"""Returns an access token for Azure's management API. Raises a ProviderProblem."""


class EvictionRates:
    """The eviction rates of all regions; they need an account that may read Resource Graph."""

    def __init__(self, token: Token, url: str = PUBLIC_CLOUD) -> None:
        self._token = token
        self._url = url

    def priors(self) -> Mapping[tuple[str, str], HazardPrior]:
        """Return a prior by region and machine size. Raises a ProviderProblem."""
        try:
            rows = graph_rows(graph_api(self._token, self._url), EVICTION_RATES)
            return dict(priors_of(rows, datetime.now(UTC)))
        except OTHER_FORM as error:
            message = f"azure: the eviction rates have another form: {error!r}"
            raise ProviderError(message, fix="update finsched") from error


def graph_api(token: Token, url: str) -> JsonApi:
    """Return the management API, to be asked with an account's token."""
    headers = {"Authorization": f"Bearer {token()}"}
    return JsonApi(provider="azure", address=url, headers=headers, patience=Patience())


def priors_of(
    rows: Iterable[Mapping[str, Any]], asked_at: datetime
) -> Iterator[tuple[tuple[str, str], HazardPrior]]:
    """Yield the prior of every region and size that has a band; pure."""
    priors = {band: _prior(band, asked_at) for band in (*BANDS, OPEN_BAND)}
    for row in rows:
        if row["evictionRate"]:
            place = text(row["location"])
            yield (place, size_name(row["skuName"])), priors[row["evictionRate"]]


def _prior(band: str, asked_at: datetime) -> HazardPrior:
    evidence = Evidence(
        what="hazard",
        source=SOURCE,
        quality=Quality.ESTIMATED,
        earliest=asked_at.date(),
        latest=asked_at.date(),
        note=f"{band} % an hour, read {asked_at:%H:%M} UTC",
    )
    return HazardPrior(
        shape=PRIOR_SHAPE,
        exposure_hours=PRIOR_SHAPE / band_hazard_per_hour(band),
        saturated=band == OPEN_BAND,
        evidence=evidence,
    )


def band_hazard_per_hour(band: str) -> float:
    """Mean hazard of a band; the formula is in this module's docstring."""
    if band == OPEN_BAND:
        return -math.log1p(-OPEN_FROM) / _TENTH_PERCENTILE
    low, high = BANDS[band]
    return -math.log1p(-(low + high) / 2)
