"""The life of the per-user process: one a state directory, until it is idle or told to go."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from threading import Event

from finsched import settings
from finsched.host.loop import Loop
from finsched.host.members import Members
from finsched.host.place import Place
from finsched.host.server import Server
from finsched.host.wire import Document
from finsched.model.queue import QueueLimits

LOG = logging.getLogger("finsched.host")
LARGEST_LOG_BYTES = 10 * 2**20
_LOOK_SECONDS = 0.5
_CLOSING_SECONDS = 10.0


def serve(state_dir: Path) -> int:
    """Hold runs until there are none for a while; return at once where another process does."""
    place = Place.of(state_dir)
    with place.lock() as is_ours:
        if not is_ours:
            return 0
        _prepare(place)
        chosen = replace(settings.load(), state_dir=state_dir)
        Process(place, chosen).live()
    return 0


class Process:
    """The runs, the socket and the signals of one process."""

    def __init__(self, place: Place, chosen: settings.Settings) -> None:
        self._loop = Loop()
        self._members = Members(chosen, self._loop, _read_limits)
        answers = {"hold": self._hold, "list": self._list}
        self._server = Server(place, answers, version("finsched"))
        self._idle_seconds = chosen.idle.total_seconds()
        self._going = Event()

    def live(self) -> None:
        """Take up what an earlier process held, and go on until nothing is left to do."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._going.set())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._members.begin()
        self._server.open()
        LOG.info("process %d holds %d runs", os.getpid(), len(self._members))
        while not self._is_over():
            self._going.wait(_LOOK_SECONDS)
            self._server.stay_reachable()
        self._end()

    def _hold(self, request: Document) -> Document:
        secrets = {str(name): str(value) for name, value in request["secrets"].items()}
        self._members.take(str(request["run"]), secrets, int(request["priority"]))
        return {}

    def _list(self, _request: Document) -> Document:
        return {"runs": self._members.listing()}

    def _is_over(self) -> bool:
        """Whether to go; who asks while the socket closes is still served."""
        if self._going.is_set():
            return True
        if not self._is_idle():
            return False
        self._server.close()
        if self._server.is_idle and not self._members:
            return True
        self._server.open()
        return False

    def _is_idle(self) -> bool:
        idle_seconds = time.monotonic() - self._server.last_request_at
        return self._server.is_idle and not self._members and idle_seconds > self._idle_seconds

    def _end(self) -> None:
        LOG.info("process %d ends; it held %d runs", os.getpid(), len(self._members))
        self._server.close()
        self._loop.close(timeout_seconds=_CLOSING_SECONDS)
        self._members.let_go()


def _read_limits() -> QueueLimits:
    return settings.load().queue


def _prepare(place: Place) -> None:
    """Log to a file of our own, shortened when it is long, and allow a lock file for every run."""
    if place.log.exists() and place.log.stat().st_size > LARGEST_LOG_BYTES:
        place.log.replace(place.log.with_suffix(".1"))
    descriptor = os.open(place.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
