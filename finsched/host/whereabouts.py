"""Where a run that waits would go, and what it shares with others."""

from __future__ import annotations

from urllib.parse import urlsplit

from finsched import policies
from finsched.decide.live.prospects import prospects
from finsched.model.market import Market
from finsched.model.run import Run


def likely_provider(run: Run, market: Market) -> str:
    """Return the provider of the cheapest placement for what is left; empty where none is known."""
    if run.rehearsal:
        return "local"
    make_policy = policies.policy(run.policy)
    quotes = prospects(run, market, market.as_of, make_policy=make_policy).quotes
    return quotes[0].offer.provider if quotes else ""


def group_of(store_uri: str) -> str:
    """Return what runs have in common that may fail for all of them at once: their store."""
    parts = urlsplit(store_uri)
    return f"{parts.scheme}://{parts.netloc}"
