"""Arguments that several commands take."""

from __future__ import annotations

import math
from typing import Annotated

import typer

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Its id or the beginning of it; the newest if left out."),
]


Clouds = Annotated[str, typer.Option(metavar="A,B", help="Only these providers.")]
Launchable = Annotated[
    bool, typer.Option("--launchable", help="Only providers that are set up here.")
]


def finite(number: float | None) -> float | None:
    """Refuse inf: it is no limit."""
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"{number} is not a finite number")
    return number


MaxHourly = Annotated[
    float | None,
    typer.Option(min=0, callback=finite, metavar="USD", help="Most for an hour of all nodes."),
]
