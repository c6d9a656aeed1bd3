"""What the object stores of the testing kit share: HTTP, a log of calls, faults, conditions.

They answer on a free loopback port, from memory. What they do not model: regions, quotas, leases,
versions, lifecycle rules, encryption keys, and who may do what beyond knowing a valid token.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it arrived; the names of the headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answered(NamedTuple):
    """What is answered."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Refused(Exception):
    """The store says no, with a status and a code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An object that is held; `version` is another one at each write."""

    content: bytes
    version: int


@dataclass(slots=True)
class Fault:
    """Calls that match are answered differently; a part of each text is enough to match.

    The first `after` of them pass. `lose` lets a call happen and drops its answer.
    """

    method: str = ""
    path: str = ""
    query: str = ""
    times: int = 1
    after: int = 0
    status: int = 0
    code: str = "Refused"
    lose: bool = False
    pause_seconds: float = 0.0


@dataclass(slots=True)
class _Memory:
    objects: dict[tuple[str, str], Held] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class ObjectServer:
    """A store of objects by folder (bucket or container) and key.

    Only who shows one of `tokens` is heard; `folders` are those that exist. A listing has pages of
    `page_keys`.
    """

    page_keys = 1000

    def __init__(self, *folders: str, tokens: tuple[str, ...] = ()) -> None:
        self.tokens = {*tokens}
        self.folders = {*folders}
        self.lock = threading.RLock()
        self._memory = _Memory()
        self._versions = itertools.count(time.time_ns() // 1000)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def objects(self) -> dict[tuple[str, str], Held]:
        """All that is held, by folder and key."""
        return self._memory.objects

    def calls(self, method: str = "", query: str = "") -> list[dict[str, Any]]:
        """Return what was asked: method, path, query, token, bytes, range."""
        found = (call for call in self._memory.calls if method in call["method"])
        return [call for call in found if query in call["query"]]

    def fault(self, **rule: Any) -> None:
        """Answer some calls differently, as Fault says."""
        self._memory.faults.append(Fault(**rule))

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def put(self, folder: str, key: str, content: bytes) -> Held:
        """Hold an object under a new version."""
        held = Held(content=content, version=next(self._versions))
        self.objects[folder, key] = held
        return held

    def answer(self, asked: Asked) -> Answered:
        """Answer one request; raises Refused."""
        raise NotImplementedError

    def refusal(self, status: int, code: str) -> Answered:
        """Return how this cloud words a refusal."""
        text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
        headers = {"content-type": "application/xml", "x-ms-error-code": code}
        return Answered(status, headers, text.encode())

    def shown_token(self, asked: Asked) -> str:
        """Return what the request shows."""
        return asked.headers.get("authorization", "").removeprefix("Bearer ")

    def attend(self, asked: Asked, query: str) -> Answered | None:
        """Log a request and answer it; None where the answer is lost."""
        self._memory.calls.append(
            {
                "method": asked.method,
                "path": asked.path,
                "query": query,
                "token": self.shown_token(asked),
                "bytes": len(asked.body),
                "range": asked.headers.get("range") or asked.headers.get("x-ms-range", ""),
            }
        )
        fault = self._fault_for(asked, query)
        time.sleep(fault.pause_seconds)
        if fault.status:
            return self.refusal(fault.status, fault.code)
        answered = self._checked(asked)
        return None if fault.lose else answered

    def _checked(self, asked: Asked) -> Answered:
        if self.shown_token(asked) not in self.tokens:
            return self.refusal(401, "InvalidAuthenticationInfo")
        if not _is_whole(asked):
            return self.refusal(400, "Md5Mismatch")
        try:
            with self.lock:
                return self.answer(asked)
        except Refused as refused:
            return self.refusal(refused.status, refused.code)

    def _fault_for(self, asked: Asked, query: str) -> Fault:
        for fault in self._memory.faults:
            parts = ((fault.method, asked.method), (fault.path, asked.path), (fault.query, query))
            if not all(part in whole for part, whole in parts):
                continue
            if fault.after > 0:
                fault.after -= 1
            elif fault.times > 0:
                fault.times -= 1
                return fault
        return Fault()


def ranged(asked: Asked, content: bytes, headers: Mapping[str, str]) -> Answered:
    """Return an object, or the range of it that was asked for; raises Refused."""
    wanted = asked.headers.get("range") or asked.headers.get("x-ms-range")
    if not wanted:
        return Answered(200, headers, content)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last) if first and last else len(content) - 1, len(content) - 1)
    if start >= len(content):
        raise Refused(416, "InvalidRange")
    span = {"content-range": f"bytes {start}-{end}/{len(content)}"}
    return Answered(206, {**headers, **span}, content[start : end + 1])


def _is_whole(asked: Asked) -> bool:
    claimed = asked.headers.get("content-md5")
    digest = hashlib.md5(asked.body, usedforsecurity=False).digest()
    return not claimed or base64.b64decode(claimed) == digest


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


def _handler(server: ObjectServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # else headers and body are two packets, 40 ms apart
        disable_nagle_algorithm = True

        def _respond(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(
                method=self.command,
                path=unquote(parts.path),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers=headers,
                body=self.rfile.read(int(headers.get("content-length") or 0)),
            )
            answered = server.attend(asked, parts.query)
            if answered is None:
                self.close_connection = True
                return
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answered.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answered.body)
            self.wfile.flush()

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _respond  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            return

    return Handler
