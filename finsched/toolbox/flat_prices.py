"""Providers that tell prices behind an API key, and that finsched does not launch on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from finsched.model.market import ANY_REGION, InstanceType, ProviderTerms
from finsched.provider import LivePrices, PriceAnswer, Provider
from finsched.settings_values import read_table, text
from finsched.toolbox.json_api import JsonApi
from finsched.toolbox.price_list import PriceList


def keyed_api(provider: str, table: Mapping[str, Any], key: str, url: str) -> JsonApi:
    """Return an API that a key opens, at `url` or where the settings say.

    Raises SpecError for a wrong table.
    """
    address = read_table(provider, table, {"prices_url": text}).get("prices_url", url)
    return JsonApi(provider=provider, address=address, headers={"Authorization": f"Bearer {key}"})


def quoted_only(terms: ProviderTerms, live_prices: LivePrices) -> Provider:
    """Return a provider without a part that launches."""
    return Provider(name=terms.provider, prices=PriceList(of=terms), live_prices=live_prices)


@dataclass(frozen=True, slots=True)
class OneList:
    """A market without regions: `read` asks for the prices of everywhere, given known machines."""

    read: Callable[[Mapping[str, InstanceType]], PriceAnswer]

    def regions(self) -> Sequence[str]:
        """Return the one place."""
        return (ANY_REGION,)

    def ask(
        self,
        regions: Sequence[str],
        known: Mapping[str, InstanceType],
        *,
        past: timedelta | None,  # noqa: ARG002 - such markets tell no past prices
    ) -> Iterator[PriceAnswer]:
        """Yield the list. Raises a `ProviderProblem`."""
        for _ in regions:
            yield self.read(known)
