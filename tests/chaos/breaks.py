"""One line of the production code broken at a time; each names the invariant that must notice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

from finsched.decide import next_step
from finsched.decide.live import spend
from finsched.decide.live.step import Wait
from finsched.model.event import AttemptEnded, Ended, Progressed
from finsched.model.run import AttemptEnd, AttemptState, Choice
from finsched.node.checkpoints.commit_log import CommitLog, CommitWriter
from finsched.node.ending import Watch
from finsched.node.gangs import companions
from finsched.node.gangs.answered import Answered
from finsched.node.gangs.gang import GangBoard
from finsched.node.mail import orders
from finsched.node.mail.orders import lease_until
from finsched.node.store import StoreError
from finsched.run import (
    attendant,
    gangs,
    home,
    journal,
    launching,
    reserving,
    supervisor,
    sweep,
)
from finsched.run.attendant import Attendant
from finsched.run.correspondence import Correspondence
from finsched.run.launching import Launched
from finsched.run.silence import Silence
from finsched.run.supervisor import Supervisor
from finsched.run.sweep import Sweep
from finsched.run.watching import give_up


@dataclass(frozen=True, kw_only=True)
class Break:
    """A broken line: what it is, where, what stands there instead, and what must notice."""

    what: str
    where: Any
    name: str
    instead: Any
    noticed_by: str
    seeds: tuple[int, ...] = ()
    was_a_bug: bool = False  # the line stood so once, until the simulation found it

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Break it for a while."""
        with mock.patch.object(self.where, self.name, self.instead):
            yield


def _begins_anew(silence: Any, _now: float) -> None:
    silence._since = None


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def _oldest_first(log: CommitLog) -> Iterator[Any]:
    return iter(log.entries())


_request = launching._request
_apply = journal.apply


def _other_token(*args: Any) -> Any:
    request = _request(*args)
    return replace(request, token=f"{request.token}-again")


def _refuse_at_once(journal: Any, attempt: Any, _provider: Any, clock: Any) -> None:
    if attempt.state is AttemptState.INTENDED:
        end = AttemptEnded(attempt=attempt.number, end=AttemptEnd.NOT_LAUNCHED)
        journal.record(end, clock.now())


def _look_once(compute: Any, request: Any) -> Any:
    found = compute.find(request.token)
    if not found:
        raise launching.NoCapacity("no answer")
    return found


def _confirm_from_now(journal: Any, number: int, instances: Any, clock: Any) -> None:
    ids = tuple(instance.id for instance in instances)
    launched = Launched(attempt=number, instance_ids=ids, billing_from=clock.now())
    journal.record(launched, clock.now())


def _forgetful(run: Any, record: Any) -> Any:
    return run if isinstance(record.event, Progressed) else _apply(run, record)


def _end_at_once(self: Any, outcome: Any, why: str) -> None:
    self._record(Ended(outcome=outcome, detail=why))


def _switch_off(self: Any) -> None:
    for instance_id in self._attempt.instance_ids:
        self._means.provider.compute.terminate(instance_id)


def _wait_for_ever(run: Any, now: Any, _wanted: Any, _hot: Any) -> Any:
    if not run.attempts:
        return None
    return Wait(until=now + timedelta(days=30), choice=Choice(step="wait", why="broken"))


def _cost_of_the_living(run: Any, now: Any) -> Decimal:
    living = (spend.attempt_usd(attempt, now) for attempt in run.live_attempts)
    return sum(living, Decimal(0))


def _whole_seconds(attempt: Any, now: Any) -> int:
    if attempt.billing_from is None:
        return 0
    return int(((attempt.ended_at or now) - attempt.billing_from).total_seconds())


def _reserve_without_upload(run: Any, clock: Any) -> float:
    return run.job.checkpoint.save_time.total_seconds() / clock.speed


def _never(*_args: Any, **_kwargs: Any) -> bool:
    return False


def _always(*_args: Any, **_kwargs: Any) -> bool:
    return True


def _any_part_counts(_answered: Any, _asked: Any, written_ns: int) -> bool:
    return written_ns > 0


def _last_commit(self: Any, _save: Any) -> int:
    return int(self._accepted_ns)


def _until_the_last_ended(given: Any, now: Any) -> int:
    return spend.billed_seconds(given, now) * given.placement.nodes


_letters = Correspondence.letters


def _for_all_nodes(self: Any, after: int) -> Any:
    letters = _letters(self, after)
    self.newest_of = dict.fromkeys(range(8), self.newest)
    return letters


def _hearsay(board: Any) -> None:
    board._announce("roll")
    for rank in board.others:
        key = f"{board._folder}/answers/roll/{rank:06d}.json"
        board._store.create(key, b"{}")


def _unread_is_unrenewed(self: Any, run: Any, attempt: Any, clock: Any) -> Any:
    first = clock.real(attempt.intended_at) + sweep._BOOT + self.settings.lease
    renewed = None
    with contextlib.suppress(StoreError, ValueError, KeyError):
        renewed = lease_until(self.open_store(run.store_uri), attempt.number)
    return clock.at(max(first, renewed or first))


def _finds_nothing(*_args: Any) -> Iterator[Any]:
    return iter(())


def _somebody_else(_state_dir: Any) -> str:
    return "finsched-chaos-of-others"


def _local_and_naive(moment: Any) -> str:
    return str(moment.astimezone().replace(tzinfo=None).isoformat())


def _gone_at_once(self: Any, *, known: bool, patient: bool) -> None:
    if not known:
        give_up(self._means.journal, self._attempt, self._means.clock.now())


BREAKS = (
    Break(
        what="what is left of a broken gang goes on",
        where=gangs,
        name="is_broken",
        instead=_never,
        noticed_by="ends_together",
        seeds=(10,),
    ),
    Break(
        what="an older part of a node counts for a new save",
        where=Answered,
        name="are_new",
        instead=_any_part_counts,
        noticed_by="one_step",
        seeds=(10,),
    ),
    Break(
        what="a part of a save that was not kept counts for the next one",
        where=companions.Companions,
        name="_save_before_ns",
        instead=_last_commit,
        noticed_by="one_step",
        seeds=(115,),
        was_a_bug=True,
    ),
    Break(
        what="a machine that could not be switched off is tried again at the next poll",
        where=attendant,
        name="_SOONEST_RETRY_SECONDS",
        instead=1e9,
        noticed_by="within_budget",
        seeds=(6001768,),
        was_a_bug=True,
    ),
    Break(
        what="a store that is away for a moment makes the wait for a silent node begin anew",
        where=Silence,
        name="cannot_tell",
        instead=_begins_anew,
        noticed_by="goes_on",
        seeds=(12000807,),
        was_a_bug=True,
    ),
    Break(
        what="a machine that nobody sees counts as ended when it is given up",
        where=Attendant,
        name="_unseen",
        instead=timedelta(0),
        noticed_by="never_below_the_bill",
        seeds=(6000181,),
        was_a_bug=True,
    ),
    Break(
        what="each machine of a gang is paid until the last one has ended",
        where=spend,
        name="_machine_seconds",
        instead=_until_the_last_ended,
        noticed_by="the_bill",
        seeds=(4,),
        was_a_bug=True,
    ),
    Break(
        what="the letters of one node count for all",
        where=Correspondence,
        name="letters",
        instead=_for_all_nodes,
        noticed_by="goes_on",
        seeds=(103,),
        was_a_bug=True,
    ),
    Break(
        what="nobody asks who is still there when a command fails",
        where=GangBoard,
        name="call_roll",
        instead=_hearsay,
        noticed_by="not_blamed",
        seeds=(152,),
        was_a_bug=True,
    ),
    Break(
        what="a sweep takes a lease that it cannot read for one that nobody renewed",
        where=Sweep,
        name="_lease_until",
        instead=_unread_is_unrenewed,
        noticed_by="spares",
        seeds=(18,),
        was_a_bug=True,
    ),
    Break(
        what="a sweep asks no cloud",
        where=Sweep,
        name="_owned_at",
        instead=_finds_nothing,
        noticed_by="findable",
        seeds=(1,),
    ),
    Break(
        what="a sweep takes another installation for its own",
        where=sweep,
        name="installation",
        instead=_somebody_else,
        noticed_by="spares",
        seeds=(7,),
    ),
    Break(
        what="money that other runs have set aside is given away again",
        where=reserving,
        name="lacking",
        instead=_nothing,
        noticed_by="reserved",
        seeds=(23,),
    ),
    Break(
        what="the end of a lease is written in local time",
        where=orders,
        name="to_iso",
        instead=_local_and_naive,
        noticed_by="leased",
        seeds=(9,),
    ),
    Break(
        what="a machine on which nothing is kept goes on for ever",
        where=supervisor,
        name="in_vain",
        instead=_never,
        noticed_by="fresh",
        seeds=(4,),
    ),
    Break(
        what="credentials that have expired end the run",
        where=launching,
        name="_is_final",
        instead=_always,
        noticed_by="stays",
        seeds=(2,),
    ),
    Break(
        what="a machine that one answer leaves out is given up",
        where=Attendant,
        name="_give_up_on_the_vanished",
        instead=_gone_at_once,
        noticed_by="over_with_the_run",
        seeds=(37,),
    ),
    Break(
        what="no time is kept free for the last upload",
        where=launching,
        name="reserve_seconds",
        instead=_reserve_without_upload,
        noticed_by="kept_at_the_limit",
        seeds=(8,),
        was_a_bug=True,
    ),
    Break(
        what="a writer that is overtaken goes on",
        where=CommitWriter,
        name="_check",
        instead=_nothing,
        noticed_by="one_writer",
        seeds=(50,),
    ),
    Break(
        what="the oldest checkpoint is restored",
        where=CommitLog,
        name="newest_first",
        instead=_oldest_first,
        noticed_by="nothing_lost",
        seeds=(1,),
    ),
    Break(
        what="the machine carries another token than the intent",
        where=launching,
        name="_request",
        instead=_other_token,
        noticed_by="known",
        seeds=(1,),
    ),
    Break(
        what="a run ends while its machines still run",
        where=Supervisor,
        name="_end",
        instead=_end_at_once,
        noticed_by="the_bill",
        seeds=(2,),
    ),
    Break(
        what="the node does not heed its lease",
        where=Watch,
        name="_lease_expired",
        instead=_nothing,
        noticed_by="leased",
        seeds=(2,),
    ),
    Break(
        what="what ended attempts have cost is forgotten",
        where=spend,
        name="compute_usd",
        instead=_cost_of_the_living,
        noticed_by="within_budget",
        seeds=(2,),
    ),
    Break(
        what="the node is not told of the limits",
        where=launching,
        name="_stop_at",
        instead=lambda *_: [],
        noticed_by="within_budget",
        seeds=(45,),
    ),
    Break(
        what="an unsettled launch is given up at once",
        where=attendant,
        name="reconcile",
        instead=_refuse_at_once,
        noticed_by="never_below_the_bill",
        seeds=(1,),
        was_a_bug=True,
    ),
    Break(
        what="a launch without an answer is looked for only once",
        where=launching,
        name="_ask_again",
        instead=_look_once,
        noticed_by="never_below_the_bill",
        seeds=(17,),
        was_a_bug=True,
    ),
    Break(
        what="a machine counts from when it was written down",
        where=launching,
        name="confirm",
        instead=_confirm_from_now,
        noticed_by="the_bill",
        seeds=(18,),
    ),
    Break(
        what="minimum and step of the meter are forgotten",
        where=spend,
        name="billed_seconds",
        instead=_whole_seconds,
        noticed_by="never_below_the_bill",
        seeds=(1,),
    ),
    Break(
        what="the live state forgets an event",
        where=journal,
        name="apply",
        instead=_forgetful,
        noticed_by="folds",
        seeds=(1,),
    ),
    Break(
        what="after a refusal nothing is asked for any more",
        where=next_step,
        name="_back_off",
        instead=_wait_for_ever,
        noticed_by="goes_on",
        seeds=(1,),
    ),
    Break(
        what="a refused terminate is not caught",
        where=Attendant,
        name="switch_off",
        instead=_switch_off,
        noticed_by="stays",
        seeds=(5,),
        was_a_bug=True,
    ),
    Break(
        what="the lock of a run keeps nobody out",
        where=home.fcntl,
        name="flock",
        instead=_nothing,
        noticed_by="one_supervisor",
        seeds=(2,),
    ),
)
