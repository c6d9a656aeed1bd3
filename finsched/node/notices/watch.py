"""The provider's warnings, heard in a thread from the machine's metadata service."""

from __future__ import annotations

import os
import threading

from finsched.node.notices.told import Hearing, InterruptionNotice, RebalanceHint

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
            place = (metadata_url, cloud or os.environ.get(CLOUD_VARIABLE) or "aws")
            threading.Thread(target=self._watch, args=place, name="notice", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _watch(self, metadata_url: str, cloud: str) -> None:
        hear: Hearing | None = None
        while self.notice is None and not self._closed.wait(self._poll_seconds):
            hear = hear or _listening(metadata_url, cloud)
            self._take(hear())

    def _take(self, heard: InterruptionNotice | RebalanceHint | None) -> None:
        if isinstance(heard, InterruptionNotice):
            self.notice = heard  # a signal may have brought one meanwhile
        elif heard is not None and self.hint is None:
            self.hint = heard


def _listening(metadata_url: str, cloud: str) -> Hearing:
    """Load what speaks HTTP beside the work and not before it: the job starts sooner."""
    from finsched.node.notices.sources import listening  # noqa: PLC0415

    return listening(metadata_url, cloud)
