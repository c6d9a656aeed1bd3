"""`finsched launch`: quote, admit, start, watch over, resume, account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsched.cli.arguments import finite

if TYPE_CHECKING:
    from finsched.api.running import RehearsalRequest

_Interruptions = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=1000,
        metavar="N",
        help="Rehearsal: how many machines are taken back; 2 if left out.",
    ),
]
_Hazard = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1000,
        metavar="PER_HOUR",
        help="Rehearsal: interruptions by chance, so many an hour.",
    ),
]
_SpotCapacity = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        help="Rehearsal: the share of spot launches that find a machine.",
    ),
]
_Policy = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How a deadline is met: adaptive, uniform-progress, greedy or on-demand.",
    ),
]
_Speed = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        max=10_000,
        metavar="X",
        help="Rehearsal: seconds there in one second here.",
    ),
]
_MaxCost = Annotated[
    float | None,
    typer.Option(
        min=0,
        callback=finite,
        metavar="USD",
        help="Most for the run; replaces budget.max_cost.",
    ),
]
_MaxHourly = Annotated[
    float | None,
    typer.Option(
        min=0,
        callback=finite,
        metavar="USD",
        help="Most for an hour; replaces budget.max_hourly.",
    ),
]


def launch(
    job: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="The job to run.")],
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run it here as if there, to prove that it resumes.")
    ] = False,
    interruptions: _Interruptions = None,
    hazard: _Hazard = None,
    spot_capacity: _SpotCapacity = 1.0,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Rehearsal: the same seed, the same points.")
    ] = 0,
    speed: _Speed = None,
    max_cost: _MaxCost = None,
    max_hourly: _MaxHourly = None,
    policy: _Policy = "adaptive",
    store: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Where checkpoints go; replaces checkpoint.uri."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Hand it to the process that holds runs, and return.")
    ] = False,
    priority: Annotated[
        int,
        typer.Option(metavar="N", help="With --detach: higher ones start first; 0 if left out."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Run the job on the cheapest offer that can, and carry it to its end."""
    from finsched.errors import SpecError

    terms = {
        "rehearse": _request(rehearse, interruptions, hazard, spot_capacity, seed, speed),
        "max_cost_usd": max_cost,
        "max_hourly_usd": max_hourly,
        "store": store,
        "policy": policy,
    }
    if detach:
        return _hand_over(job, terms, priority, as_json=as_json)
    if priority:
        raise SpecError("--priority is a place in the queue", fix="add --detach")
    return _carry(job, terms, as_json=as_json)


def _carry(job: Path, terms: dict[str, Any], *, as_json: bool) -> int:
    from finsched.api import running
    from finsched.cli.render.conclusion import conclude
    from finsched.cli.render.watch import watching

    with watching() as listener:
        run = running.launch(job, **terms, listener=listener)
    return conclude(run, as_json=as_json)


def _hand_over(job: Path, terms: dict[str, Any], priority: int, *, as_json: bool) -> int:
    from finsched.api import hosting
    from finsched.cli.render.queue import print_handed_over

    print_handed_over(hosting.launch(job, **terms, priority=priority), as_json=as_json)
    return 0


def _request(
    rehearse: bool,
    interruptions: int | None,
    hazard: float | None,
    spot_capacity: float,
    seed: int,
    speed: float | None,
) -> RehearsalRequest | None:
    from finsched.api.running import RehearsalRequest
    from finsched.errors import SpecError

    if not rehearse and (interruptions, hazard, speed, spot_capacity) != (None, None, None, 1.0):
        raise SpecError(
            "--interruptions, --hazard, --spot-capacity and --speed rehearse", fix="add --rehearse"
        )
    if interruptions is not None and hazard is not None:
        raise SpecError("--interruptions and --hazard exclude each other", fix="give one of them")
    if not rehearse:
        return None
    return RehearsalRequest(
        seed=seed,
        interruptions=interruptions,
        hazard_per_hour=hazard,
        spot_capacity=spot_capacity,
        speed=speed,
    )
