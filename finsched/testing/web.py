"""A real HTTP server for the tests of whoever asks one: a function answers, and calls are kept.

It can be slow, drip, hang up or refuse, because servers do.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; header names are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document that was sent."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said: after `wait_seconds`, and with `drip_seconds` between any two bytes.

    Without a document the connection is closed without a word.
    """

    document: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0


Answers = Callable[[Asked], Reply]


@dataclass(slots=True)
class Site:
    """A server at `address`; `answer` may be replaced while it runs."""

    address: str
    answer: Answers
    calls: list[Asked] = field(default_factory=list)


@contextmanager
def served(answer: Answers) -> Iterator[Site]:
    """Serve on this machine until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_address[1]}", answer)
    _Handler.sites[server] = site
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        _Handler.sites.pop(server)


class _Handler(BaseHTTPRequestHandler):
    sites: dict[Any, Site] = {}  # noqa: RUF012 - the library makes the handlers

    def do_GET(self) -> None:
        self._reply(b"")

    def do_POST(self) -> None:
        self._reply(self.rfile.read(int(self.headers["Content-Length"])))

    def _reply(self, body: bytes) -> None:
        site = self.sites[self.server]
        asked = self._asked(body)
        site.calls.append(asked)
        reply = site.answer(asked)
        time.sleep(reply.wait_seconds)
        if reply.document is None:
            return
        try:
            self._say(reply, zipped="gzip" in asked.headers.get("accept-encoding", ""))
        except ConnectionError:  # whoever asked has gone
            self.close_connection = True

    def _asked(self, body: bytes) -> Asked:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(method=self.command, path=parts.path, query=query, headers=headers, body=body)

    def _say(self, reply: Reply, *, zipped: bool) -> None:
        plain = json.dumps(reply.document).encode()
        content = gzip.compress(plain) if zipped else plain
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        for piece in _pieces(content, one_by_one=bool(reply.drip_seconds)):
            self.wfile.write(piece)
            time.sleep(reply.drip_seconds)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pieces(content: bytes, *, one_by_one: bool) -> Iterator[bytes]:
    if not one_by_one:
        yield content
        return
    for byte in content:
        yield bytes([byte])
