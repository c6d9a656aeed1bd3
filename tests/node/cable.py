"""A cable between a node and its store: it can be slow, and it can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 << 10


class Cable:
    """Passes connections on to a server, counts what is sent, and breaks them on demand."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut_until = 0.0
        self._cut_at_bytes: int | None = None
        self._cut_seconds = 0.0
        self.cuts = 0
        self.sent_bytes = 0
        self.most_bytes_per_second = float("inf")
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut_after(self, size_bytes: int, *, seconds: float) -> None:
        """Break all connections once so much was sent, and refuse new ones for a while."""
        self._cut_at_bytes, self._cut_seconds = size_bytes, seconds

    def close(self) -> None:
        self._listener.close()
        self._break()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if time.monotonic() < self._cut_until:
                client.close()
                continue
            server = socket.create_connection(self._server)
            with self._lock:
                self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                arguments = (source, target, source is client)
                threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                time.sleep(len(chunk) / self.most_bytes_per_second)
                target.sendall(chunk)
                if is_sent:
                    self._count(len(chunk))
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += size_bytes
            due = self._cut_at_bytes is not None and self.sent_bytes >= self._cut_at_bytes
            if due:
                self._cut_at_bytes = None
                self._cut_until = time.monotonic() + self._cut_seconds
                self.cuts += 1
        if due:
            self._break()

    def _break(self) -> None:
        with self._lock:
            broken, self._open = self._open, set()
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cable(server_url: str) -> Iterator[Cable]:
    """Yield a cable to a server."""
    laid = Cable(server_url)
    try:
        yield laid
    finally:
        laid.close()
