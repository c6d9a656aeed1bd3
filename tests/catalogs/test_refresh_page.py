"""What people read after a refresh."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from finsched.api.refreshing import EVERYWHERE, Refreshed
from finsched.cli.render.catalog import print_refresh


def page(*problems: tuple[str, str]) -> list[str]:
    answer = Refreshed(
        provider="azure",
        asked_at=datetime(2026, 6, 15, tzinfo=UTC),
        seconds=0.1,
        regions=59,
        answered=0,
        accepted=0,
        changed=0,
        priors=0,
        quarantined=(),
        problems=problems,
    )
    written = StringIO()
    print_refresh([answer], Console(file=written, width=80))
    return written.getvalue().splitlines()


def test_a_problem_of_many_regions_is_told_once() -> None:
    offline = [(f"region-{number}", "no answer") for number in range(59)]
    assert page(*offline, ("eastus", "not allowed"), (EVERYWHERE, "bands: no answer")) == [
        "azure: 0 prices, 0 of them new or changed; 0 of 59 regions in full; under 1 s",
        "  Not answered; the prices known before are kept:",
        "    59 regions: no answer",
        "    eastus: not allowed",
        "    bands: no answer",
    ]
