"""Deletes stores that a person wants gone: one after the other, each under its run's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from finsched.decide.leftovers.orphans import Fate, Ruling
from finsched.errors import LedgerProblem
from finsched.model.event import StoreDiscarded
from finsched.model.run import Run
from finsched.node.removal import remove_tree
from finsched.node.store import Store, StoreError
from finsched.run.home import Supervised, supervision
from finsched.run.stores import KeptStore, StoreSurvey, folder_is_gone, folder_of

_AT_ONCE = 16
_TAKEN_UP = Ruling(fate=Fate.KEPT, why="a process has taken the run up meanwhile")
_NOT_EMPTY = "something was written to it meanwhile"

Told = Callable[[KeptStore], None]


def discard(survey: StoreSurvey, stores: Iterable[KeptStore], told: Told) -> Iterator[KeptStore]:
    """Delete the stores that go, and yield all as they ended; a failure stops no other.

    The ledger hears of it first: a run whose store may be half gone is never resumed.
    """
    for kept in stores:
        if not kept.goes or kept.problem:
            yield kept
            continue
        told(kept)
        try:
            with supervision(survey.state_dir, kept.run):
                yield _discard(survey, survey.ledger.run(kept.run))
        except Supervised:
            yield replace(kept, ruling=_TAKEN_UP)
        except (StoreError, LedgerProblem, OSError) as problem:
            yield replace(kept, problem=str(problem))


def _discard(survey: StoreSurvey, run: Run) -> KeptStore:
    """Judge once more, because the run may have gone on since, then delete."""
    kept = survey.look(run, locked=True)
    if not kept.goes or kept.problem:
        return kept
    if run.store_discarded_at is None:
        discarded = StoreDiscarded(why=kept.ruling.why, size_bytes=kept.size_bytes)
        survey.ledger.append(run.id, discarded, datetime.now(UTC))
    empty = _emptied(run.store_uri)
    return replace(kept, deleted=empty, problem="" if empty else _NOT_EMPTY)


def _emptied(uri: str) -> bool:
    """Delete every object below the URI and return whether nothing is left."""
    store = Store(uri)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(store.delete, [stored.key for stored in store.list("")]))
    folder = folder_of(uri)
    if folder:
        remove_tree(folder)
        return folder_is_gone(uri)
    return not store.list("")
