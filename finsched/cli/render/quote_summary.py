"""What people should know of a decision beside its table: labelled sentences about the winner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from finsched import plugins
from finsched.cli.output import duration, money
from finsched.cli.render import words
from finsched.cli.render.price_cautions import price_cautions
from finsched.cli.render.quote_document import COST_PARTS, HOUR_PARTS
from finsched.cli.render.rounding import round_parts
from finsched.model.evidence import Evidence, Quality
from finsched.model.job import CapacityPreference, JobSpec
from finsched.model.market import ANY_REGION, CapacityType, Location
from finsched.model.quote import (
    THRESHOLDS,
    Basis,
    Decision,
    Movement,
    Quote,
    Rejection,
    RejectionCode,
    TransferPlan,
)

COST_LABEL = "cost"
COST_WORDS = dict(
    zip(
        COST_PARTS,
        ("compute", "rework", "checkpoints", "start-up", "transfer", "storage"),
        strict=True,
    )
)
HOUR_WORDS = dict(
    zip(HOUR_PARTS, ("work", "checkpoints", "rework", "restarts", "staging"), strict=True)
)
MOVEMENT_WORDS = {
    Movement.STREAM: "read over the network",
    Movement.COPY_ONCE: "copied there once",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One labelled sentence under the table."""

    label: str
    text: str


Section = list[Fact]
NAMED = 3  # providers that nothing can be launched on, before they are only counted
_PLACE_CODES = frozenset({RejectionCode.REGION, RejectionCode.RESIDENCY})


def title(job: JobSpec, decision: Decision) -> str:
    """Return what is quoted: `llama: 40 h of work on 8x H100`."""
    work = f"{job.work.hours:g} h of work" if job.work else "one hour"
    return f"{decision.job}: {work} on {words.requested(job)}"


def considered(decision: Decision) -> str:
    """Return how much of the market can run the job."""
    over = over_threshold(decision)
    able = [*decision.quotes, *over]
    items: tuple[Quote | Rejection, ...] = decision.quotes + decision.rejections
    market = f"of {len(items):,} at {_providers(items)}"
    if not able:
        return f"no offer can run it, {market}"
    remark = f" ({len(over):,} over a threshold)" if over else ""
    if not decision.quotes:
        remark = ", all over a threshold"
    many = f"{len(able):,} offer{'' if len(able) == 1 else 's'} at {_providers(able)} provider"
    return f"{many}{'' if _providers(able) == 1 else 's'} can run it{remark}, {market}"


def over_threshold(decision: Decision) -> list[Quote]:
    """Return the quotes that only a threshold keeps out, cheapest first."""
    return [quote for quote, _ in _over_threshold(decision)]


def _over_threshold(decision: Decision) -> list[tuple[Quote, RejectionCode]]:
    over = [
        (rejection.quote, rejection.code)
        for rejection in decision.rejections
        if rejection.code in THRESHOLDS and rejection.quote is not None
    ]
    return sorted(over, key=lambda found: found[0].total_usd)


def _providers(items: Iterable[Quote | Rejection]) -> int:
    return len({item.offer.provider for item in items})


def sections(job: JobSpec, decision: Decision) -> list[Section]:
    """Return what is worth saying: the winner, where its figures are from, what is out."""
    best = decision.best
    notes = [Fact(label="note", text=note) for note in decision.notes]
    rest = [Fact(label="not used", text=rejection_counts(decision))] if decision.rejections else []
    if best is None:  # nothing at all fits: the error that follows counts the reasons
        rest = rest if over_threshold(decision) else []
        return [rest + notes] if rest + notes else []
    told = _quoted_only(decision) + rest + notes
    found = (_winner(job, decision, best), _sources(decision, best), told)
    return [section for section in found if section]


def _quoted_only(decision: Decision) -> Section:
    """Name who is quoted and cannot be launched on, where somebody can."""
    quoted = dict.fromkeys(quote.offer.provider for quote in decision.quotes)
    elsewhere = [provider for provider in quoted if provider not in decision.launchable]
    if not elsewhere or len(elsewhere) == len(quoted):
        return []
    more = len(elsewhere) - NAMED
    named = ", ".join(elsewhere[:NAMED]) + (f" and {more} more" if more > 0 else "")
    text = f"{named}: no launch there from here; --launchable leaves them out"
    return [Fact(label="quoted only", text=text)]


def next_step(job_file: Path, decision: Decision) -> Fact:
    """Return the command that goes on from here."""
    best = decision.best
    if best is not None and best.offer.provider in decision.launchable:
        return Fact(label="next", text=f"finsched launch {job_file}")
    command = f"finsched launch {job_file} --rehearse"
    return Fact(label="next", text=command if best is None else f"{command}  ({_why_not(best)})")


def _why_not(best: Quote) -> str:
    provider = best.offer.provider
    if provider in plugins.names():
        return f"{provider} is not set up here"
    return f"finsched cannot start machines on {provider} yet"


def rejection_counts(decision: Decision) -> str:
    """Return how many offers are out for which reason, the commonest first."""
    counts = Counter(rejection.code for rejection in decision.rejections)
    said = [f"{count:,} {words.REJECTIONS[code]}" for code, count in counts.most_common()]
    silent = {each.offer.provider for each in decision.rejections if _is_nowhere(each)}
    if silent:
        many = "1 provider does" if len(silent) == 1 else f"{len(silent)} providers do"
        said[-1] += f"; {many} not say where the machines are"
    return ", ".join(said)


def _is_nowhere(rejection: Rejection) -> bool:
    return rejection.code in _PLACE_CODES and rejection.offer.region == ANY_REGION


def _winner(job: JobSpec, decision: Decision, best: Quote) -> Section:
    found = [
        Fact(label="best", text=_best_line(decision, best)),
    ]
    if cost := cost_line(best):
        found.append(Fact(label=COST_LABEL, text=cost))
    if decision.basis is Basis.RUN:
        found.append(Fact(label="time", text=_time_line(best)))
    found.append(Fact(label="saving", text=_saving_line(job, decision, best)))
    if decision.best_of_one_cloud is not None:
        found.append(
            Fact(label="one cloud", text=_one_cloud_line(best, decision.best_of_one_cloud))
        )
    if best.hazard.per_hour > 0:
        found.append(Fact(label="checkpoint", text=_checkpoint_line(job, best)))
    if job.deadline is not None:
        found.append(
            Fact(
                label="deadline",
                text=f"met with {words.chance(best.deadline_probability)} chance",
            )
        )
    found += [Fact(label="data", text=_transfer_line(job, plan)) for plan in best.transfers]
    return found + _checkpoint_moves(job, best)


def _checkpoint_moves(job: JobSpec, best: Quote) -> Section:
    """What is left of the transfer beside the data: saves and restores, and copies made again."""
    rest_usd = best.cost.transfer_usd - sum(plan.usd for plan in best.transfers)
    saved = job.checkpoint
    if saved is None or saved.location is None or rest_usd < 0.005:
        return []
    here = Location(best.offer.provider, best.offer.region)
    where = f"between {words.location(here)} and {words.location(saved.location)}"
    moved = f"checkpoints ({saved.size_gb:,.0f} GB each) {where}: {money(rest_usd)} expected"
    unsaid = saved.location.region in {"", ANY_REGION}
    fix = "; checkpoint.region would say where, such as aws/us-east-1" if unsaid else ""
    return [Fact(label="data", text=f"{moved} for all saves and restores{fix}")]


def _best_line(decision: Decision, best: Quote) -> str:
    per = "for the finished run" if decision.basis is Basis.RUN else "an hour, all in"
    where = words.place_and_machine(best.offer)
    nodes = f"{best.nodes} x " if best.nodes > 1 else ""
    return f"{money(best.total_usd)} {per}: {nodes}{where}"


def cost_line(quote: Quote) -> str:
    """Return the parts of a cost that are not nothing, as a sum."""
    parts = cost_parts(quote)
    return " + ".join(f"{name} {money(usd)}" for name, usd in parts.items())


def cost_parts(quote: Quote) -> dict[str, float]:
    """Return the cost's parts that are not zero cents, by their word, in USD."""
    parts, _ = round_parts({name: getattr(quote.cost, name) for name in COST_PARTS}, 2)
    return {COST_WORDS[name]: usd for name, usd in parts.items() if usd}


def _time_line(quote: Quote) -> str:
    parts, total = round_parts({name: getattr(quote.hours, name) for name in HOUR_PARTS}, 2)
    shown = [f"{HOUR_WORDS[name]} {hours:.2f}" for name, hours in parts.items() if hours]
    return f"{total:,.2f} h = {' + '.join(shown)}"


def _saving_line(job: JobSpec, decision: Decision, best: Quote) -> str:
    reference = decision.best_on_demand
    if reference is None and job.capacity is CapacityPreference.SPOT:
        return "not known: the job asks for spot alone"
    if reference is None:
        return _without_reference(decision)
    if reference == best:
        return "none: the best is on-demand itself"
    saving = reference.total_usd - best.total_usd
    share = abs(saving) / reference.total_usd if reference.total_usd else 0.0
    amount = f"{money(abs(saving))} ({share:.0%}) {'less' if saving >= 0 else 'MORE'}"
    alternative = f"{words.place_and_machine(reference.offer)}, {money(reference.total_usd)}"
    return f"{amount} than the best on-demand: {alternative}"


def _without_reference(decision: Decision) -> str:
    """Why no saving is stated: on-demand is over a threshold, or cannot run the job."""
    for quote, code in _over_threshold(decision):
        if quote.offer.capacity_type is CapacityType.ON_DEMAND:
            amount = money(quote.total_usd)
            return f"the cheapest on-demand is {amount}, {words.REJECTIONS[code]}"
    return "not known: no on-demand offer can run this job"


def _one_cloud_line(best: Quote, single: Quote) -> str:
    provider = single.offer.provider
    if single == best:
        return f"the best stays on {provider}, where the data is"
    extra = single.total_usd - best.total_usd
    return (
        f"all on {provider}, where the data is: {words.place_and_machine(single.offer)}, "
        f"{money(single.total_usd)}, {money(extra)} more"
    )


def _checkpoint_line(job: JobSpec, best: Quote) -> str:
    every = best.checkpoint_every_seconds
    if every is None:
        return "none declared: an interruption starts the work over"
    declared = job.checkpoint is not None and job.checkpoint.every is not None
    whose = "as declared" if declared else "the cheapest cadence here"
    return f"every {duration(every / 3600)}, {whose}"


def _transfer_line(job: JobSpec, plan: TransferPlan) -> str:
    what = f"{plan.uri} ({plan.size_gb:,.0f} GB)"
    if plan.movement is Movement.STAY:
        return f"{what} stays in {words.location(plan.source)}"
    way = f"from {words.location(plan.source)} to {words.location(plan.destination)}"
    is_output = any(plan.uri == output.uri for output in job.outputs)
    how = "written once at the end" if is_output else MOVEMENT_WORDS[plan.movement]
    return f"{what} {way}, {how}: {_price(plan)}, {duration(plan.hours)}{_alternative(plan)}"


def _price(plan: TransferPlan) -> str:
    unknown = not plan.evidence or any(not evidence.source for evidence in plan.evidence)
    return "price unknown" if unknown and not plan.usd else money(plan.usd)


def _alternative(plan: TransferPlan) -> str:
    said = ""
    if plan.alternative_usd is not None:
        streams = plan.movement is Movement.STREAM
        other = MOVEMENT_WORDS[Movement.COPY_ONCE if streams else Movement.STREAM]
        said += f"; {other} it would cost {money(plan.alternative_usd)}"
    if plan.break_even_reads is not None and plan.break_even_reads > 1:
        said += f"; a copy is no dearer if the job reads it {plan.break_even_reads} times or more"
    return said


def _sources(decision: Decision, best: Quote) -> Section:
    today = decision.as_of.date()
    price, hazard = best.offer.evidence, best.hazard
    caveat = price.note.partition("undated:")[0].rstrip("; ")  # why undated: --explain says it
    note = f" ({caveat})" if caveat else ""
    found = [Fact(label="price", text=words.source_and_age(price, today) + note)]
    if hazard.per_hour > 0:
        interval = f"{hazard.low_per_hour:.2g} to {hazard.high_per_hour:.2g}"
        source = words.source_and_age(hazard.evidence, today)
        figure = f"{hazard.per_hour:.2g} interruptions an hour (80%: {interval})"
        found.append(Fact(label="hazard", text=f"{figure}; {source}"))
    found += [_measured_speed(best, each, today) for each in best.evidence if _is_own_speed(each)]
    if cautions := [*best.marks, *price_cautions(decision, best)]:
        found.append(Fact(label="caution", text="; ".join(cautions)))
    return found


def _is_own_speed(evidence: Evidence) -> bool:
    return evidence.quality is Quality.MEASURED and evidence.what.startswith("speed")


def _measured_speed(best: Quote, evidence: Evidence, today: date) -> Fact:
    source = words.source_and_age(evidence, today)
    whose = evidence.what.removeprefix("speed of ")
    text = f"{best.speedup:.3g} h of the stated work an hour; {whose}: {source}"
    return Fact(label="speed", text=text)
