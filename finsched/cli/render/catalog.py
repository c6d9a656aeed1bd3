"""Refreshes and the freshness of the catalog, for people and for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from finsched.api.catalog_status import CatalogStatus, ProviderStatus
from finsched.api.refreshing import EVERYWHERE, Progress, Refreshed
from finsched.catalog.live import LastRefresh, SetAside
from finsched.catalog.quarantine import Quarantined
from finsched.cli.output import duration
from finsched.cli.render import words
from finsched.model.evidence import Evidence

WIDTH = 80
MOST_LINES = 5  # of one kind; --json has all
UNKNOWN = "-"
SECONDS_PER_HOUR = 3600
Print = Callable[[str], None]


# --- while it works ----------------------------------------------------------------------------


@contextmanager
def progress_line(err: Console) -> Iterator[Progress]:
    """Yield what tells how many regions answered: on one line of a terminal, else at the end."""

    def told(provider: str, done: int, regions: int) -> None:
        text = f"{provider}: {done} of {regions} regions"
        if err.is_terminal:
            err.print(f"\r{text}", end="", soft_wrap=True)
        elif done == regions:
            err.print(text)

    yield told
    if err.is_terminal:
        err.print("\r" + " " * (WIDTH - 1) + "\r", end="")


# --- a refresh, for people ---------------------------------------------------------------------


def print_refresh(answers: Sequence[Refreshed], out: Console) -> None:
    """Print what came from each provider, what is not believed, and what did not come."""
    for answer in answers:
        out.print(Text(_came(answer), style="bold"))
        if answer.quarantined:
            _print_lines(f"{len(answer.quarantined)} not believed and kept aside:", out, "  ")
        _print_some([_not_believed(each) for each in answer.quarantined], out)
        if answer.problems:
            _print_lines("Not answered; the prices known before are kept:", out, "  ")
        _print_some(_by_problem(answer.problems), out)


def _came(answer: Refreshed) -> str:
    prices = f"{answer.accepted:,} prices, {answer.changed:,} of them new or changed"
    regions = f"{answer.answered} of {answer.regions} regions in full"
    bands = f", {answer.priors:,} interruption bands" if answer.priors else ""
    return f"{answer.provider}: {prices}; {regions}{bands}; {_took(answer)}"


def _took(answer: Refreshed) -> str:
    return "under 1 s" if answer.seconds < 0.5 else duration(answer.seconds / SECONDS_PER_HOUR)


def _not_believed(each: Quarantined) -> str:
    offer = each.offer
    return f"{words.place_and_machine(offer)}: {offer.price_usd_per_hour:g} USD/h, {each.reason}"


def _by_problem(told: Sequence[tuple[str, str]]) -> list[str]:
    """One line a problem, however many regions have it."""
    regions: dict[str, list[str]] = {}
    for region, problem in told:
        regions.setdefault(problem, []).append(region)
    return [
        _problem((where[0] if len(where) == 1 else f"{len(where)} regions", problem))
        for problem, where in regions.items()
    ]


def _problem(told: tuple[str, str]) -> str:
    region, problem = told
    return problem if region == EVERYWHERE else f"{region}: {problem}"


def _print_some(lines: Sequence[str], out: Console) -> None:
    for line in lines[:MOST_LINES]:
        _print_lines(line, out, "    ")
    if len(lines) > MOST_LINES:
        _print_lines(f"{len(lines) - MOST_LINES} more with --json", out, "    ")


def _print_lines(text: str, out: Console, indent: str) -> None:
    for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  "):
        out.print(Text(line))


# --- the status, for people --------------------------------------------------------------------


def print_status(found: CatalogStatus, out: Console) -> None:
    """Print one line a provider, and below it what the last refresh lacks."""
    titles = ("Provider", "Offers", "Live", "Sources", "Newest", "Oldest", "Aside", "Refreshed")
    out.print(Text(_line(*titles), style="bold"))
    today = found.as_of.date()
    for each in found.providers:
        out.print(Text(_status_line(each, today, found.as_of)))
        if each.refreshed:
            _print_some(_by_problem(each.refreshed.problems), out)
        _print_some([_aside(kept) for kept in each.quarantined], out)
    _print_lines(
        "Live: asked of the provider; the others are bundled lists. Aside: not believed. Refreshed:"
        " when, and how many regions answered. Ages: > at least, ? undated.",
        out,
        "",
    )


def _status_line(each: ProviderStatus, today: date, now: datetime) -> str:
    return _line(
        each.provider,
        f"{each.offers:,}",
        f"{each.live:,}" if each.live else UNKNOWN,
        str(len(each.sources)),
        _age(each.newest, today),
        _age(each.oldest, today),
        str(len(each.quarantined)) if each.quarantined else UNKNOWN,
        _refreshed(each.refreshed, now),
    )


def _age(evidence: Evidence | None, today: date) -> str:
    return words.short_age(evidence, today) if evidence else "?"


def _refreshed(last: LastRefresh | None, now: datetime) -> str:
    if last is None:
        return UNKNOWN
    hours = (now - last.asked_at).total_seconds() / SECONDS_PER_HOUR
    return f"{duration(hours)} ago {last.answered}/{last.regions}"


def _line(name: str, *cells: str) -> str:
    *figures, refreshed = cells
    offers, live, sources, newest, oldest, aside = figures
    left = f"{name:<14}{offers:>6} {live:>6} {sources:>8} {newest:>7} {oldest:>7} {aside:>6}"
    return f"{left}  {refreshed}"


def _aside(kept: SetAside) -> str:
    place = f"{kept.zone or kept.region} {kept.instance_type} {kept.capacity_type}"
    return f"aside: {place} {kept.price_usd_per_hour:g} USD/h, {kept.reason}"


# --- for machines ------------------------------------------------------------------------------


def refresh_document(answers: Sequence[Refreshed]) -> dict[str, Any]:
    """Return what a refresh brought."""
    return {"currency": "USD", "providers": [_refresh(answer) for answer in answers]}


def _refresh(answer: Refreshed) -> dict[str, Any]:
    return {
        "provider": answer.provider,
        "asked_at": answer.asked_at.isoformat(timespec="seconds"),
        "seconds": round(answer.seconds, 3),
        "regions": answer.regions,
        "answered": answer.answered,
        "accepted": answer.accepted,
        "changed": answer.changed,
        "interruption_bands": answer.priors,
        "quarantined": [_quarantined(each) for each in answer.quarantined],
        "problems": _problems(answer.problems),
    }


def _quarantined(each: Quarantined) -> dict[str, Any]:
    offer = each.offer
    return {
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type.name,
        "capacity_type": offer.capacity_type,
        "price_usd_per_hour": offer.price_usd_per_hour,
        "reason": each.reason,
    }


def _problems(problems: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"region": region, "problem": problem} for region, problem in problems]


def status_document(found: CatalogStatus) -> dict[str, Any]:
    """Return how fresh the catalog is."""
    return {
        "as_of": found.as_of.isoformat(timespec="seconds"),
        "providers": [_provider(each) for each in found.providers],
    }


def _provider(each: ProviderStatus) -> dict[str, Any]:
    last = each.refreshed
    return {
        "provider": each.provider,
        "offers": each.offers,
        "live": each.live,
        "sources": [{"source": source, "offers": offers} for source, offers in each.sources],
        "oldest": each.oldest.as_of if each.oldest else None,
        "newest": each.newest.as_of if each.newest else None,
        "quarantined": [
            {
                "region": kept.region,
                "zone": kept.zone,
                "instance_type": kept.instance_type,
                "capacity_type": kept.capacity_type,
                "price_usd_per_hour": kept.price_usd_per_hour,
                "reason": kept.reason,
            }
            for kept in each.quarantined
        ],
        "last_refresh": last
        and {
            "asked_at": last.asked_at.isoformat(timespec="seconds"),
            "regions": last.regions,
            "answered": last.answered,
            "problems": _problems(last.problems),
        },
    }
