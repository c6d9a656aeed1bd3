"""What a check found, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finsched.api.checking import Checked
from finsched.errors import ExitCode
from finsched.provider import Finding, Verdict

_STYLES = {Verdict.OK: "green", Verdict.PROBLEM: "bold red", Verdict.UNKNOWN: "yellow"}
_WIDEST_VERDICT = max(len(verdict) for verdict in Verdict)


def exit_code(found: Sequence[Checked]) -> ExitCode:
    """Return 5 where a launch would fail or end badly."""
    return ExitCode.PROVIDER if _count(found, Verdict.PROBLEM) else ExitCode.DONE


def print_checks(checks: Iterable[Checked], out: Console) -> list[Checked]:
    """Print each finding as it comes, below what it is about, and return them all."""
    found: list[Checked] = []
    for each in checks:
        if not found or found[-1].about != each.about:
            out.print(Text(each.about, style="bold"))
        found.append(each)
        out.print(_line(each.finding))
    return found


def print_conclusion(found: Sequence[Checked], out: Console) -> None:
    """Print the last line."""
    out.print(Text(_conclusion(found), style="bold"))


def checks_document(found: Sequence[Checked]) -> dict[str, Any]:
    """Return the findings as JSON."""
    return {
        "as_of": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": not _count(found, Verdict.PROBLEM),
        "findings": [
            {
                "about": about,
                "name": finding.name,
                "verdict": finding.verdict,
                "detail": finding.detail,
                "fix": finding.fix or None,
            }
            for about, finding in found
        ],
    }


def _line(finding: Finding) -> Table:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=_WIDEST_VERDICT + 2, justify="right")
    line.add_column()
    text = Text(f"{finding.name}: {finding.detail}")
    if finding.fix and finding.verdict is not Verdict.OK:
        text.append(f"\nfix: {finding.fix}")
    line.add_row(Text(finding.verdict, style=_STYLES[finding.verdict]), text)
    return line


def _conclusion(found: Sequence[Checked]) -> str:
    problems, unknown = _count(found, Verdict.PROBLEM), _count(found, Verdict.UNKNOWN)
    if problems:
        is_one = problems == 1
        return f"{problems} problem{'' if is_one else 's'}: mend {'it' if is_one else 'them'} first"
    rest = f", {unknown} could not be told or do not matter here" if unknown else ""
    return f"no problem found{rest}"


def _count(found: Sequence[Checked], verdict: Verdict) -> int:
    return sum(each.finding.verdict is verdict for each in found)
