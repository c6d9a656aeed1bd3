"""`finsched stop`: save a last checkpoint and end a run."""

from __future__ import annotations

from typing import Annotated

import typer


def stop(
    run: Annotated[
        str | None, typer.Argument(help="The run, or its beginning; the newest if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Ask a run to save and end; works from any terminal, also when its launcher is dead."""
    from finsched.api import running
    from finsched.cli.render.conclusion import conclude
    from finsched.cli.render.watch import watching
    from finsched.errors import ExitCode

    with watching() as listener:
        ended = running.stop(run, listener=listener)
    code = conclude(ended, as_json=as_json)
    return ExitCode.DONE if code is ExitCode.INTERRUPTED else code
