"""From a quote to a placement: the figures frozen into the ledger when it was chosen."""

from __future__ import annotations

from finsched.decide.offers.spell_age import hazard_at_age
from finsched.decide.pricing.cadence import LONGEST_INTERVAL_HOURS, cadence_by_age
from finsched.decide.pricing.checkpoint_store import checkpoint_store
from finsched.decide.pricing.paths import Roads
from finsched.decide.spot.spells import AGE_EDGES_S
from finsched.model.job import JobSpec
from finsched.model.market import EgressTier, Location, Market, ProviderTerms
from finsched.model.quote import Movement, Quote, TransferPlan
from finsched.model.run import Placement

LONGEST_INTERVAL_SECONDS = LONGEST_INTERVAL_HOURS * 3600
INTERVAL_UNQUOTED_SECONDS = 600.0


def placement(job: JobSpec, quote: Quote, market: Market, why: str = "") -> Placement:
    """Return the placement of a quote, with every price that its account will need."""
    terms = market.terms.get(quote.offer.provider, ProviderTerms(provider=quote.offer.provider))
    stored = _inputs(job, quote, Movement.COPY_ONCE) if terms.storage else ()
    staged = () if terms.storage else _inputs(job, quote, Movement.COPY_ONCE)
    outputs = {dataset.uri for dataset in job.outputs}
    restore, upload = _checkpoint_tiers(job, quote, market)
    return Placement(
        offer=quote.offer,
        nodes=quote.nodes,
        billing=terms.billing,
        checkpoint_every_seconds=_checkpoint_every_seconds(job, quote),
        checkpoint_cadence=_checkpoint_cadence(job, quote, market),
        expected_total_usd=quote.total_usd,
        speedup=quote.speedup,
        copy_usd=sum(plan.usd for plan in stored),
        copied_uris=tuple(plan.uri for plan in stored),
        restage_usd=sum(plan.usd for plan in staged),
        stream_usd=sum(plan.usd for plan in _inputs(job, quote, Movement.STREAM)),
        output_transfer_usd=sum(plan.usd for plan in quote.transfers if plan.uri in outputs),
        restore_tiers=restore,
        upload_tiers=upload,
        storage_usd_per_gb_month=terms.storage.usd_per_gb_month if terms.storage else 0.0,
        notice_seconds=terms.notice.total_seconds() if terms.notice else 0.0,
        why=why,
    )


def _checkpoint_every_seconds(job: JobSpec, quote: Quote) -> float | None:
    """The declared interval, else the quoted one, but never hours at risk: hardware fails too."""
    if job.checkpoint is None:
        return None
    if job.checkpoint.every is not None:
        return job.checkpoint.every.total_seconds()
    quoted = quote.checkpoint_every_seconds or INTERVAL_UNQUOTED_SECONDS
    return min(quoted, LONGEST_INTERVAL_SECONDS)


def _checkpoint_cadence(
    job: JobSpec, quote: Quote, market: Market
) -> tuple[tuple[float, float], ...]:
    """The interval by the age of the machine; none where it is declared or nobody interrupts."""
    spec = job.checkpoint
    if spec is None or spec.every is not None or quote.hazard.per_hour <= 0:
        return ()
    here = Location(quote.offer.provider, quote.offer.region)
    store = checkpoint_store(spec, Roads(market.paths), market.terms, here)
    return cadence_by_age(
        save_hours=spec.save_time.total_seconds() / 3600,
        hazards_per_hour=[
            (age_s, quote.nodes * hazard_at_age(quote.hazard, age_s))
            for age_s in (0.0, *AGE_EDGES_S)
        ],
        at_least_hours=store.upload_hours,
        upload_hours=store.upload_as_hours(quote.price_usd_per_hour),
    )


def _inputs(job: JobSpec, quote: Quote, movement: Movement) -> tuple[TransferPlan, ...]:
    uris = {dataset.uri for dataset in job.inputs}
    return tuple(plan for plan in quote.transfers if plan.uri in uris and plan.movement is movement)


def _checkpoint_tiers(
    job: JobSpec, quote: Quote, market: Market
) -> tuple[tuple[EgressTier, ...], tuple[EgressTier, ...]]:
    """What restoring from and uploading to the checkpoint's place costs here."""
    kept_at = job.checkpoint.location if job.checkpoint else None
    here = Location(quote.offer.provider, quote.offer.region)
    if kept_at is None or kept_at == here:
        return (), ()
    roads = Roads(market.paths)
    ways = roads.between(kept_at, here).path, roads.between(here, kept_at).path
    restore, upload = (way.tiers if way else () for way in ways)
    return restore, upload
