"""The machine's metadata endpoint: a request with a header, or the conversation of IMDSv2."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

METADATA_URL = "http://169.254.169.254"
_TIMEOUT_SECONDS = 2.0


class Told(NamedTuple):
    """What a metadata service said; `tag` names this state of what it said."""

    status: int
    body: str
    tag: str


def ask(url: str, headers: Mapping[str, str], *, wait_seconds: float = 0.0) -> Told:
    """Return one answer; raises OSError, http.client.HTTPException."""
    parts = urlsplit(url)
    timeout = _TIMEOUT_SECONDS + wait_seconds
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", target, headers=dict(headers))
        answer = connection.getresponse()
        return Told(answer.status, answer.read().decode(), answer.getheader("ETag") or "")
    finally:
        connection.close()


@contextmanager
def conversation(metadata_url: str) -> Iterator[Callable[[str], str | None]]:
    """Give a function that returns what stands under a path of EC2's metadata service, or None.

    Raises OSError, http.client.HTTPException.
    """
    address = urlsplit(metadata_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        status, token = _request(connection, "PUT", "/latest/api/token", lifetime)
        headers = {"X-aws-ec2-metadata-token": token} if status == 200 else {}

        def answer(path: str) -> str | None:
            status, body = _request(connection, "GET", path, headers)
            return body if status == 200 else None

        yield answer
    finally:
        connection.close()


def _request(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str]
) -> tuple[int, str]:
    connection.request(method, path, headers=dict(headers))
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
