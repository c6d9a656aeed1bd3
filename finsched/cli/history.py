"""`finsched history [POOL]`: prices, interruptions and availability over time."""

from __future__ import annotations

from typing import Annotated

import typer


def history(
    pool: Annotated[
        str,
        typer.Argument(
            metavar="POOL", help="Provider, provider/region or zone, or provider/region/type."
        ),
    ] = "",
    gpu: Annotated[
        list[str] | None, typer.Option("--gpu", metavar="NAME", help="Only this GPU; repeatable.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every row, not only the most telling ones.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Show prices, spot interruptions and availability over time, with their sources."""
    from finsched.api.history import history as history_of
    from finsched.cli.output import console, print_json

    found = history_of(pool, gpus=gpu or ())
    if json:
        from finsched.cli.render.history_document import document

        print_json(document(found))
        return
    from finsched.cli.render.history import print_history

    print_history(found, console(), everything=everything)
