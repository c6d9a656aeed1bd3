"""Runs and their state, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finsched.cli.output import money
from finsched.cli.render.live import panel
from finsched.decide.live.at_risk import at_risk
from finsched.decide.live.spend import possible_usd, spent_usd
from finsched.model.run import Attempt, Run, Transfer


def print_runs(found: Sequence[tuple[Run, datetime]], out: Console) -> None:
    """Print one line a run."""
    if not found:
        out.print(Text("no runs yet; `finsched launch JOB --rehearse` makes the first"))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "state", "kept", "spent", "tries", "submitted"):
        right = title in {"kept", "spent", "tries"}
        table.add_column(title, justify="right" if right else "left")
    for run, now in found:
        table.add_row(*_cells(run, now))
    out.print(table)
    if any(run.rehearsal for run, _ in found):
        out.print(Text("(rehearsed: what it would have cost there; nothing was billed)", "dim"))


def print_status(run: Run, now: datetime, out: Console, *, supervised: bool) -> None:
    """Print where a run stands."""
    kind = f", rehearsal at {run.rehearsal.speed:g}x" if run.rehearsal else ""
    out.print(Text(f"{run.id}: {_state(run)}{kind}", style="bold"))
    if run.detail:
        out.print(Text(run.detail, style="dim"))
    if run.outcome is None:
        out.print(panel(run, now))
        for attempt in run.live_attempts:
            if attempt.unconfirmed:
                out.print(Text(_unconfirmed(attempt), style="bold yellow"))
        if not supervised:
            out.print(Text(_unwatched(run), style="bold yellow"))
        return
    spent = money(float(spent_usd(run, now)))
    rehearsed = " there, had it been real" if run.rehearsal else ""
    tries = f"{len(run.attempts)} attempts"
    out.print(Text(f"{spent}{rehearsed} in {tries}; finsched report {run.id}"))
    if run.store_discarded_at:
        out.print(Text(f"its store was deleted at {run.store_discarded_at:%F %R} UTC"))


def _unwatched(run: Run) -> str:
    if run.waits_in_queue:
        return "it waits for its turn: `finsched queue` says what for"
    if run.stop_requested:
        return f"nobody watches over it: end it with `finsched stop {run.id}`"
    return f"nobody watches over it: go on with `finsched resume {run.id}`"


def _unconfirmed(attempt: Attempt) -> str:
    return (
        f"launch not confirmed: {attempt.provider} has not said whether attempt {attempt.number}"
        " has a machine; if it has none, it costs nothing"
    )


def run_document(run: Run, now: datetime) -> dict[str, Any]:
    """Return a run's state as JSON."""
    attempt = run.live_attempt
    last = run.last_checkpoint
    risk_usd, age = at_risk(run, now)
    return {
        "run": run.id,
        "job": run.job.name,
        "state": _state(run),
        "outcome": run.outcome,
        "detail": run.detail,
        "rehearsed": run.rehearsal is not None,
        "submitted_at": run.submitted_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "attempts": len(run.attempts),
        "interruptions": run.interruptions,
        "progress": attempt.progress if attempt else (last.progress if last else None),
        "committed_progress": last.progress if last else None,
        "checkpoint": last.sequence if last else None,
        "spent_usd": f"{spent_usd(run, now):.6f}",
        "possible_usd": f"{possible_usd(run, now):.6f}",
        "burn_usd_per_hour": sum(each.placement.usd_per_hour for each in run.live_attempts),
        "at_risk_usd": round(risk_usd, 6),
        "seconds_since_commit": round(age.total_seconds(), 3),
        "store": run.store_uri,
        "transfer": _transfer_document(attempt.transfer) if attempt and attempt.transfer else None,
    }


def _transfer_document(transfer: Transfer) -> dict[str, Any]:
    rate = transfer.bytes_per_second
    return {
        "direction": transfer.direction,
        "done_bytes": transfer.done_bytes,
        "total_bytes": transfer.total_bytes,
        "bytes_per_second": None if rate is None else round(rate, 1),
    }


def _cells(run: Run, now: datetime) -> tuple[str, ...]:
    last = run.last_checkpoint
    kept = f"{last.progress:.0%}" if last and last.progress is not None else ""
    submitted = run.submitted_at.strftime("%F %R")
    spent = money(float(spent_usd(run, now)))
    if possible_usd(run, now):
        spent = f"up to {spent}"
    if run.rehearsal:
        spent = f"({spent})"
    return run.id, _state(run), kept, spent, str(len(run.attempts)), submitted


def _state(run: Run) -> str:
    if run.outcome:
        return str(run.outcome).replace("_", " ")
    if run.stop_requested:
        return "stopping"
    if run.live_attempt is None:
        return "between attempts"
    return "launch not confirmed" if run.live_attempt.unconfirmed else "running"
