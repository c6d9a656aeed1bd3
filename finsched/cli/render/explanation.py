"""Why the winner wins, what the next ones lost on, and what went into the winner's figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from finsched.cli.output import money
from finsched.cli.render import words
from finsched.cli.render.quote_summary import Fact, Section, over_threshold
from finsched.cli.render.shortlist import shortlist
from finsched.decide.pricing.explain import Comparison, Explanation, explain
from finsched.model.evidence import Evidence
from finsched.model.job import JobSpec
from finsched.model.quote import Basis, Decision, Quote

NAMES = "OWNER/NAME and a commit are a public repository at github.com"
FORMULA = "hours = M e^(R/M) (e^((t+d)/M) - 1) W/t and the first start (Daly 2006)"


def explanation_sections(job: JobSpec, decision: Decision) -> list[Section]:
    """Return the comparison with the next machines, the formula's inputs, and every source.

    Where every offer is over a threshold, that of the cheapest one without it.
    """
    quotes = decision.quotes or over_threshold(decision)
    machines = tuple(line.quote for line in shortlist(quotes, top=None))
    explanation = explain(replace(decision, quotes=machines))
    if explanation is None:
        return []
    today = decision.as_of.date()
    return [
        _comparison(explanation, is_allowed=bool(decision.quotes)),
        _inputs(job, explanation.winner),
        _sources(explanation.winner, today),
    ]


def _comparison(explanation: Explanation, *, is_allowed: bool) -> Section:
    winner = words.place_and_machine(explanation.winner.offer)
    unless = "" if is_allowed else "without the thresholds: "
    return [
        Fact(label="why", text=f"{unless}{winner}: {explanation.reason}"),
        *(_lost(rank, lost) for rank, lost in enumerate(explanation.lost, start=2)),
    ]


def _lost(rank: int, lost: Comparison) -> Fact:
    where = words.place_and_machine(lost.quote.offer)
    return Fact(label=f"not #{rank}", text=f"{where}, {money(lost.quote.total_usd)}: {lost.reason}")


def _inputs(job: JobSpec, winner: Quote) -> Section:
    if winner.basis is Basis.HOUR:
        return [Fact(label="formula", text="price and storage of one hour: work.hours is not set")]
    inputs = [f"W = {winner.hours.work:.4g} h of work"]
    if winner.speedup != 1:
        inputs.append(f"speed-up {winner.speedup:.3g}")
    if winner.hazard.per_hour > 0:
        gang_hazard = winner.hazard.per_hour * winner.nodes
        inputs.append(f"M = 1/hazard = {1 / gang_hazard:.4g} h between interruptions")
    if winner.checkpoint_every_seconds is not None and job.checkpoint is not None:
        inputs.append(f"t = {winner.checkpoint_every_seconds:.0f} s between checkpoints")
        inputs.append(f"d = {job.checkpoint.save_time.total_seconds():g} s to save")
    inputs.append(f"{winner.expected_interruptions:.3g} interruptions expected")
    return [Fact(label="formula", text=FORMULA), Fact(label="inputs", text=", ".join(inputs))]


def _sources(winner: Quote, today: date) -> Section:
    found = [_source(evidence, today) for evidence in dict.fromkeys(winner.evidence)]
    return [*found, Fact(label="sources", text=NAMES)] if found else []


def _source(evidence: Evidence, today: date) -> Fact:
    """Label a source by the first word of what it is for; the rest opens the sentence."""
    label, _, rest = evidence.what.partition(" ")
    opening = f"{rest}: " if rest else ""
    note = f" ({evidence.note})" if evidence.note else ""
    return Fact(label=label, text=opening + words.source_and_age(evidence, today) + note)
