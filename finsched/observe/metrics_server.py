"""Serves metrics over HTTP, for Prometheus and whoever speaks OpenMetrics."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from finsched.errors import FinschedError, SpecError
from finsched.observe.open_metrics import CONTENT_TYPE

_PATHS = ("/", "/metrics")
_REQUEST_SECONDS = 10.0


class MetricsServer(ThreadingHTTPServer):
    """Answers with the metrics of the moment; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, host: str, port: int, exposition: Callable[[], str]) -> None:
        self.exposition = exposition
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}/metrics"


def address(text: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:9464`; raises SpecError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        fix = "write it like 127.0.0.1:9464"
        raise SpecError(f"--serve {text} is no address with a port", fix=fix)
    return host.removeprefix("[").removesuffix("]"), int(port)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = _REQUEST_SECONDS
    server_version = "finsched"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing: a scrape every few seconds is no news."""

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] not in _PATHS:
            self.send_error(404, "the metrics are at /metrics")
            return
        try:
            body = self.server.exposition().encode()
        except FinschedError:
            self.send_error(503, "the ledger cannot be read")
            return
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)
