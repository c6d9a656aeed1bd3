"""The provider's warnings, as a metadata endpoint of the shape of EC2's IMDSv2 gives them."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from datetime import datetime

from finsched.node.clock import from_iso
from finsched.node.metadata import conversation

_NOTICE_PATH = "/latest/meta-data/spot/instance-action"
_HINT_PATH = "/latest/meta-data/events/recommendations/rebalance"


@dataclass(frozen=True, slots=True)
class InterruptionNotice:
    """The machine will be taken back; `ends_at` is None where the endpoint names no moment."""

    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class RebalanceHint:
    """The machine is more likely than before to be taken back; it may also stay."""

    given_at: datetime | None


class NoticeWatch:
    """Asks the endpoint every few seconds, in a thread, until it answers with a notice."""

    def __init__(self, metadata_url: str | None, *, poll_seconds: float) -> None:
        self.notice: InterruptionNotice | None = None
        self.hint: RebalanceHint | None = None
        self._poll_seconds = poll_seconds
        self._closed = threading.Event()
        if metadata_url:
            arguments = (metadata_url,)
            threading.Thread(target=self._watch, args=arguments, name="notice", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _watch(self, metadata_url: str) -> None:
        while self.notice is None and not self._closed.wait(self._poll_seconds):
            try:
                self._ask(metadata_url)
            except (OSError, http.client.HTTPException, ValueError):
                continue  # notices are a bonus: an endpoint that does not answer changes nothing

    def _ask(self, metadata_url: str) -> None:
        with conversation(metadata_url) as answer:
            notice = answer(_NOTICE_PATH)
            if notice is not None:  # a signal may have brought a notice meanwhile
                self.notice = InterruptionNotice(_moment(notice, "time"))
            elif self.hint is None and (hint := answer(_HINT_PATH)) is not None:
                self.hint = RebalanceHint(_moment(hint, "noticeTime"))


def _moment(body: str, key: str) -> datetime | None:
    try:
        return from_iso(json.loads(body)[key])
    except (ValueError, KeyError, TypeError):
        return None
