"""Whether the store of a run may be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from finsched.decide.leftovers.orphans import Fate, Ruling
from finsched.model.run import Outcome, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which stores a person wants to be rid of: those of named runs, or all of some age."""

    runs: frozenset[str] = frozenset()
    older_than: timedelta | None = None


def rule_store(
    run: Run, wish: Wish, *, ended_for: timedelta, supervised: bool, pinned: bool = False
) -> Ruling:
    """Return what becomes of a run's store.

    Without its store a run cannot go on. So only a finished one goes by age, and any other that
    has ended goes by its name, and so does one with a pinned checkpoint.
    """
    if supervised:
        return _kept("a process watches over the run")
    if run.outcome is None:
        return _kept(f"the run has not ended; `finsched stop {run.id}` ends it")
    if run.live_attempts:
        return _kept(f"a machine may still live; `finsched sweep --run {run.id} --apply` ends it")
    if urlsplit(run.store_uri).path.rpartition("/")[2] != run.id:
        return _kept("it is no folder of this run alone")
    if run.store_discarded_at:
        return _over("its deletion had begun")
    if run.id in wish.runs:
        return _over("you named its run")
    if pinned:
        return _kept(f"a checkpoint is pinned; --run {run.id} gives it up")
    return _by_age(run, wish, ended_for)


def _by_age(run: Run, wish: Wish, ended_for: timedelta) -> Ruling:
    if run.outcome is not Outcome.FINISHED:
        return _kept(f"the run can still be resumed; --run {run.id} gives it up")
    if wish.older_than is None:
        return _kept("nobody asked for its deletion")
    if ended_for < wish.older_than:
        return _kept("the run ended too short a time ago")
    return _over("the run finished long enough ago")


def _kept(why: str) -> Ruling:
    return Ruling(fate=Fate.KEPT, why=why)


def _over(why: str) -> Ruling:
    return Ruling(fate=Fate.ORPHAN, why=why)
