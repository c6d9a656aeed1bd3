"""A quota that is too small is a reason in seconds, not a failed launch in minutes."""

from __future__ import annotations

from finsched.errors import NoQuota
from finsched.model.market import Offer
from finsched.provider import Provider, Quota


def require_quota(provider: Provider, offer: Offer, nodes: int) -> None:
    """Raise NoQuota where the account may not run so many machines; what is unknown may try."""
    if provider.capacity is None:
        return
    quota = provider.capacity.quota(offer, nodes)
    if quota is not None and not quota.is_enough:
        raise refusal(quota, provider.name)


def refusal(quota: Quota, provider: str) -> NoQuota:
    """Return what is said of a quota that is too small: have and need."""
    have = f"{quota.have:g} {quota.unit}s" if quota.have else "nothing"
    return NoQuota(
        f"{provider}/{quota.region}: the quota {quota.name!r} ({quota.code}) allows {have}, and"
        f" {quota.need:g} {quota.unit}s are needed",
        fix=f"ask {provider} to raise it to {quota.need:g} or more in {quota.region}, or allow more"
        " regions or GPUs",
    )
