"""What runs keep in their stores, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from finsched.api.sweeping import KeptStore
from finsched.cli.output import data_size, money


def print_stores(stores: Sequence[KeptStore], out: Console, *, applied: bool) -> None:
    """Print what runs keep, what of it goes, and what would delete it."""
    if not stores:
        return
    out.print(Text(f"Stores of ended runs: {_total(stores)}", style="bold"))
    for kept in stores:
        out.print(Text(f"  {kept.run}: {_headline(kept)}"))
        out.print(Padding(Text(kept.uri, style="dim"), (0, 0, 0, 4), expand=False))
        out.print(Padding(Text(_reason(kept), style="dim"), (0, 0, 0, 4), expand=False))
    out.print(Text(_conclusion(stores, applied=applied), style="bold"))


def deleting(kept: KeptStore) -> str:
    """Say that a store is being deleted."""
    return f"deleting {kept.uri}, {_amount([kept])}"


def store_document(kept: KeptStore) -> dict[str, Any]:
    """Return one store as JSON."""
    return {
        "run": kept.run,
        "uri": kept.uri,
        "ended_at": kept.ended_at.isoformat() if kept.ended_at else None,
        "size_bytes": kept.size_bytes,
        "checkpoint_bytes": kept.checkpoint_bytes,
        "usd_per_month": kept.usd_per_month,
        "fate": kept.ruling.fate,
        "why": kept.ruling.why,
        "deleted": kept.deleted,
        "problem": kept.problem or None,
    }


def _headline(kept: KeptStore) -> str:
    if kept.problem and not kept.size_bytes:
        return kept.problem
    ended = f", ended {kept.ended_at:%F}" if kept.ended_at else ""
    return f"{_amount([kept])}, {data_size(kept.checkpoint_bytes)} of it checkpoints{ended}"


def _reason(kept: KeptStore) -> str:
    if kept.goes:
        done = "deleted" if kept.deleted else "goes"
        failed = f"; not deleted: {kept.problem}" if kept.problem else ""
        return f"{done}: {kept.ruling.why}{failed}"
    return f"stays: {kept.ruling.why}"


def _conclusion(stores: Sequence[KeptStore], *, applied: bool) -> str:
    going = [kept for kept in stores if kept.goes]
    if not going:
        return "no store goes; --older-than 30d or --run RUN says which may"
    left = [kept for kept in going if not kept.deleted]
    if not applied:
        return f"{_count(going)}, {_total(going)}; --apply deletes them for good"
    deleted = [kept for kept in going if kept.deleted]
    rest = f"; {_count(left)} could not be: run the sweep again" if left else ""
    return f"{_count(deleted)} deleted, {_total(deleted)}{rest}"


def _count(stores: Sequence[KeptStore]) -> str:
    return f"{len(stores)} store{'' if len(stores) == 1 else 's'}"


def _total(stores: Sequence[KeptStore]) -> str:
    unpriced = any(kept.usd_per_month is None for kept in stores)
    return f"{_amount(stores)}{' as far as known' if unpriced and _usd(stores) else ''}"


def _amount(stores: Sequence[KeptStore]) -> str:
    usd = _usd(stores)
    cost = f", {money(usd)} a month" if usd else ""
    return f"{data_size(sum(kept.size_bytes for kept in stores))}{cost}"


def _usd(stores: Iterable[KeptStore]) -> float:
    return sum(kept.usd_per_month or 0.0 for kept in stores)
