"""The packed workdir on its way to the store, for people who wait for it."""

from __future__ import annotations

import time

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finsched.cli.output import data_size, duration

SILENT_SECONDS = 1.0
_IN_FLIGHT_BYTES = 25 << 20  # what the store's client takes without having sent it


class Outgoing:
    """A bar that moves; nothing at all of an upload that is done within a second."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._passed_bytes = 0
        self._began_at = time.monotonic()

    def passed(self, size_bytes: int) -> None:
        """Count bytes that were handed over for sending."""
        self._passed_bytes += size_bytes

    def __rich__(self) -> Table | Text:
        """Draw it as it stands now."""
        seconds = time.monotonic() - self._began_at
        if seconds < SILENT_SECONDS:
            return Text("")
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(self._size_bytes, 1), completed=self._sent_bytes, width=30)
        row.add_row("sending the workdir", bar, Text(self.said(seconds), "dim"))
        return row

    def said(self, seconds: float) -> str:
        """Return how far it is after so many seconds: `45.0 of 120 MB, 3.2 MB/s, 23 s left`."""
        size, sent = data_size(self._size_bytes), self._sent_bytes
        if not sent:
            return f"{size}, {duration(seconds / 3600)} so far"
        rate = sent / seconds
        left = duration((self._size_bytes - sent) / rate / 3600)
        return f"{data_size(sent)} of {size}, {data_size(rate)}/s, {left} left"

    @property
    def _sent_bytes(self) -> int:
        """What has surely been sent."""
        return max(self._passed_bytes - _IN_FLIGHT_BYTES, 0)
