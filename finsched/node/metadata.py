"""The machine's metadata endpoint, in the shape of EC2's IMDSv2: a token first, then answers."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

METADATA_URL = "http://169.254.169.254"
_TIMEOUT_SECONDS = 2.0


@contextmanager
def conversation(metadata_url: str) -> Iterator[Callable[[str], str | None]]:
    """Give a function that returns what stands under a path, or None where nothing does.

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
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]
) -> tuple[int, str]:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
