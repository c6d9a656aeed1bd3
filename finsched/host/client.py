"""A command's side of the socket: find the process, start it where there is none, ask it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finsched import errors, settings
from finsched.errors import FinschedError, MachineProblem
from finsched.host.place import Place
from finsched.host.wire import (
    SECONDS,
    CutOff,
    Document,
    other_side,
    receive,
    require_own_user,
    send,
)

_START_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05
_NOBODY_LISTENS = (FileNotFoundError, ConnectionError)


class Unanswered(MachineProblem):
    """The process is there, and does not answer in time."""


class Client:
    """Asks the per-user process of a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._place = Place.of(state_dir)

    def hold(self, run_id: str, secrets: Mapping[str, str], *, priority: int = 0) -> None:
        """Hand a run over with its secrets; the process carries it from now on."""
        request = {"do": "hold", "run": run_id, "secrets": dict(secrets), "priority": priority}
        self._ask_running(request)

    def start(self) -> Document:
        """Start the process where there is none, and return what it says of itself and its runs."""
        return self._ask_running({"do": "list"})

    def listing(self) -> Document | None:
        """Return what the process says of itself and its runs; None where there is no process."""
        try:
            return self._ask({"do": "list"})
        except _NOBODY_LISTENS:
            return None

    def _ask_running(self, request: Document) -> Document:
        """Ask until there is an answer, and start the process as long as there is none.

        What is asked must do no harm when it is asked twice: a process may die after it has acted.
        """
        starting: subprocess.Popen[bytes] | None = None
        log = self._place.log
        last = MachineProblem("the process that holds runs does not start", fix=f"read {log}")
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            try:
                return self._ask(request)
            except _NOBODY_LISTENS:
                if starting is None or starting.poll() is not None:
                    starting = self._spawn()
            except (Unanswered, CutOff) as problem:
                last = problem
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise last

    def _ask(self, request: Document) -> Document:
        """Raises `Unanswered`, and `CutOff` where the process ended before its answer did."""
        try:
            connection = self._place.connect(SECONDS)
        except BlockingIOError as error:  # so many ask at once that the system takes no more
            raise Unanswered("too many commands wait for an answer", fix="try again") from error
        with connection:
            require_own_user(connection)
            try:
                send(connection, request)
                answer = receive(connection)
            except TimeoutError as error:
                raise _unanswered(connection) from error
        if told := answer.get("error"):
            raise _as_error(told)
        return answer

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that it survives this terminal."""
        descriptor = os.open(self._place.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "finsched.host", str(self._state_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=settings.with_absolute_paths(),
                start_new_session=True,
            )


def _unanswered(connection: socket.socket) -> Unanswered:
    pid = other_side(connection) or "PID"
    return Unanswered(
        f"the process {pid} that holds runs does not answer",
        fix=f"`kill -CONT {pid}` wakes one that was halted; else end it with `kill -9 {pid}`:"
        " the next command starts it anew, and its runs go on",
    )


def _as_error(told: Mapping[str, Any]) -> FinschedError:
    kind = getattr(errors, str(told.get("kind")), MachineProblem)
    known = isinstance(kind, type) and issubclass(kind, FinschedError)
    cls: type[FinschedError] = kind if known else MachineProblem
    return cls(str(told.get("message")), fix=told.get("fix"))
