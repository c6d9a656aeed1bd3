"""What a provider hands over whose offers all are in the catalog, and a price's evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from finsched.model.evidence import Evidence, Quality
from finsched.model.market import Accelerator, Offer, ProviderTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """No offers of its own: a quote takes those of the catalog, with their age."""

    of: ProviderTerms

    def offers(self) -> Iterable[Offer]:
        """Yield nothing."""
        return ()

    def terms(self) -> ProviderTerms:
        """Return what holds for every machine."""
        return self.of

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield nothing: the bundled tables know them."""
        return ()


def live_price(source: str, now: datetime, note: str = "") -> Evidence:
    """Return the evidence of a price that was asked for just now."""
    asked = f"asked {now:%H:%M} UTC"
    return Evidence(
        what="price",
        source=source,
        quality=Quality.LIVE,
        earliest=now.date(),
        latest=now.date(),
        note=f"{note}; {asked}" if note else asked,
    )
