"""The provider's warning, as a metadata endpoint of the shape of EC2's IMDSv2 gives it."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from finsched.node.clock import from_iso

_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class InterruptionNotice:
    """The machine will be taken back; `ends_at` is None where the endpoint names no moment."""

    ends_at: datetime | None


class NoticeWatch:
    """Asks the endpoint every few seconds, in a thread, until it answers with a notice."""

    def __init__(self, metadata_url: str | None, *, poll_seconds: float) -> None:
        self.notice: InterruptionNotice | None = None
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
                answer = _ask(metadata_url)
            except (OSError, http.client.HTTPException, ValueError):
                continue  # notices are a bonus: an endpoint that does not answer changes nothing
            if answer is not None:  # a signal may have brought a notice meanwhile
                self.notice = answer


def _ask(metadata_url: str) -> InterruptionNotice | None:
    address = urlsplit(metadata_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        status, token = _request(
            connection, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        )
        headers = {"X-aws-ec2-metadata-token": token} if status == 200 else {}
        status, body = _request(
            connection, "GET", "/latest/meta-data/spot/instance-action", headers
        )
    finally:
        connection.close()
    return InterruptionNotice(_moment(body)) if status == 200 else None


def _request(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str]:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def _moment(body: str) -> datetime | None:
    try:
        return from_iso(json.loads(body)["time"])
    except (ValueError, KeyError, TypeError):
        return None
