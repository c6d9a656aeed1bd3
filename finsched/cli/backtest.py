"""`finsched backtest`: a spot policy against recorded availability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsched.cli import output
from finsched.errors import ExitCode

if TYPE_CHECKING:
    from finsched.backtest.summary import Result


def backtest(
    traces: Annotated[Path, typer.Option(help="Folder of <collection>/<pool>.json series.")],
    windows: Annotated[Path, typer.Option(help="File of the jobs to replay.")],
    policy: Annotated[str, typer.Option(help="The policy to replay.")] = "adaptive",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Replay jobs with deadlines on recorded spot availability and add up what they cost."""
    from finsched.backtest.recorded import read_series, read_windows
    from finsched.backtest.replay import replay
    from finsched.decide.spot.policies import named

    make_policy = named(policy)
    jobs = read_windows(windows, read_series(traces))
    results = [(window, replay(window, make_policy)) for window in jobs]
    if as_json:
        output.print_json(_document(policy, results))
    else:
        _print_cells(results)
    missed = any(outcome.missed for _, outcome in results)
    return ExitCode.STOPPED_BY_LIMIT if missed else ExitCode.DONE


def _document(policy: str, results: list[Result]) -> dict[str, Any]:
    from dataclasses import asdict
    from statistics import fmean

    from finsched.backtest.summary import cells

    by_cell = cells(results)
    return {
        "policy": policy,
        "norm_cost": fmean(cell.norm_cost for cell in by_cell) if by_cell else None,
        "misses": sum(cell.misses for cell in by_cell),
        "cells": [asdict(cell) for cell in by_cell],
        "windows": [
            {
                "id": window.id,
                "cost": round(outcome.cost, 9),
                "missed": int(outcome.missed),
                "restarts": outcome.starts,
                "interruptions": outcome.interruptions,
            }
            for window, outcome in results
        ],
    }


def _print_cells(results: list[Result]) -> None:
    from finsched.backtest.summary import cells

    typer.echo(f"{'setting':<16}{'mode':<8}{'windows':>8}{'cost':>8}{'starts':>8}{'missed':>8}")
    for cell in cells(results):
        typer.echo(
            f"{cell.setting:<16}{cell.mode:<8}{cell.windows:>8}"
            f"{cell.norm_cost:>8.3f}{cell.starts:>8.1f}{cell.misses:>8}"
        )
    typer.echo("cost: of on-demand at the same work; pools weigh the same")
