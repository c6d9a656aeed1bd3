"""HTTP with connections that are used again; safe to use from several threads."""

from __future__ import annotations

import http.client
import ssl
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

_CONNECT_SECONDS = 5.0
_SILENT_AT_MOST_SECONDS = 20.0
_IDLE_AT_MOST = 8
_PIECE_BYTES = 1 << 20  # the silence is counted anew for each of them


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; the names of the headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to one server, as an address such as https://host:port names it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._idle: deque[http.client.HTTPConnection] = deque()

    def __del__(self) -> None:
        while (connection := self._take()) is not None:
            connection.close()

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request and return the answer; raises OSError, http.client.HTTPException.

        A server may close an idle connection at any moment: then a new one is tried at once.
        """
        while (connection := self._take()) is not None:
            try:
                return self._exchange(connection, method, target, headers, body)
            except (ConnectionError, http.client.BadStatusLine):
                continue
        return self._exchange(self._open(), method, target, headers, body)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        try:
            _send(connection, method, target, headers, body)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        if answer.will_close or len(self._idle) >= _IDLE_AT_MOST:
            connection.close()
        else:
            self._idle.append(connection)
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, content)

    def _take(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _open(self) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPSConnection(self.host, timeout=_CONNECT_SECONDS, context=_tls())
            if self._secure
            else http.client.HTTPConnection(self.host, timeout=_CONNECT_SECONDS)
        )
        connection.connect()
        connection.sock.settimeout(_SILENT_AT_MOST_SECONDS)
        return connection


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    if not body:
        connection.request(method, target, headers=dict(headers))
        return
    sized = {**headers, "content-length": str(len(body))}
    connection.request(method, target, body=_pieces(body), headers=sized)


def _pieces(body: bytes) -> Iterator[memoryview]:
    view = memoryview(body)
    return (view[start : start + _PIECE_BYTES] for start in range(0, len(body), _PIECE_BYTES))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
