"""How often Azure evicts spot machines, as Resource Graph tells it, as priors.

Azure gives bands of the chance to be evicted within an hour, from its own last days, so that no
assumption is needed about how long machines run. The band is told for a whole region and no length
of observation with it, so that a prior weighs little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finsched.model.interruption import HazardPrior
from finsched.settings_values import text
from finsched.toolbox.bands import Bands
from finsched.toolbox.json_api import JsonApi, Patience, known_form
from finsched_azure.prices_fetch import EVICTION_RATES, graph_rows
from finsched_azure.prices_parse import size_name
from finsched_azure.settings import PUBLIC_CLOUD

MANAGEMENT_SCOPE = "https://management.azure.com/.default"
BANDS = Bands(
    source="Azure Resource Graph",
    shares={
        "0-5": (0.0, 0.05),
        "5-10": (0.05, 0.10),
        "10-15": (0.10, 0.15),
        "15-20": (0.15, 0.20),
    },
    open_band="20+",
    open_from=0.20,
    hours=1.0,
    unit="% an hour",
)

Token = Callable[[], str]
"""Returns an access token for Azure's management API. Raises a ProviderProblem."""


class EvictionRates:
    """The eviction rates of all regions; they need an account that may read Resource Graph."""

    def __init__(self, token: Token, url: str = PUBLIC_CLOUD) -> None:
        self._token = token
        self._url = url

    def priors(self) -> Mapping[tuple[str, str], HazardPrior]:
        """Return a prior by region and machine size. Raises a ProviderProblem."""
        with known_form("azure: the eviction rates"):
            rows = graph_rows(graph_api(self._token, self._url), EVICTION_RATES)
            return dict(priors_of(rows, datetime.now(UTC)))


def graph_api(token: Token, url: str) -> JsonApi:
    """Return the management API, to be asked with an account's token."""
    headers = {"Authorization": f"Bearer {token()}"}
    return JsonApi(provider="azure", address=url, headers=headers, patience=Patience())


def priors_of(
    rows: Iterable[Mapping[str, Any]], asked_at: datetime
) -> Iterator[tuple[tuple[str, str], HazardPrior]]:
    """Yield the prior of every region and size that has a band; pure."""
    priors = BANDS.priors(asked_at)
    for row in rows:
        if row["evictionRate"]:
            place = text(row["location"])
            yield (place, size_name(row["skuName"])), priors[row["evictionRate"]]
