"""The Python API of the event log: what happened to a run, or to all, now or as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from finsched import settings
from finsched.api.durations import read_duration
from finsched.errors import LedgerProblem, SpecError
from finsched.ledger import Ledger
from finsched.observe.event_log import EventLog, Told
from finsched.run.home import open_ledger

_LOOK_AGAIN_SECONDS = 0.5


def events(
    run: str | None = None,
    *,
    every_run: bool = False,
    since: str | None = None,
    follow: bool = False,
) -> Iterator[Told]:
    """Yield the events of a run, or of every run, each with the run after it.

    `since` is a duration before now, such as "12h", or a moment. With `follow` it goes on until
    the run has ended, or for ever with `every_run`.
    """
    if every_run and run is not None:
        raise SpecError(f"--all is every run, not {run}", fix="leave out one of them")
    ledger = open_ledger(settings.load().state_dir)
    chosen = None if every_run else ledger.resolve(run)
    begin = _moment(since) if since else None
    log = EventLog(ledger, run=chosen, since=begin, unreadable=_raise if chosen else _say)
    return _following(log, ledger, chosen) if follow else log.news()


def _following(log: EventLog, ledger: Ledger, run: str | None) -> Iterator[Told]:
    while True:
        last_look = run is not None and ledger.run(run).outcome is not None
        yield from log.news()
        if last_look:
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - _span(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(text: str) -> timedelta:
    try:
        return read_duration("--since", text, least=timedelta(0), example="12h")
    except SpecError as problem:
        fix = "write a duration before now, such as 12h, or a moment, such as 2026-11-22T08:00"
        raise SpecError(f"--since is no duration and no moment: {text!r}", fix=fix) from problem


def _raise(problem: LedgerProblem) -> None:
    raise problem


def _say(problem: LedgerProblem) -> None:
    print(f"finsched: {problem.message}", file=sys.stderr)
