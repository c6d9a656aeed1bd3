"""The job's output: redacted, kept in a file, and sent to the store about once a second."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from finsched.node.clock import monotonic, pause
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store, StoreError

_SHORTEST_SECRET = 4
_SEND_EVERY_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.02
_CHUNK_BYTES = 1 << 20
_WAITING_BYTES = 8 << 20
_LOST = b"\n[finsched: output was lost here, the store could not take it]\n"


def read_output(
    store: Store, attempt: int, *, rank: int = 0, after: int = 0
) -> list[tuple[int, bytes]]:
    """Return the numbered pieces of an attempt's output behind number `after`, of one node."""
    objects = output_objects(store, attempt, rank)
    return [(number, objects.read(number)) for number in objects.numbers(after=after)]


class Redactor:
    """Replaces secrets in a stream by `***`, also where one is cut by the blocks of the stream.

    Each line of a secret counts as one too: a program may print them one by one.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {piece for secret in secrets for piece in _pieces(secret)}
        self._secrets = sorted(values, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)))
        self._held = b""

    def feed(self, block: bytes) -> bytes:
        """Return what can be shown now; the start of a possible secret is held back."""
        if not self._secrets:
            return block
        text, position, shown = self._held + block, 0, []
        held_from = self._first_beginning(text, position)
        while (match := self._pattern.search(text, position)) and match.start() < held_from:
            shown += [text[position : match.start()], b"***"]
            position = match.end()
            if position > held_from:
                held_from = self._first_beginning(text, position)
        self._held = text[held_from:]
        return b"".join([*shown, text[position:held_from]])

    def close(self) -> bytes:
        """Return what was held back: the stream has ended."""
        rest, self._held = self._held, b""
        return self._pattern.sub(b"***", rest) if self._secrets else rest

    def _first_beginning(self, text: bytes, position: int) -> int:
        """Find where the unfinished beginning of a secret may stand at the end of the text."""
        return min(_beginning(secret, text, position) for secret in self._secrets)


def _pieces(secret: str) -> list[bytes]:
    """Return what of a secret must not be shown; values that are not UTF-8 keep their bytes."""
    pieces = [secret, *secret.splitlines()]
    return [
        piece.encode(errors="surrogateescape") for piece in pieces if len(piece) >= _SHORTEST_SECRET
    ]


def _beginning(secret: bytes, text: bytes, position: int) -> int:
    start = text.find(secret[:1], max(position, len(text) - len(secret) + 1))
    while start != -1 and not secret.startswith(text[start:]):
        start = text.find(secret[:1], start + 1)
    return len(text) if start == -1 else start


class OutputLog:
    """Pumps streams into `job.log` and the store; a full disk or a dead store loses output only."""

    def __init__(self, path: Path, objects: NumberedObjects, secrets: Iterable[str]) -> None:
        self._redactor = Redactor(secrets)
        self._file = path.open("ab", buffering=0)
        self._objects = objects
        self._last_number = 0
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._sender = threading.Thread(target=self._send_regularly, name="output", daemon=True)
        self._sender.start()

    def pump(self, stream: IO[bytes]) -> threading.Thread:
        """Start to copy a stream until it ends."""
        thread = threading.Thread(target=self._copy, args=(stream,), name="pump", daemon=True)
        thread.start()
        return thread

    def flush(self, *, timeout_seconds: float) -> None:
        """Send what waits now: the machine may be switched off soon."""
        give_up_at = monotonic() + timeout_seconds
        self._wake.set()
        while self._waiting and monotonic() < give_up_at:
            pause(_LOOK_AGAIN_SECONDS)

    def close(self, *, timeout_seconds: float) -> None:
        """Send what waits."""
        self._keep(self._redactor.close())
        self._closed.set()
        self._wake.set()
        self._sender.join(timeout_seconds)
        self._file.close()

    def _copy(self, stream: IO[bytes]) -> None:
        with stream:
            while block := stream.read1(1 << 16):  # type: ignore[attr-defined]
                self._keep(self._redactor.feed(block))

    def _keep(self, shown: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(shown)
        with self._lock:
            self._waiting += shown
            if len(self._waiting) > _WAITING_BYTES:
                self._waiting[: -_WAITING_BYTES // 2] = _LOST

    def _send_regularly(self) -> None:
        while not self._closed.is_set():
            self._wake.wait(_SEND_EVERY_SECONDS)
            self._wake.clear()
            self._send_one()
        while self._waiting and self._send_one():
            continue

    def _send_one(self) -> bool:
        with self._lock:
            chunk = bytes(self._waiting[:_CHUNK_BYTES])
        if not chunk:
            return True
        try:
            self._last_number = self._objects.append(chunk, after=self._last_number)
        except StoreError:
            return False
        with self._lock:
            del self._waiting[: len(chunk)]
        return True


def output_objects(store: Store, attempt: int, rank: int = 0) -> NumberedObjects:
    """Return where one node's output of an attempt lies."""
    node = f"-{rank:06d}" if rank else ""
    return NumberedObjects(store, f"output/{attempt:06d}{node}")
