"""The runs of the process: those that wait for their turn, and those that it carries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import RLock
from typing import Any

from finsched.decide.queue.queueing import Claim, Waiting, turns
from finsched.errors import FinschedError, SpecError
from finsched.host.clouds import SharedClouds
from finsched.host.held import HeldRun
from finsched.host.loop import Loop
from finsched.host.markets import SharedMarkets
from finsched.host.whereabouts import group_of, likely_provider
from finsched.model.event import Queued
from finsched.model.queue import QueueLimits
from finsched.model.run import QueuePlace, Run
from finsched.node.clock import utc_now
from finsched.observe.notifier import notified
from finsched.run.home import open_ledger
from finsched.run.present import present_moment
from finsched.run.session import Session
from finsched.settings import SecretValues, Settings

LOG = logging.getLogger("finsched.host")
QUEUE = "the queue"
LEDGER = "the ledger"
_QUEUE_SECONDS = 5.0
_LEDGER_SECONDS = 0.25
_LONG_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class _Member:
    """A run of the process; `held_by` says why it has not started yet."""

    held: HeldRun
    waiting: Waiting | None = None
    group: str = ""
    started: bool = False
    asleep_until: datetime | None = None  # by its own choice, and without a place meanwhile
    held_by: str | None = "it has just come"

    def wants_a_place(self, now: datetime) -> bool:
        """Whether it would do something if it were its turn."""
        is_awake = self.asleep_until is None or self.asleep_until <= now
        return is_awake and not self.started

    def goes_on(self, now: datetime) -> bool:
        """Whether it has slept enough and has worked before: no limit holds it back then."""
        run = self.held.run
        return self.wants_a_place(now) and run is not None and not run.waits_in_queue


class Members:
    """Takes runs up, starts those whose turn it is, and hears what others write of them."""

    def __init__(
        self, chosen: Settings, loop: Loop, read_limits: Callable[[], QueueLimits]
    ) -> None:
        self._loop = loop
        self._read_limits = read_limits
        self._ledger = open_ledger(chosen.state_dir)
        self._clouds = SharedClouds(chosen, loop)
        self._markets = SharedMarkets(chosen, utc_now)
        self._until_let_go = ExitStack()
        notifier = self._until_let_go.enter_context(notified(chosen, self._ledger))
        self._session = Session(
            settings=chosen,
            ledger=self._ledger,
            secrets={},
            market=self._markets.of,
            observer=notifier,
        )
        self._members: dict[str, _Member] = {}
        self._limits: QueueLimits | None = None  # those that the claims were made for
        self._one_at_a_time = RLock()
        self._read_up_to = self._ledger.newest()

    def begin(self) -> None:
        """Take up what was handed over to an earlier process and has not ended."""
        for run_id in self._ledger.queued():
            self._add(run_id, SecretValues())
        self._loop.hold(LEDGER, self._follow)
        self._loop.hold(QUEUE, self._call_in)

    def __len__(self) -> int:
        return len(self._members)

    def take(self, run_id: str, secrets: Mapping[str, str], priority: int) -> None:
        """Take a run up, or the secrets of one that is here; durable once this returns.

        Raises `SpecError` for a run that is unknown or has ended.
        """
        with self._one_at_a_time:
            run = self._ledger.run(run_id)
            if run.outcome is not None:
                raise SpecError(f"run {run_id} has ended", fix=f"`finsched resume {run_id}`")
            if run_id not in self._members or run_id not in self._ledger.queued():
                self._ledger.append(run_id, Queued(priority=priority), present_moment(run))
            self._arouse(run_id, secrets)

    def _arouse(self, run_id: str, secrets: Mapping[str, str]) -> None:
        """Look anew at a run that is here already, with more secrets; begin with another one."""
        if member := self._members.get(run_id):
            member.held.secrets.update(secrets)
            member.asleep_until = None
            self._loop.wake(run_id)
        else:
            self._add(run_id, SecretValues(secrets))
        self._loop.wake(QUEUE)

    def listing(self) -> list[dict[str, Any]]:
        """Return the runs, those that are carried first, as JSON."""
        with self._one_at_a_time:
            members = [_document(each) for each in self._members.copy().values()]
        return sorted(members, key=lambda each: each["state"] == "waiting")

    def let_go(self) -> None:
        """Let go of all runs; their machines work on as long as their leases last."""
        for member in self._members.copy().values():
            member.held.let_go()
        self._until_let_go.close()
        self._ledger.close()

    def _add(self, run_id: str, secrets: SecretValues) -> None:
        session = replace(self._session, door=self._clouds.door(run_id))
        held = HeldRun(run_id, session, secrets, self)
        self._members[run_id] = _Member(held=held)

    def _remove(self, run_id: str) -> bool:
        """Forget a run that has ended; False where a person has resumed it meanwhile."""
        with self._one_at_a_time:
            if self._ledger.run(run_id).outcome is None:
                return False
            self._members.pop(run_id, None)
        self._loop.wake(QUEUE)
        return True

    # --- the queue -----------------------------------------------------------------------------

    def _call_in(self) -> float:
        """Start those whose turn it is."""
        limits = self._read_limits()
        if limits != self._limits:
            self._forget_claims()
            self._limits = limits
        now = utc_now()
        for member in self._members.copy().values():
            if not member.started and (member.waiting is None or member.goes_on(now)):
                self._read(member, limits)
        with self._one_at_a_time:
            self._start_next(limits)
        return _QUEUE_SECONDS

    def _forget_claims(self) -> None:
        """Where a run would go is only asked for while there are limits on it."""
        for member in self._members.copy().values():
            if not member.started:
                member.waiting = None

    def _start_next(self, limits: QueueLimits) -> None:
        members, now = [*self._members.values()], utc_now()
        waiting = [each.waiting for each in members if each.waiting and each.wants_a_place(now)]
        if not waiting:
            return
        running = [_present_claim(each) for each in members if each.started]
        for turn in turns(waiting, running, limits, now):
            member = self._members[turn.run]
            member.held_by = turn.held_by
            if turn.held_by is None:
                self._start(member)

    def _read(self, member: _Member, limits: QueueLimits) -> None:
        """Learn what a run is from the ledger; one that was carried before goes on at once."""
        try:
            run = self._ledger.run(member.held.id)
            if run.outcome is not None:
                self._remove(run.id)
                return
            member.group = group_of(run.store_uri)
            member.waiting = self._place_of(run, limits)
        except FinschedError as problem:
            if member.held_by != problem.message:
                LOG.warning("%s: %s", member.held.id, problem.message)
            member.held_by = problem.message
            return
        if not run.waits_in_queue or run.stop_requested:
            self._start(member)

    def _place_of(self, run: Run, limits: QueueLimits) -> Waiting:
        now = utc_now()
        place = run.queue_place or QueuePlace(priority=0, since=now)
        tags = frozenset(f"{key}={value}" for key, value in run.job.tags.items())
        market_now = partial(self._markets.of, run, now)
        provider = likely_provider(run, market_now) if limits.per_provider else ""
        claim = Claim(provider=provider, tags=tags)
        return Waiting(run=run.id, priority=place.priority, since=place.since, claim=claim)

    def _start(self, member: _Member) -> None:
        member.started, member.held_by, member.asleep_until = True, None, None
        held = member.held
        LOG.info("%s: taken up", held.id)
        self._loop.hold(held.id, partial(self._look, member), group=member.group)

    def _look(self, member: _Member) -> float | None:
        held = member.held
        wanted_seconds = held.look()
        if wanted_seconds is None:
            if not self._remove(held.id):
                return 0.0
            LOG.info("%s: ended", held.id)
        elif wanted_seconds >= _LONG_SECONDS and (why := held.waits_because):
            self._send_back(member, wanted_seconds, why)
            return None
        return wanted_seconds

    def _send_back(self, member: _Member, seconds: float, why: str) -> None:
        """A run that waits for long by its own choice leaves its place to others.

        It comes back by the time of day, which goes on while a laptop sleeps.
        """
        with self._one_at_a_time:
            member.held.let_go()
            member.started, member.held_by = False, why
            member.asleep_until = utc_now() + timedelta(seconds=seconds)
        self._loop.wake(QUEUE)

    # --- what others write ---------------------------------------------------------------------

    def _follow(self) -> float:
        """Look at once at runs of which somebody else wrote: a stop, new limits."""
        news = self._ledger.news(self._read_up_to)
        self._read_up_to = max([self._read_up_to, *news.values()])
        for run_id, sequence in news.items():
            member = self._members.get(run_id)
            if member is None or member.held.has_seen(sequence):
                continue
            if not member.started:
                member.waiting, member.asleep_until = None, None
                self._loop.wake(QUEUE)
            self._loop.wake(run_id)
        return _LEDGER_SECONDS


def _present_claim(member: _Member) -> Claim:
    """The places of a run that is carried: on the provider where it works now."""
    claim = member.waiting.claim if member.waiting else Claim()
    run = member.held.run
    live = run.live_attempt if run else None
    return replace(claim, provider=live.provider) if live else claim


def _document(member: _Member) -> dict[str, Any]:
    waiting = member.waiting
    lacks = member.held.lacks_secrets
    return {
        "run": member.held.id,
        "state": "carried" if member.started else "waiting",
        "priority": waiting.priority if waiting else 0,
        "since": waiting.since.isoformat() if waiting else None,
        "provider": _present_claim(member).provider or None,
        "held_by": f"its secrets: {', '.join(lacks)}" if lacks else _held_by(member),
    }


def _held_by(member: _Member) -> str | None:
    return member.held.problem or member.held_by
