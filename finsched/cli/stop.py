"""`finsched stop`: save a last checkpoint and end a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Annotated

import typer

from finsched.cli.arguments import RunArgument

_LONG_SECONDS = 8.0


def stop(
    run: RunArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="The account as JSON.")] = False,
) -> int:
    """Ask a run to save and end; works from any terminal, also when its launcher is dead."""
    from finsched.api import running
    from finsched.cli.render.conclusion import conclude
    from finsched.cli.render.watch import watching
    from finsched.errors import ExitCode

    state, _ = running.status(run)
    if state.outcome is not None:
        typer.echo(f"run {state.id} has already ended: {state.outcome}", err=True)
        if as_json:
            conclude(state, as_json=True)
        return ExitCode.DONE
    with _a_word_if_it_takes_long(state.id), watching() as listener:
        ended = running.stop(state.id, listener=listener)
    code = conclude(ended, as_json=as_json)
    return ExitCode.DONE if code is ExitCode.INTERRUPTED else code


@contextmanager
def _a_word_if_it_takes_long(run_id: str) -> Iterator[None]:
    text = (
        f"run {run_id} has not ended yet: it saves, or the process that carries it does not"
        " answer, which `finsched queue` tells"
    )
    timer = Timer(_LONG_SECONDS, typer.echo, [text], {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
