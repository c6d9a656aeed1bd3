"""The process's side of the socket: who asks, what for, and the answer."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Callable
from threading import Lock, Thread

from finsched.errors import FinschedError, MachineProblem
from finsched.host.place import Place
from finsched.host.wire import SECONDS, Document, WireProblem, receive, require_own_user, send

LOG = logging.getLogger("finsched.host")
Answer = Callable[[Document], Document]
_CLOSED = {errno.EBADF, errno.EINVAL}
_PAUSE_SECONDS = 0.5


class Server:
    """Answers its own user's requests, each in a thread of its own."""

    def __init__(self, place: Place, answers: dict[str, Answer], version: str) -> None:
        self._place = place
        self._answers = answers
        self._about = {"finsched": version, "pid": os.getpid()}
        self._listening: socket.socket | None = None
        self._inode: int | None = None
        self._counting = Lock()
        self._open = 0
        self.last_request_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is being answered."""
        return self._open == 0

    def open(self) -> None:
        """Listen from now on."""
        self._listening = self._place.listen()
        self._inode = self._place.listening_inode
        Thread(target=self._accept, args=(self._listening,), name="socket", daemon=True).start()

    def stay_reachable(self) -> None:
        """Listen again where somebody has deleted or replaced the socket."""
        before = self._listening
        if before is None or self._place.listening_inode == self._inode:
            return
        with contextlib.suppress(OSError):  # a full disk: the next look tries again
            self.open()
            LOG.warning("the socket was gone: the process listens again")
            _hang_up(before)

    def close(self) -> None:
        """Listen no more; who connects now finds nobody, and starts a process of its own."""
        self._place.endpoint.unlink(missing_ok=True)
        if self._listening:
            _hang_up(self._listening)
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError as error:
                if error.errno in _CLOSED:
                    return
                time.sleep(_PAUSE_SECONDS)  # no descriptors or no memory left, for now
                continue
            self._count(1)
            Thread(target=self._serve, args=(connection,), name="client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(SECONDS)
                require_own_user(connection)
                send(connection, {**self._about, **self._answer_next(connection)})
        except (OSError, FinschedError) as problem:
            LOG.warning("a client was not answered: %s", problem)
        finally:
            self._count(-1)

    def _answer_next(self, connection: socket.socket) -> Document:
        """The answer to what comes next; who speaks another protocol learns which we are."""
        try:
            request = receive(connection)
        except WireProblem as problem:
            LOG.warning("a client was not understood: %s", problem)
            return {"error": _told(problem)}
        return self._answer(request)

    def _answer(self, request: Document) -> Document:
        """What a request asks for; an error is told as one, and never takes the process down."""
        try:
            return {"answer": self._answers[str(request.get("do"))](request)}
        except FinschedError as problem:
            return {"error": _told(problem)}
        except Exception:
            LOG.exception("answering a client failed")
            return {"error": _told(MachineProblem("the process failed", fix="read its log"))}

    def _count(self, change: int) -> None:
        with self._counting:
            self._open += change
            self.last_request_at = time.monotonic()


def _hang_up(listening: socket.socket) -> None:
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def _told(problem: FinschedError) -> Document:
    kind = type(problem).__name__
    return {"kind": kind, "message": problem.message, "fix": problem.fix}
