"""Arguments that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Its id or the beginning of it; the newest if left out."),
]
