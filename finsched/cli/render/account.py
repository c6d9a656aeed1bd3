"""An account as a table for people and as a document for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finsched.accounting.account import Account, Line
from finsched.accounting.verdict import COMMIT_LATENCY_SECONDS, Loss, Verdict
from finsched.cli.output import duration, money
from finsched.cli.render import words
from finsched.model.run import Placement


def print_account(account: Account, console: Console) -> None:
    """Print every attempt, the parts of the total and what on-demand would have cost."""
    console.print(_headline(account))
    console.print(_table(account))
    console.print(_parts(account))
    if account.on_demand and account.on_demand_usd:
        console.print(_comparison(account, account.on_demand, account.on_demand_usd))


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print what the rehearsal proved, one line per claim."""
    console.print()
    title = "Resume works." if verdict.passed else "Resume is not proven."
    console.print(Text(title, style="bold green" if verdict.passed else "bold red"))
    for claim in _claims(verdict):
        console.print(claim)
    for failure in verdict.failures:
        console.print(_hanging("!", failure, style="red"))
    for hint in _hints(verdict):
        console.print(_hanging("?", hint, style="yellow"))
    console.print(_costs(verdict))


def account_document(account: Account) -> dict[str, Any]:
    """Return the account as JSON: amounts are decimal strings, times are seconds."""
    return {
        "run": account.run,
        "job": account.job,
        "outcome": account.outcome,
        "rehearsed": account.rehearsed,
        "currency": "USD",
        "attempts": [_line_document(line) for line in account.lines],
        "compute_usd": _cents(account.compute_usd),
        "transfer_usd": _cents(account.transfer_usd),
        "storage_usd": _cents(account.storage_usd),
        "total_usd": _cents(account.total_usd),
        "lost_usd": _cents(account.lost_usd),
        "useful_hours": round(account.useful_seconds / 3600, 4),
        "on_demand_usd": _optional(account.on_demand_usd),
        "saved_usd": _optional(account.saved_usd),
    }


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON."""
    return {
        "passed": verdict.passed,
        "finished": verdict.finished,
        "planned_interruptions": verdict.planned_interruptions,
        "interruptions": verdict.interruptions,
        "resumed": verdict.resumed,
        "started_over": verdict.started_over,
        "went_back": verdict.went_back,
        "losses": [
            {
                "attempt": loss.attempt,
                "noticed": loss.noticed,
                "at_progress": loss.at_progress,
                "committed_progress": loss.committed_progress,
                "lost_seconds": round(loss.seconds, 3),
                "allowed_seconds": round(loss.allowed_seconds, 3),
            }
            for loss in verdict.losses
        ],
        "would_have_cost_usd": _cents(verdict.would_have_cost_usd),
        "quoted_usd": verdict.quoted_usd,
        "failures": list(verdict.failures),
    }


def _table(account: Account) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("#", justify="right")
    table.add_column("placement")
    table.add_column("$/h", justify="right")
    table.add_column("billed", justify="right")
    table.add_column("lost", justify="right")
    table.add_column("USD", justify="right")
    table.add_column("end")
    for line in account.lines:
        table.add_row(*_cells(line, _digits(account)))
    return table


def _digits(account: Account) -> int:
    """Cents are enough for people, unless the whole run costs less than a dollar."""
    return 4 if account.total_usd < 1 else 2


def _cells(line: Line, digits: int) -> tuple[str, ...]:
    offer = line.placement.offer
    end = str(line.end).replace("_", " ") if line.end else "running"
    end += ", estimated" if line.estimated else ""
    return (
        str(line.attempt),
        words.place_and_machine(offer),
        f"{line.placement.usd_per_hour:,.2f}",
        duration(line.billed_seconds / 3600),
        duration(line.lost_seconds / 3600) if line.lost_seconds else "",
        f"{line.usd:,.{digits}f}",
        end,
    )


def _parts(account: Account) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right")
    rows.add_column(style="dim")

    def amount(usd: Decimal) -> str:
        return f"${usd:,.{_digits(account)}f}"

    rows.add_row("compute", amount(account.compute_usd), _metered(account, amount))
    rows.add_row("transfer", amount(account.transfer_usd), "estimated from the declared sizes")
    rows.add_row("storage", amount(account.storage_usd), "of checkpoints, estimated")
    pace = "at this computer's pace: plan with the quote" if account.rehearsed else ""
    rows.add_row("total", amount(account.total_usd), pace, style="bold")
    return rows


def _metered(account: Account, amount: Callable[[Decimal], str]) -> str:
    unsure = sum((line.usd for line in account.lines if line.estimated), Decimal(0))
    but = f" but for {amount(unsure)} of machines that vanished" if unsure else ""
    return f"metered{but}; {amount(account.lost_usd)} of it lost work"


def _comparison(account: Account, on_demand: Placement, on_demand_usd: Decimal) -> Text:
    hours = duration(account.useful_seconds / 3600)
    saved = account.saved_usd or Decimal(0)
    word = "saved" if saved >= 0 else "dearer by"
    share = f" ({abs(saved / on_demand_usd):.0%})" if on_demand_usd >= 1 else ""
    text = Text(f"{word} {money(float(abs(saved)))}{share}")
    text.stylize("green" if saved >= 0 else "red")
    text.append(f" against {money(float(on_demand_usd))} for the same {hours} of useful work", "")
    text.append(f"\n  on {words.place_and_machine(on_demand.offer)}, never interrupted", "dim")
    return text


def _headline(account: Account) -> Text:
    text = Text(f"{account.run}: {str(account.outcome or 'running').replace('_', ' ')}", "bold")
    if account.rehearsed:
        text.append(", a rehearsal: nothing was billed", style="not bold yellow")
    return text


def _claims(verdict: Verdict) -> Iterator[Table]:
    yield _claim(verdict.finished, "the job finished")
    met = verdict.interruptions >= max(verdict.planned_interruptions or 0, 1)
    yield _claim(met and bool(verdict.resumed), _met(verdict))
    for loss in verdict.losses:
        yield _claim(loss.within_one_interval, _lost(loss, verdict.speed))
    if verdict.resumed:
        yield _claim(not verdict.went_back, "progress never went back behind a commit")


def _claim(holds: bool, sentence: str) -> Table:
    return _hanging("ok" if holds else "!!", sentence, style="" if holds else "red")


def _hanging(mark: str, sentence: str, *, style: str = "") -> Table:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=4, justify="right", style=style)
    row.add_column(style=style)
    row.add_row(mark, Text(sentence))
    return row


def _met(verdict: Verdict) -> str:
    planned = verdict.planned_interruptions
    of = f" of {planned}" if planned is not None else ""
    sentence = f"interrupted {verdict.interruptions}{of} times, resumed {verdict.resumed} times"
    if verdict.started_over:
        sentence += f", started over {verdict.started_over} times: nothing was committed yet"
    return sentence


def _lost(loss: Loss, speed: float) -> str:
    kind = "notice" if loss.noticed else "no notice"
    there = duration(loss.seconds * speed / 3600)
    allowed = f"{loss.allowed_seconds:.1f} s allowed"
    return (
        f"attempt {loss.attempt}, {kind}: lost {loss.seconds:.1f} s here, {there} there; {allowed}"
    )


def _hints(verdict: Verdict) -> Iterator[str]:
    for loss in verdict.losses:
        if loss.noticed and loss.seconds > COMMIT_LATENCY_SECONDS and loss.within_one_interval:
            yield (
                f"attempt {loss.attempt} had a notice and saved nothing on it: a handler for"
                " checkpoint.signal would have kept that work"
            )


def _costs(verdict: Verdict) -> Text:
    metered = money(float(verdict.would_have_cost_usd))
    text = Text(f"This rehearsal, at {verdict.speed:g}x, would have cost {metered} there", "bold")
    if verdict.quoted_usd is not None:
        text.append(f"; the quote for the real job is {money(verdict.quoted_usd)}", "not bold")
    text.append(".")
    return text


def _line_document(line: Line) -> dict[str, Any]:
    offer = line.placement.offer
    return {
        "attempt": line.attempt,
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "capacity_type": offer.capacity_type,
        "nodes": line.placement.nodes,
        "price_usd_per_hour": line.placement.usd_per_hour,
        "billed_seconds": line.billed_seconds,
        "lost_seconds": round(line.lost_seconds, 3),
        "usd": _cents(line.usd),
        "end": line.end,
        "detail": line.detail,
        "estimated": line.estimated,
    }


def _cents(amount: Decimal) -> str:
    return f"{amount:.6f}"


def _optional(amount: Decimal | None) -> str | None:
    return None if amount is None else _cents(amount)
