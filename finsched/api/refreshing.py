"""Asks providers for their prices of this moment and keeps what is believed of the answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from finsched import plugins, settings
from finsched.api.hearing import EVERYWHERE, Heard, Progress, Question, hear
from finsched.api.sifting import Sieve
from finsched.catalog import live, load_market
from finsched.catalog.cache import join_live
from finsched.catalog.keeping import record
from finsched.catalog.live import Taken
from finsched.catalog.quarantine import Quarantined
from finsched.errors import NotConfigured, ProviderProblem, SpecError
from finsched.model.market import InstanceType, Market, Offer
from finsched.provider import Provider
from finsched.settings import Settings

__all__ = ["EVERYWHERE", "Progress", "Refreshed", "refresh"]

WITHIN = timedelta(seconds=7)
WITH_THE_PAST_WITHIN = timedelta(minutes=10)  # many more pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh brought from one provider.

    `answered` of `regions` told all they were asked; `changed` of the `accepted` prices differ from
    what was known before. `problems` are pairs of a region, "" for all of them, and what went
    wrong.
    """

    provider: str
    asked_at: datetime
    seconds: float
    regions: int
    answered: int
    accepted: int
    changed: int
    priors: int
    quarantined: tuple[Quarantined, ...]
    problems: tuple[tuple[str, str], ...]


def refresh(
    names: Sequence[str] = (),
    *,
    regions: Sequence[str] = (),
    past: timedelta | None = None,
    within: timedelta | None = None,
    accept: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Refreshed, ...]:
    """Ask providers for their prices, all that can be asked or some by name, and keep the answers.

    With `past` their own history of prices is asked for as well. A provider or region that fails,
    or does not answer `within` a time, is told in the result. `accept` names pools whose prices
    are believed whatever they are. Raises SpecError for what nobody knows, NotConfigured where
    nobody can be asked, MachineProblem where the answers cannot be kept.
    """
    chosen = settings.load()
    providers = _providers(names, chosen)
    _check_accepted(accept, providers)
    known = load_market(
        now=datetime.now(UTC), cache_dir=chosen.cache_dir, state_dir=chosen.state_dir
    )
    questions = [
        Question(
            provider=provider,
            machines=_machines(provider.name, known, chosen),
            regions=regions,
            past=past,
        )
        for provider in providers
    ]
    patience = within or (WITH_THE_PAST_WITHIN if past else WITHIN)
    sieve = Sieve(known, accept)
    answers = []
    for heard in hear(questions, within=patience, progress=progress):
        taken = sieve.taken(heard)
        record(chosen.state_dir, taken)
        answers.append(_summary(taken, heard, known))
    join_live(chosen.cache_dir, chosen.state_dir)
    return tuple(answers)


# --- who is asked ------------------------------------------------------------------------------


def _providers(names: Sequence[str], chosen: Settings) -> list[Provider]:
    if names:
        return [_priced(name, chosen) for name in dict.fromkeys(names)]
    ready, reasons = [], []
    for name in chosen.providers or plugins.priced_names():
        try:
            ready.append(_priced(name, chosen))
        except ProviderProblem as problem:
            reasons.append(problem)
    if not ready:
        told = "; ".join(problem.message for problem in reasons)
        fix = next((problem.fix for problem in reasons if problem.fix), None)
        raise NotConfigured(f"there is no provider to ask for live prices: {told}", fix=fix)
    return ready


def _check_accepted(pools: Sequence[str], providers: Sequence[Provider]) -> None:
    asked = [provider.name for provider in providers]
    for pool in pools:
        provider, _, rest = pool.partition("/")
        if provider not in asked or not rest:
            fix = "write PROVIDER/REGION/TYPE, as `finsched catalog status` shows what is aside"
            raise SpecError(f"{pool!r} is no pool of {', '.join(asked)}", fix=fix)


def _priced(name: str, chosen: Settings) -> Provider:
    provider = plugins.load_prices(name, chosen)
    if provider.live_prices is None:
        raise NotConfigured(f"{provider.name} has no live prices")
    return provider


def _machines(name: str, known: Market, chosen: Settings) -> dict[str, InstanceType]:
    """The machines whose hardware is known; what is bundled wins over what was learnt."""
    bundled = {
        offer.instance_type.name: offer.instance_type
        for offer in known.offers
        if offer.provider == name
    }
    return {**live.machines(chosen.state_dir, name), **bundled}


def _summary(taken: Taken, heard: Heard, known: Market) -> Refreshed:
    before = {(offer.pool, offer.capacity_type, offer.price_usd_per_hour) for offer in known.offers}
    accepted: Collection[Offer] = taken.sifted.accepted
    return Refreshed(
        provider=taken.provider,
        asked_at=taken.asked_at,
        seconds=heard.seconds,
        regions=taken.regions,
        answered=taken.answered,
        accepted=len(accepted),
        changed=sum(
            (offer.pool, offer.capacity_type, offer.price_usd_per_hour) not in before
            for offer in accepted
        ),
        priors=len(taken.priors or ()),
        quarantined=taken.sifted.quarantined,
        problems=taken.problems,
    )
