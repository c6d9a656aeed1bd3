"""`finsched metrics`: the runs in numbers, for monitoring."""

from __future__ import annotations

from typing import Annotated

import typer


def metrics(
    serve: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Answer there until Ctrl-C: 127.0.0.1:9464."),
    ] = None,
) -> int:
    """Print the metrics of the runs that go on, in the OpenMetrics format."""
    from finsched.api import metrics as api

    if serve is None:
        typer.echo(api.metrics(), nl=False)
        return 0
    with api.server(serve) as server:
        typer.echo(f"finsched: metrics at {server.url}", err=True)
        server.serve_forever()
    return 0
