"""What must hold at every step, whatever goes wrong; each function returns its violation or None.

docs/explanation/chaos.md says in words what each one promises, and what it leaves out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from finsched.decide.live.spend import attempt_usd, compute_usd
from finsched.model.run import Attempt, Outcome, Run
from finsched.node.ending import End
from finsched.provider import EndReason
from finsched.testing.chaos.truth import LogEntry, LogTruth
from finsched_sim.machine import Machine
from finsched_sim.node import SimNode

_LEAST_PROGRESS = 1e-4
CENT = Decimal("0.01")


def one_writer(entries: Sequence[LogEntry]) -> str | None:
    """No attempt commits once a higher one has opened the log; asked at each new entry."""
    newest = entries[-1]
    highest = max(entry.attempt for entry in entries)
    if newest.attempt >= highest:
        return None
    return f"attempt {newest.attempt} has written entry {newest.number} after {highest} had opened"


def nothing_lost(node: SimNode, truth: LogTruth) -> str | None:
    """An attempt goes on from the newest whole checkpoint of those before it."""
    best = truth.newest_whole(below_attempt=node.config.attempt)
    found = node.restored.commit if node.restored else None
    if best is None or (found and found.number >= best.number):
        return None
    number = found.number if found else None
    return f"attempt {node.config.attempt} restored {number}, and {best.number} is whole"


def kept_at_the_limit(node: SimNode, truth: LogTruth) -> str | None:
    """Budget and deadline end a machine early enough for what it has done to be kept."""
    done, number = node.asked_to_end_at, node.config.attempt
    if node.ended is not End.LIMIT or done is None:
        return None
    kept = max((e.progress or 0.0 for e in truth.entries if e.attempt <= number), default=0.0)
    if kept >= done - _LEAST_PROGRESS:
        return None
    return f"attempt {number} had done {done:.4f} when its limit came, and {kept:.4f} is kept"


def known(machine: Machine, intents: Collection[str]) -> str | None:
    """Whatever bills was written down before it was made; `intents` are the tokens by then."""
    if machine.request.token in intents:
        return None
    return f"{machine.id} bills, and the ledger knows nothing of {machine.request.token}"


def over_with_the_run(
    machine: Machine, run: Run, since_end_s: float, allowed_s: float
) -> str | None:
    """After the end of a run and the time of a lease nothing of it bills."""
    if not machine.runs or since_end_s <= allowed_s:
        return None
    return f"{machine.id} bills {since_end_s:.0f} s after the end of {run.id}"


def leased(machine: Machine, alone_s: float, allowed_s: float) -> str | None:
    """A machine whose supervisor is gone ends itself when its lease does."""
    if alone_s <= allowed_s:
        return None
    return (
        f"{machine.id} runs {alone_s:.0f} s after anybody has looked, {allowed_s:.0f} are its lease"
    )


def within_budget(run: Run, billed_usd: float, allowance_usd: float) -> str | None:
    """No more is spent than the budget, a step of each meter and the time of a last checkpoint."""
    limit = run.job.budget.max_cost_usd
    if limit is None or billed_usd <= limit + allowance_usd:
        return None
    return f"${billed_usd:.2f} billed, where ${limit:.2f} and ${allowance_usd:.2f} were allowed"


def never_below_the_bill(
    run: Run, machines: Iterable[Machine], now_s: float, now: datetime, slack_usd: Decimal
) -> str | None:
    """What the ledger says is never less than what the clouds have charged.

    `slack_usd` is what a wrong clock of the supervisor's own is worth.
    """
    billed = sum((machine.meter.usd(now_s) for machine in machines), Decimal(0))
    told = compute_usd(run, now)
    if told + CENT + slack_usd >= billed:
        return None
    return f"the ledger says ${told:.2f}, the clouds have charged ${billed:.2f}"


def the_bill(run: Run, machines: Iterable[Machine], now_s: float) -> str | None:
    """Once everything is over, ledger and clouds agree to the cent, attempt by attempt."""
    billed: dict[str, Decimal] = {}
    for machine in machines:
        token = machine.request.token
        billed[token] = billed.get(token, Decimal(0)) + machine.meter.usd(now_s)
    for attempt in run.attempts:
        told = attempt_usd(attempt, attempt.ended_at or run.submitted_at)
        charged = billed.get(attempt.token, Decimal(0))
        if abs(told - charged) >= CENT and not is_estimate(attempt):
            return f"attempt {attempt.number}: ${told:.4f} in the ledger, ${charged:.4f} charged"
    return None


def is_estimate(attempt: Attempt) -> bool:
    """Whether nobody could say when the attempt's machine ended."""
    return attempt.estimated


def not_blamed(run: Run, *, fails: bool) -> str | None:
    """A run ends as a failure of the job only where the job fails by itself."""
    if run.outcome is not Outcome.JOB_FAILED or fails:
        return None
    return f"the job is said to have failed: {run.detail}"


def one_step(
    entry: LogEntry, saved: Iterable[tuple[int, float]], ranks: Collection[int]
) -> str | None:
    """A commit holds the part of every node that saves, all of one point of the work.

    `saved` are the nodes and the points of the parts that the commit names.
    """
    parts = sorted(saved)
    if [rank for rank, _ in parts] != sorted(ranks):
        return f"entry {entry.number} holds the parts of {parts}, and nodes {sorted(ranks)} save"
    if any(progress != entry.progress for _, progress in parts):
        return f"entry {entry.number} at {entry.progress} is a mixture of {parts}"
    return None


def ends_together(machine: Machine, alone_s: float, allowed_s: float) -> str | None:
    """Nothing bills after a broken gang longer than its lease."""
    if alone_s <= allowed_s:
        return None
    return f"{machine.id} runs {alone_s:.0f} s after its gang broke, {allowed_s:.0f} are allowed"


def spares(machine: Machine, run: Run, *, watched: bool, leased: bool) -> str | None:
    """A sweep ends no machine that somebody watches over, or whose lease still runs."""
    live = {attempt.token for attempt in run.live_attempts}
    if run.outcome is not None or machine.request.token not in live:
        return None
    if watched or leased:
        return f"{machine.id} of {run.id} works on: watched {watched}, leased {leased}"
    return None


def findable(machine: Machine, found: Collection[str]) -> str | None:
    """Whatever bills is found by a sweep, unless its cloud could not be asked."""
    if not machine.runs or machine.id in found:
        return None
    return f"{machine.id} bills, and the sweep has not found it"


def left_alone(machine: Machine) -> str | None:
    """Nobody ends what belongs to another installation in the same account."""
    if machine.runs or machine.status.reason is not EndReason.TERMINATED_BY_US:
        return None
    return f"{machine.id} of {machine.request.installation} was ended"


def fresh(attempt: Attempt, kept_ago: timedelta, allowed: timedelta) -> str | None:
    """No machine is paid for long while nothing of its work is kept."""
    if kept_ago <= allowed:
        return None
    return f"nothing of attempt {attempt.number} was kept for {kept_ago}, {allowed} are allowed"


def reserved(taken_usd: float, limit_usd: float, allowance_usd: float) -> str | None:
    """What all runs of a month have cost and may still cost stays within its budget."""
    if taken_usd <= limit_usd + allowance_usd:
        return None
    return f"${taken_usd:.2f} are spent or promised, ${limit_usd:.2f} are the month's budget"


def folds(live: Run, folded: Run) -> str | None:
    """The state folded from the ledger is the live state."""
    return None if folded == live else "the ledger folds to another run than the live one"


def stays(why: str, run: Run, *, disk_is_full: bool) -> str | None:
    """A supervisor leaves a run only when it is over, or when its own machine fails.

    A cloud that refuses the very first machine ends the run, and says so.
    """
    is_told = run.outcome is not None and not any(each.instance_ids for each in run.attempts)
    fair = {"done": True, "crashed": True, "killed": True, "LedgerProblem": disk_is_full}
    return None if fair.get(why, is_told) else f"it left for {why}, outcome {run.outcome}"


def goes_on(calm_s: float, allowed_s: float, what: str) -> str | None:
    """A run that can progress does: in calm weather something is kept before long."""
    return None if calm_s <= allowed_s else f"nothing was kept in {calm_s:.0f} s of calm: {what}"
