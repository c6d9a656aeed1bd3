"""`finsched backtest`: a spot policy against recorded availability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsched.cli import output
from finsched.errors import ExitCode

if TYPE_CHECKING:
    from finsched.backtest.recorded import Window
    from finsched.backtest.summary import Result


def backtest(
    traces: Annotated[Path, typer.Option(help="Folder of <collection>/<pool>.json series.")],
    windows: Annotated[Path, typer.Option(help="File of the jobs to replay.")],
    policy: Annotated[str, typer.Option(help="The policy to replay.")] = "adaptive",
    omniscient: Annotated[
        bool, typer.Option("--omniscient", help="Compare with perfect foresight; takes longer.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Replay the other policies as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Replay jobs with deadlines on recorded spot availability and add up what they cost."""
    results = _replay_all(traces, windows, policy, omniscient=omniscient)
    others = _others(traces, windows, policy) if compare else {}
    if as_json:
        output.print_json({**_document(policy, results), "others": _summaries(others)})
    else:
        _print_cells(results)
        _print_others(policy, results, others)
    missed = any(result.outcome.missed for result in results)
    return ExitCode.STOPPED_BY_LIMIT if missed else ExitCode.DONE


def _replay_all(traces: Path, windows: Path, policy: str, *, omniscient: bool) -> list[Result]:
    from finsched.backtest.recorded import read_series, read_windows
    from finsched.backtest.replay import replay
    from finsched.backtest.summary import Result
    from finsched.decide.spot.policies import named

    make_policy = named(policy)
    return [
        Result(
            window=window,
            outcome=replay(window, make_policy),
            omniscient=_least_cost(window) if omniscient else None,
        )
        for window in read_windows(windows, read_series(traces))
    ]


def _others(traces: Path, windows: Path, policy: str) -> dict[str, list[Result]]:
    from finsched.decide.spot.policies import POLICIES

    names = [name for name in POLICIES if name != policy]
    return {name: _replay_all(traces, windows, name, omniscient=False) for name in names}


def _summaries(others: dict[str, list[Result]]) -> list[dict[str, Any]]:
    wanted = ("policy", "norm_cost", "misses", "cells")
    documents = (_document(name, results) for name, results in others.items())
    return [{key: document[key] for key in wanted} for document in documents]


def _least_cost(window: Window) -> float:
    from finsched.backtest.omniscient import least_cost

    return least_cost(window)


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
        "windows": [_window(result) for result in results],
    }


def _window(result: Result) -> dict[str, Any]:
    return {
        "id": result.window.id,
        "cost": round(result.outcome.cost, 9),
        "missed": int(result.outcome.missed),
        "restarts": result.outcome.starts,
        "interruptions": result.outcome.interruptions,
        "omniscient": result.omniscient,
    }


def _print_cells(results: list[Result]) -> None:
    from finsched.backtest.summary import cells

    heads = "".join(f"{head:>8}" for head in ("windows", "cost", "x best", "starts", "missed"))
    typer.echo(f"{'setting':<16}{'mode':<8}{heads}")
    for cell in cells(results):
        ratio = "-" if cell.ratio_of_means is None else f"{cell.ratio_of_means:.3f}"
        typer.echo(
            f"{cell.setting:<16}{cell.mode:<8}{cell.windows:>8}{cell.norm_cost:>8.3f}"
            f"{ratio:>8}{cell.starts:>8.1f}{cell.misses:>8}"
        )
    typer.echo("cost: of on-demand at the same work; x best: against perfect foresight;")
    typer.echo("groups of pools weigh the same")


def _print_others(policy: str, results: list[Result], others: dict[str, list[Result]]) -> None:
    from finsched.backtest.summary import cells

    if not others:
        return
    by_policy = {name: cells(found) for name, found in {policy: results, **others}.items()}
    typer.echo("")
    typer.echo(f"{'cost':<24}" + "".join(f"{name[:12]:>13}" for name in by_policy))
    for row in zip(*by_policy.values(), strict=True):
        costs = "".join(f"{cell.norm_cost:>13.3f}" for cell in row)
        typer.echo(f"{row[0].setting:<16}{row[0].mode:<8}{costs}")
