"""Deletes what a sweep found: one run after the other, under its lock, again until it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from finsched.decide.leftovers.orphans import Fate, Ruling
from finsched.errors import LedgerProblem, ProviderProblem, StoreProblem
from finsched.model.event import Warned
from finsched.model.run import Attempt
from finsched.node.clock import monotonic, pause
from finsched.node.store import Store, StoreError
from finsched.provider import InstanceState, OwnedResource
from finsched.run.correspondence import Correspondence
from finsched.run.home import Supervised, supervision
from finsched.run.journal import Journal
from finsched.run.reconcile import reconcile
from finsched.run.sweep import INSTANCE, Find, Sweep, by_run, clock_of
from finsched.run.watching import give_up, watch

PATIENCE = timedelta(minutes=5)
_LONGEST_PAUSE_SECONDS = 2.0
_TAKEN_UP = Ruling(fate=Fate.KEPT, why="a process has taken the run up meanwhile")
_NOT_ENDED = "it has not ended yet"
_MACHINE_LIVES = "its machine has not ended yet"

Told = Callable[[str], None]


class Remover:
    """Deletes orphans; what it does to a run is written into the run's ledger first."""

    def __init__(self, sweep: Sweep, *, told: Told, patience: timedelta = PATIENCE) -> None:
        self._sweep = sweep
        self._told = told
        self._patience = patience
        self._announced: set[tuple[str, str]] = set()

    def remove(self, finds: Iterable[Find]) -> list[Find]:
        """Delete the orphans and return them as they ended: deleted, kept after all, or failed.

        A failure never stops the rest. What is in use is tried again until the patience ends.
        """
        left = [find.resource for find in finds if find.is_orphan]
        give_up_at = monotonic() + self._patience.total_seconds()
        ended: list[Find] = []
        while left:
            tried = list(self._round(left))
            waiting = [find for find in tried if not _is_settled(find)]
            ended.extend(find for find in tried if find not in waiting)
            if waiting and monotonic() >= give_up_at:
                return ended + waiting
            left = [find.resource for find in waiting]
            if left:
                pause(self._pause_seconds(left))
        return ended

    def _round(self, left: list[OwnedResource]) -> Iterator[Find]:
        for run_id, owned in by_run(left):
            assert run_id is not None  # noqa: S101 - what names no run is no orphan
            try:
                with supervision(self._sweep.state_dir, run_id):
                    yield from self._clear(run_id, owned)
            except Supervised:
                yield from (Find(resource=each, ruling=_TAKEN_UP) for each in owned)

    def _clear(self, run_id: str, owned: list[OwnedResource]) -> list[Find]:
        """Look at the ledger again, delete, and write down which attempts have ended by it."""
        finds = self._sweep.judge(run_id, owned, locked=True)
        try:
            journal = Journal(self._sweep.ledger, run_id)
            self._adopt(journal, finds)
            finds = self._delete_in_order(journal, finds)
            self._settle(journal, finds)
        except (LedgerProblem, StoreProblem, ProviderProblem, OSError) as problem:
            return [replace(find, problem=str(problem)) for find in finds]
        return finds

    def _adopt(self, journal: Journal, finds: list[Find]) -> None:
        """Write down which machines an intent has made, so that their end can be."""
        for attempt in self._live(journal, finds):
            provider = self._sweep.provider(attempt.provider)
            reconcile(journal, attempt, provider, clock_of(journal.run))

    def _delete_in_order(self, journal: Journal, finds: list[Find]) -> list[Find]:
        """Machines first: what hangs on them cannot go, or goes with them."""
        machines = [find for find in finds if find.resource.kind == INSTANCE]
        tried = [self._delete(journal, find) for find in machines]
        others = [find for find in finds if find.resource.kind != INSTANCE]
        if all(map(_is_settled, tried)):
            return tried + [self._delete(journal, find) for find in others]
        return tried + [_waiting(find) for find in others]

    def _delete(self, journal: Journal, find: Find) -> Find:
        inventory = self._sweep.provider(find.resource.provider).inventory
        if not find.is_orphan or inventory is None:
            return find
        self._announce(journal, find)
        try:
            inventory.delete(find.resource)
            gone = self._is_gone(find.resource)
        except (ProviderProblem, OSError) as problem:
            return replace(find, problem=str(problem))
        return replace(find, deleted=gone, problem="" if gone else _NOT_ENDED)

    def _announce(self, journal: Journal, find: Find) -> None:
        resource = find.resource
        if (resource.provider, resource.id) in self._announced:
            return
        self._announced.add((resource.provider, resource.id))
        text = f"sweep deletes the {resource.kind} {resource.id}: {find.ruling.why}"
        number = resource.attempt or len(journal.run.attempts)
        journal.record(Warned(attempt=number, text=text), clock_of(journal.run).now())
        self._told(f"deleting {resource.provider} {resource.kind} {resource.id}")

    def _is_gone(self, resource: OwnedResource) -> bool:
        """A machine is gone when its provider says so; an accepted deletion ends all else."""
        compute = self._sweep.provider(resource.provider).compute
        if resource.kind != INSTANCE or compute is None:
            return True
        status = compute.poll([resource.id]).get(resource.id)
        return status is not None and status.state is InstanceState.TERMINATED

    def _settle(self, journal: Journal, tried: list[Find]) -> None:
        """End the attempts whose machines are gone, at the moment that their provider tells."""
        if not all(map(_is_settled, tried)):
            return
        for attempt in self._live(journal, tried):
            provider = self._sweep.provider(attempt.provider)
            post = Correspondence(self._store(journal.run.store_uri), attempt.number)
            if not watch(journal, attempt, provider, post, clock_of(journal.run)):
                give_up(journal, attempt, clock_of(journal.run).now())

    def _store(self, uri: str) -> Store:
        try:
            return self._sweep.open_store(uri)
        except StoreError as error:
            raise StoreProblem(str(error)) from error

    def _live(self, journal: Journal, finds: list[Find]) -> list[Attempt]:
        numbers = {find.resource.attempt for find in finds if find.is_orphan}
        return [each for each in journal.run.live_attempts if each.number in numbers]

    def _pause_seconds(self, left: list[OwnedResource]) -> float:
        names = {resource.provider for resource in left}
        intervals = [self._sweep.provider(name).poll_interval.total_seconds() for name in names]
        return min(*intervals, _LONGEST_PAUSE_SECONDS)


def _is_settled(find: Find) -> bool:
    return find.deleted or not find.is_orphan


def _waiting(find: Find) -> Find:
    return find if _is_settled(find) else replace(find, problem=_MACHINE_LIVES)
