"""What holds on AWS; its prices are those of the bundled catalog."""

from __future__ import annotations

from collections.abc import Iterable

from finsched.model.market import Accelerator, BillingRule, Offer, ProviderTerms
from finsched_aws.notices import WARNING


class CatalogPrices:
    """No offers of its own: a quote takes those of the bundled catalog, with their age."""

    def offers(self) -> Iterable[Offer]:
        """Yield nothing."""
        return ()

    def terms(self) -> ProviderTerms:
        """Return what holds for every machine of EC2."""
        return ProviderTerms(
            provider="aws",
            billing=BillingRule(minimum_seconds=60, first_hour_free_when_interrupted=True),
            notice=WARNING,
        )

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield nothing: the bundled tables know them."""
        return ()
