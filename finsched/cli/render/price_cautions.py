"""What makes the winner's price doubtful: no date, or far below everybody else's."""

from __future__ import annotations

from collections.abc import Iterator

from finsched.cli.output import money
from finsched.cli.render import words
from finsched.model.evidence import Quality
from finsched.model.quote import Decision, Quote

SUSPICIOUS_SHARE = 0.5
ASKED_OR_SAID = frozenset({Quality.LIVE, Quality.DECLARED})


def price_cautions(decision: Decision, best: Quote) -> Iterator[str]:
    """Yield why the price of the best quote should be checked before relying on it."""
    price = best.offer.evidence
    if price.earliest is None and price.quality not in ASKED_OR_SAID:
        yield "its price has no date of its own: it may be older than it looks"
    following = _next_price(decision, best)
    if following is not None and _per_gpu(best) < SUSPICIOUS_SHARE * _per_gpu(following):
        next_usd = money(_per_gpu(following))
        yield (
            f"its price is under half of the next for the same GPU and capacity "
            f"({words.place(following.offer)}, {next_usd} per GPU-hour)"
        )


def _next_price(decision: Decision, best: Quote) -> Quote | None:
    """The lowest price of the same GPU and capacity type at another provider, else place.

    Another provider first: a list that is wrong is wrong in all of its regions.
    """
    others = [quote for quote in decision.quotes if _kind(quote) == _kind(best)]
    elsewhere = [quote for quote in others if quote.offer.provider != best.offer.provider]
    elsewhere = elsewhere or [quote for quote in others if _place(quote) != _place(best)]
    return min(elsewhere, key=_per_gpu, default=None)


def _kind(quote: Quote) -> tuple[str | None, str]:
    return quote.offer.instance_type.gpu, quote.offer.capacity_type


def _place(quote: Quote) -> tuple[str, str, str]:
    return quote.offer.provider, quote.offer.region, quote.offer.zone


def _per_gpu(quote: Quote) -> float:
    return quote.offer.price_usd_per_hour / max(1, quote.offer.instance_type.gpu_count)
