"""From a quote to a placement: the figures frozen into the ledger when it was chosen."""

from __future__ import annotations

from finsched.decide.cadence import LONGEST_INTERVAL_HOURS
from finsched.model.job import JobSpec
from finsched.model.market import Location, Market, ProviderTerms
from finsched.model.quote import Movement, Quote
from finsched.model.run import Placement

LONGEST_INTERVAL_SECONDS = LONGEST_INTERVAL_HOURS * 3600
INTERVAL_UNQUOTED_SECONDS = 600.0


def placement(job: JobSpec, quote: Quote, market: Market, why: str = "") -> Placement:
    """Return the placement of a quote, with every price that its account will need."""
    terms = market.terms.get(quote.offer.provider, ProviderTerms(provider=quote.offer.provider))
    inputs = {dataset.uri for dataset in job.inputs}
    outputs = {dataset.uri for dataset in job.outputs}
    return Placement(
        offer=quote.offer,
        nodes=quote.nodes,
        billing=terms.billing,
        checkpoint_every_seconds=_checkpoint_every_seconds(job, quote),
        expected_total_usd=quote.total_usd,
        speedup=quote.speedup,
        input_transfer_usd=sum(plan.usd for plan in quote.transfers if plan.uri in inputs),
        copied_uris=_copied(job, quote) if terms.storage else (),
        output_transfer_usd=sum(plan.usd for plan in quote.transfers if plan.uri in outputs),
        restore_usd_per_gb=_restore_usd_per_gb(job, quote, market),
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


def _copied(job: JobSpec, quote: Quote) -> tuple[str, ...]:
    inputs = {dataset.uri for dataset in job.inputs}
    copies = (plan for plan in quote.transfers if plan.movement is Movement.COPY_ONCE)
    return tuple(plan.uri for plan in copies if plan.uri in inputs)


def _restore_usd_per_gb(job: JobSpec, quote: Quote, market: Market) -> float:
    kept_at = job.checkpoint.location if job.checkpoint else None
    here = Location(quote.offer.provider, quote.offer.region)
    if kept_at is None or kept_at == here:
        return 0.0
    path = market.paths.get((kept_at, here))
    return path.tiers[0].usd_per_gb if path and path.tiers else 0.0
