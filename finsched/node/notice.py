"""The provider's warnings, heard in a thread from the machine's metadata service."""

from __future__ import annotations

import http.client
import os
import threading

from finsched.node.notice_sources import SOURCES, InterruptionNotice, NoticeSource, RebalanceHint

__all__ = ["InterruptionNotice", "NoticeWatch", "RebalanceHint"]

CLOUD_VARIABLE = "FINSCHED_CLOUD"
"""The environment's variable that says whose metadata service it is; EC2's where it is not set."""


class NoticeWatch:
    """Asks the endpoint every few seconds, in a thread, until it answers with a notice."""

    def __init__(
        self, metadata_url: str | None, *, poll_seconds: float, cloud: str | None = None
    ) -> None:
        self.notice: InterruptionNotice | None = None
        self.hint: RebalanceHint | None = None
        self._poll_seconds = poll_seconds
        self._closed = threading.Event()
        if metadata_url:
            source = SOURCES[cloud or os.environ.get(CLOUD_VARIABLE) or "aws"](metadata_url)
            threading.Thread(target=self._watch, args=(source,), name="notice", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _watch(self, source: NoticeSource) -> None:
        while self.notice is None and not self._closed.wait(self._poll_seconds):
            try:
                self._take(source.hear())
            except (OSError, http.client.HTTPException, ValueError, LookupError):
                continue  # notices are a bonus: an endpoint that does not answer changes nothing

    def _take(self, heard: InterruptionNotice | RebalanceHint | None) -> None:
        if isinstance(heard, InterruptionNotice):
            self.notice = heard  # a signal may have brought one meanwhile
        elif heard is not None and self.hint is None:
            self.hint = heard
