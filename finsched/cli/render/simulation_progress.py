"""How far a simulation is, on stderr, for those that take more than a second."""

from __future__ import annotations

import sys
import time

from finsched.cli.output import console

_LINE_EVERY_SECONDS = 10.0
_CELLS = 30


class Bar:
    """One line that is rewritten on a terminal; elsewhere a new line now and then."""

    def __init__(self, futures: int, *, after_seconds: float = 1.0) -> None:
        self._futures = futures
        self._on_terminal = sys.stderr.isatty()
        self._next_at = time.monotonic() + after_seconds
        self._shown = False

    def done(self, count: int) -> None:
        """Say that so many futures are done, if it is time to."""
        if time.monotonic() < self._next_at:
            return
        pause = 0.1 if self._on_terminal else _LINE_EVERY_SECONDS
        self._next_at = time.monotonic() + pause
        self._shown = True
        console(stderr=True).print(self._line(count), end="\r" if self._on_terminal else "\n")

    def close(self) -> None:
        """Leave no line behind on a terminal."""
        if self._shown and self._on_terminal:
            console(stderr=True).print(" " * len(self._line(self._futures)), end="\r")

    def _line(self, count: int) -> str:
        said = f"{count:,} of {self._futures:,} futures"
        if not self._on_terminal:
            return said
        full = round(count / self._futures * _CELLS)
        return f"{'█' * full}{'░' * (_CELLS - full)} {said}"
