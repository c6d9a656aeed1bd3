"""What a sweep found and did, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from finsched.api.sweeping import Find, KeptStore, Survey
from finsched.cli.output import duration, money
from finsched.cli.render.stores import store_document
from finsched.decide.leftovers.orphans import Fate
from finsched.errors import ExitCode

_BY_HAND = (
    "Shown and never deleted: the ledger here does not know them. They may belong to a lost ledger."
    " When you are sure, delete them with the provider's own tools."
)


def exit_code(survey: Survey, stores: Sequence[KeptStore] = ()) -> ExitCode:
    """Return 5 where a provider or a store could not be asked or a deletion failed."""
    undeleted = any(find.problem for find in survey.finds) or any(kept.problem for kept in stores)
    failed = survey.unasked or undeleted
    return ExitCode.PROVIDER if failed else ExitCode.DONE


def print_survey(survey: Survey, out: Console, *, applied: bool) -> None:
    """Print what is left over, what is not ours to delete, what is kept, and a last line."""
    _print_section("Left over", _of(survey, Fate.ORPHAN), out)
    foreign = _of(survey, Fate.FOREIGN)
    _print_section("Not in the ledger", foreign, out)
    if foreign:
        out.print(Text(_BY_HAND))
    _print_section("Kept", _of(survey, Fate.KEPT), out)
    for unasked in survey.unasked:
        out.print(Text(f"{unasked.provider} did not tell all: {unasked.problem}", "bold red"))
        if unasked.problem.fix:
            out.print(Text(f"  fix: {unasked.problem.fix}"))
    if survey.not_set_up:
        names = ", ".join(survey.not_set_up)
        out.print(Text(f"Not asked, because they are not set up here: {names}.", style="dim"))
    out.print(Text(_conclusion(survey, applied=applied), style="bold"))


def survey_document(
    survey: Survey, *, applied: bool, stores: Sequence[KeptStore] | None = None
) -> dict[str, Any]:
    """Return a survey as JSON, with the stores where they were asked for."""
    return {
        "as_of": datetime.now(UTC).isoformat(timespec="seconds"),
        "applied": applied,
        "resources": [_resource(find) for find in survey.finds],
        "unasked": [
            {"provider": name, "problem": problem.message, "fix": problem.fix}
            for name, problem in survey.unasked
        ],
        "not_set_up": list(survey.not_set_up),
        "stores": None if stores is None else [store_document(kept) for kept in stores],
    }


def _of(survey: Survey, fate: Fate) -> list[Find]:
    return [find for find in survey.finds if find.ruling.fate is fate]


def _print_section(title: str, finds: Sequence[Find], out: Console) -> None:
    if not finds:
        return
    out.print(Text(title, style="bold"))
    for find in finds:
        out.print(Text(f"  {_headline(find)}"))
        out.print(Padding(Text(_reason(find), style="dim"), (0, 0, 0, 4), expand=False))


def _headline(find: Find) -> str:
    resource = find.resource
    parts = [f"{resource.provider} {resource.kind} {resource.id}"]
    if resource.created_at:
        hours = (datetime.now(UTC) - resource.created_at).total_seconds() / 3600
        parts.append(f"{duration(max(hours, 0.0))} old")
    if find.usd_per_month:
        parts.append(f"{money(find.usd_per_month)} a month")
    return ", ".join(parts)


def _reason(find: Find) -> str:
    resource = find.resource
    whose = f"run {resource.run}: " if resource.run else ""
    done = " Deleted." if find.deleted else ""
    failed = f" Not deleted: {find.problem}" if find.problem else ""
    return f"{whose}{find.ruling.why}.{done}{failed}"


def _conclusion(survey: Survey, *, applied: bool) -> str:
    orphans = _of(survey, Fate.ORPHAN)
    deleted = sum(find.deleted for find in orphans)
    left = [find for find in orphans if not find.deleted]
    if not orphans:
        return "nothing is left over" + (
            ", as far as could be asked" if survey.unasked or survey.not_set_up else ""
        )
    if applied:
        rest = f", {len(left)} could not be; run the sweep again" if left else ""
        return f"{deleted} deleted{rest}"
    usd_per_month = sum(find.usd_per_month or 0.0 for find in left)
    cost = f", {money(usd_per_month)} a month as far as known" if usd_per_month else ""
    return f"{len(left)} left over{cost}; `finsched sweep --apply` deletes them"


def _resource(find: Find) -> dict[str, Any]:
    resource = find.resource
    return {
        "provider": resource.provider,
        "kind": resource.kind,
        "id": resource.id,
        "run": resource.run,
        "attempt": resource.attempt,
        "created_at": resource.created_at.isoformat() if resource.created_at else None,
        "usd_per_month": find.usd_per_month,
        "fate": find.ruling.fate,
        "why": find.ruling.why,
        "deleted": find.deleted,
        "problem": find.problem or None,
    }
