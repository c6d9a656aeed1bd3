"""Listens to runs and tells people, so that nothing that goes wrong there reaches a run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from finsched.decide.live.notifications import Notification, notifications
from finsched.errors import LedgerProblem, SpecError
from finsched.ledger import Ledger
from finsched.model.event import Recorded, Warned
from finsched.model.notification import About
from finsched.model.run import Run, WarningCause
from finsched.observe import address
from finsched.observe.outbox import Outbox
from finsched.settings import Settings, notify_urls

CLOSE_SECONDS = 5.0
"""How long the end of a process waits for what is still on its way."""


class Notifier:
    """An observer of any number of runs, from any threads; a failure is told once per run."""

    def __init__(self, outboxes: Sequence[Outbox], about: frozenset[About], ledger: Ledger) -> None:
        self._outboxes = outboxes
        self._about = about
        self._ledger = ledger
        self._failed: dict[str, list[tuple[Outbox, str]]] = {}
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def heard(self, run: Run, record: Recorded) -> None:
        """Pass on what people want to hear of."""
        for notification in self._caused(run, record):
            if notification.about in self._about:
                for outbox in self._outboxes:
                    outbox.put(notification)

    def looked(self, run: Run, now: datetime) -> None:
        """Write down what could not be sent."""
        self._collect()
        self._tell(run.id, now)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait a little for what is on its way, and write down what did not arrive."""
        until = time.monotonic() + seconds
        for outbox in self._outboxes:
            if not outbox.wait(until):
                outbox.abandon()
        self._collect()
        for run_id in list(self._failed):
            self._tell(run_id, datetime.now(UTC))

    def _caused(self, run: Run, record: Recorded) -> tuple[Notification, ...]:
        try:
            return notifications(run, record)
        except Exception as error:  # noqa: BLE001 - no wording is worth a run
            _say(f"{run.id}: nobody is notified of row {record.sequence}: {type(error).__name__}")
            return ()

    def _collect(self) -> None:
        for outbox in self._outboxes:
            for notification, reason in outbox.failed():
                self._note(outbox, notification, reason)

    def _note(self, outbox: Outbox, notification: Notification, reason: str) -> None:
        with self._lock:
            if (notification.run, outbox.name) not in self._told:
                self._told.add((notification.run, outbox.name))
                self._failed.setdefault(notification.run, []).append((outbox, reason))

    def _tell(self, run_id: str, now: datetime) -> None:
        with self._lock:
            failed = self._failed.pop(run_id, [])
        for outbox, reason in failed:
            text = f"a notification was not sent to {outbox.name}: {reason}"
            _say(f"{run_id}: {text}")
            event = Warned(attempt=0, text=text, cause=WarningCause.NOTIFIER)
            with suppress(LedgerProblem):
                self._ledger.append(run_id, event, now)


@contextmanager
def notified(settings: Settings, ledger: Ledger) -> Iterator[Notifier | None]:
    """Yield what tells people of runs, as the settings want it; None where they want nothing.

    What is wrong with the settings is said on stderr and stops no run.
    """
    notifier = _notifier(settings, ledger)
    try:
        yield notifier
    finally:
        if notifier:
            notifier.close()


def _notifier(settings: Settings, ledger: Ledger) -> Notifier | None:
    try:
        urls = notify_urls(settings)
    except SpecError as problem:
        _say(f"nobody is notified: {problem.message}; fix: {problem.fix}")
        return None
    if not urls:
        return None
    if not address.is_installed():
        _say("nobody is notified: Apprise is not installed; fix: pip install 'finsched[notify]'")
        return None
    outboxes = [
        Outbox(f"address {number} ({address.service(url)})", partial(address.sender, url))
        for number, url in enumerate(urls, start=1)
    ]
    return Notifier(outboxes, frozenset(settings.notify.about) or frozenset(About), ledger)


def _say(text: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone
        print(f"finsched: {text}", file=sys.stderr, flush=True)
