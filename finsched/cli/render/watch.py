"""Choose how a run is watched: a moving panel on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from finsched.cli.output import console
from finsched.cli.render.live import Lines, Panel


@contextmanager
def watching() -> Iterator[Lines]:
    """Yield a listener that shows a run on stderr; stdout stays free for data."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Lines(screen)
        return
    with Panel(screen) as panel:
        yield panel
