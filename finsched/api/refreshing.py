"""Asks providers for their prices of this moment and keeps what is believed of the answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from statistics import median

from finsched import plugins, settings
from finsched.catalog import live, load_market, resolve_gpu
from finsched.catalog.cache import join_live
from finsched.catalog.keeping import record
from finsched.catalog.live import Taken
from finsched.catalog.quarantine import LastPrice, Quarantined, sift
from finsched.errors import FinschedError, NotConfigured, ProviderProblem, SpecError
from finsched.model.interruption import HazardPrior
from finsched.model.market import Accelerator, InstanceType, Market, Offer
from finsched.provider import LivePrices, PriceAnswer, Provider
from finsched.settings import Settings

Progress = Callable[[str, int, int], None]
"""Told the provider, how many of its regions have answered, and of how many."""

EVERYWHERE = ""  # the region of a problem that is not of one region
SAME_MEMORY = 0.15  # vendors call a card of 79.6 GiB one of 80 GB


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
    progress: Progress | None = None,
) -> tuple[Refreshed, ...]:
    """Ask providers for their prices, all that are set up or some by name, and keep the answers.

    With `past` their own history of prices is asked for as well. A provider or region that fails
    is told in the result. Raises SpecError for what nobody knows, NotConfigured where nobody can
    be asked, MachineProblem where the answers cannot be kept.
    """
    chosen = settings.load()
    providers = _providers(names, chosen)
    known = load_market(
        now=datetime.now(UTC), cache_dir=chosen.cache_dir, state_dir=chosen.state_dir
    )
    with ThreadPoolExecutor(len(providers), thread_name_prefix="refresh") as threads:
        asked = [
            threads.submit(_refreshed, provider, known, chosen, regions, past, progress)
            for provider in providers
        ]
        answers = tuple(each.result() for each in asked)
    join_live(chosen.cache_dir, chosen.state_dir)
    return answers


# --- who is asked ------------------------------------------------------------------------------


def _providers(names: Sequence[str], chosen: Settings) -> list[Provider]:
    if names:
        return [_with_live_prices(plugins.load(name, chosen)) for name in dict.fromkeys(names)]
    ready, reasons = [], []
    for name in chosen.providers or plugins.names():
        try:
            ready.append(_with_live_prices(plugins.load(name, chosen)))
        except ProviderProblem as problem:
            reasons.append(problem)
    if not ready:
        told = "; ".join(problem.message for problem in reasons)
        fix = next((problem.fix for problem in reasons if problem.fix), None)
        raise NotConfigured(f"there is no provider to ask for live prices: {told}", fix=fix)
    return ready


def _with_live_prices(provider: Provider) -> Provider:
    if provider.live_prices is None:
        raise NotConfigured(f"{provider.name} has no live prices")
    return provider


def _regions(prices: LivePrices, wanted: Sequence[str]) -> tuple[str, ...]:
    there = tuple(prices.regions())
    for region in wanted:
        if region not in there:
            near = get_close_matches(region, there, n=1)
            fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
            raise SpecError(f"{region!r} is not a region that can be asked", fix=fix)
    return tuple(dict.fromkeys(wanted)) or there


# --- asking one --------------------------------------------------------------------------------


def _refreshed(
    provider: Provider,
    known: Market,
    chosen: Settings,
    wanted: Sequence[str],
    past: timedelta | None,
    progress: Progress | None,
) -> Refreshed:
    began = datetime.now(UTC)
    machines = _machines(provider.name, known, chosen)
    with ThreadPoolExecutor(1, thread_name_prefix="priors") as aside:
        priors = aside.submit(_priors, provider)
        regions, answers, problems = _asked(provider, wanted, machines, past, progress)
        taken = _taken(provider.name, began, regions, answers, priors, known)
    taken = replace(taken, problems=(*problems, *taken.problems))
    record(chosen.state_dir, taken)
    return _summary(taken, known)


def _asked(
    provider: Provider,
    wanted: Sequence[str],
    machines: Mapping[str, InstanceType],
    past: timedelta | None,
    progress: Progress | None,
) -> tuple[int, list[PriceAnswer], list[tuple[str, str]]]:
    """How many regions were asked, their answers, and why none could be asked."""
    prices = provider.live_prices
    if prices is None:
        return 0, [], []
    try:
        regions = _regions(prices, wanted)
    except ProviderProblem as problem:
        return 0, [], [(EVERYWHERE, _with_fix(problem))]
    answers: list[PriceAnswer] = []
    for answer in prices.ask(regions, machines, past=past):
        answers.append(answer)
        if progress:
            progress(provider.name, len(answers), len(regions))
    return len(regions), answers, []


def _machines(name: str, known: Market, chosen: Settings) -> dict[str, InstanceType]:
    """The machines whose hardware is known; what is bundled wins over what was learnt."""
    bundled = {
        offer.instance_type.name: offer.instance_type
        for offer in known.offers
        if offer.provider == name
    }
    return {**live.machines(chosen.state_dir, name), **bundled}


Priors = Mapping[tuple[str, str], HazardPrior]


def _priors(provider: Provider) -> Priors | FinschedError | None:
    if provider.interruptions is None:
        return None
    try:
        return provider.interruptions.priors()
    except FinschedError as problem:
        return problem


# --- what is believed --------------------------------------------------------------------------


def _taken(
    name: str,
    asked_at: datetime,
    regions: int,
    answers: Sequence[PriceAnswer],
    priors: Future[Priors | FinschedError | None],
    known: Market,
) -> Taken:
    told = priors.result()
    problems = [
        (answer.region, problem)
        for answer in sorted(answers, key=lambda answer: answer.region)
        for problem in answer.problems
    ]
    if isinstance(told, FinschedError):
        problems.append((EVERYWHERE, _with_fix(told)))
    canonical = _Canonical(known.accelerators)
    offers = (canonical.offer(offer) for answer in answers for offer in answer.offers)
    return Taken(
        provider=name,
        asked_at=asked_at,
        regions=regions,
        answered=sum(not answer.problems for answer in answers),
        sifted=sift(offers, _last_price(known)),
        changes=tuple(
            change._replace(instance_type=canonical.machine(change.instance_type))
            for answer in answers
            for change in answer.changes
            if change.price_usd_per_hour > 0
        ),
        priors=None if isinstance(told, FinschedError) else told,
        problems=tuple(problems),
    )


def _with_fix(problem: FinschedError) -> str:
    return f"{problem.message}; {problem.fix}" if problem.fix else problem.message


def _last_price(known: Market) -> LastPrice:
    """The last price of a pool, or the middle of those of its region where it is new."""
    of_pool = {
        (offer.pool, offer.capacity_type): offer.price_usd_per_hour for offer in known.offers
    }
    of_region: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for offer in known.offers:
        of_region[_sold_in_region(offer)].append(offer.price_usd_per_hour)

    def last_price(offer: Offer) -> float | None:
        prices = of_region.get(_sold_in_region(offer))
        middle = median(prices) if prices else None
        return of_pool.get((offer.pool, offer.capacity_type), middle)

    return last_price


def _sold_in_region(offer: Offer) -> tuple[object, ...]:
    return (offer.provider, offer.region, offer.instance_type.name, offer.capacity_type)


class _Canonical:
    """Names GPUs as the catalog does: an A100 of 80 GiB is not the A100, which has 40."""

    def __init__(self, known: Mapping[str, Accelerator]) -> None:
        self._known = known
        self._machines: dict[InstanceType, InstanceType] = {}

    def offer(self, offer: Offer) -> Offer:
        return offer._replace(instance_type=self.machine(offer.instance_type))

    def machine(self, machine: InstanceType) -> InstanceType:
        if machine not in self._machines:
            self._machines[machine] = replace(machine, gpu=self._gpu(machine))
        return self._machines[machine]

    def _gpu(self, machine: InstanceType) -> str | None:
        memory_gib = machine.gpu_memory_gib
        if machine.gpu is None or not memory_gib:
            return machine.gpu
        for spelling in (machine.gpu, f"{machine.gpu}-{memory_gib:.0f}GB"):
            found = resolve_gpu(spelling, self._known)
            if found and _is_about(memory_gib, self._known[found].memory_gib):
                return found
        same_name = resolve_gpu(machine.gpu, self._known) is not None
        return f"{machine.gpu}-{memory_gib:.0f}GB" if same_name else machine.gpu


def _is_about(told_gib: float, known_gib: float | None) -> bool:
    return not known_gib or abs(told_gib / known_gib - 1) <= SAME_MEMORY


def _summary(taken: Taken, known: Market) -> Refreshed:
    before = {(offer.pool, offer.capacity_type, offer.price_usd_per_hour) for offer in known.offers}
    accepted: Collection[Offer] = taken.sifted.accepted
    return Refreshed(
        provider=taken.provider,
        asked_at=taken.asked_at,
        seconds=(datetime.now(UTC) - taken.asked_at).total_seconds(),
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
