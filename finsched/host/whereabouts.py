"""Where a run that waits would go, and what it shares with others."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from finsched import policies
from finsched.decide.live.prospects import prospects
from finsched.model.market import Market
from finsched.model.run import Run


def likely_provider(run: Run, market_now: Callable[[], Market]) -> str:
    """Return the provider of the run's machine, or of the cheapest placement for what is left.

    Empty where none is known. Prices are asked for only where there is no machine yet.
    """
    if run.rehearsal:
        return "local"
    if run.live_attempt:
        return run.live_attempt.provider
    market, make_policy = market_now(), policies.policy(run.policy)
    quotes = prospects(run, market, market.as_of, make_policy=make_policy).quotes
    return quotes[0].offer.provider if quotes else ""


def group_of(store_uri: str) -> str:
    """Return what runs have in common that may fail for all of them at once: their store."""
    parts = urlsplit(store_uri)
    return f"{parts.scheme}://{parts.netloc}"
