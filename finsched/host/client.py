"""A command's side of the socket: find the process, start it where there is none, ask it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finsched import errors
from finsched.errors import FinschedError, MachineProblem
from finsched.host.place import Place
from finsched.host.wire import SECONDS, Document, receive, require_own_user, send

_START_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05


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
        except (FileNotFoundError, ConnectionError):
            return None

    def _ask_running(self, request: Document) -> Document:
        """Ask, and start the process as long as there is none to answer."""
        starting: subprocess.Popen[bytes] | None = None
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            try:
                return self._ask(request)
            except (FileNotFoundError, ConnectionError):
                if starting is None or starting.poll() is not None:
                    starting = self._spawn()
                time.sleep(_LOOK_AGAIN_SECONDS)
        log = self._place.log
        raise MachineProblem("the process that holds runs does not start", fix=f"read {log}")

    def _ask(self, request: Document) -> Document:
        with self._place.connect(SECONDS) as connection:
            require_own_user(connection)
            send(connection, request)
            answer = receive(connection)
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
                start_new_session=True,
            )


def _as_error(told: Mapping[str, Any]) -> FinschedError:
    kind = getattr(errors, str(told.get("kind")), MachineProblem)
    known = isinstance(kind, type) and issubclass(kind, FinschedError)
    cls: type[FinschedError] = kind if known else MachineProblem
    return cls(str(told.get("message")), fix=told.get("fix"))
