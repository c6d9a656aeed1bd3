"""What ended runs keep in their stores: counted, and never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from finsched.errors import LedgerProblem
from finsched.ledger import Ledger
from finsched.model.run import Run
from finsched.node.store import Store, StoreError

_CHECKPOINTS = "parts/"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStore:
    """The store of an ended run; sizes are unknown where there is a problem."""

    run: str
    uri: str
    ended_at: datetime | None
    size_bytes: int = 0
    checkpoint_bytes: int = 0
    problem: str = ""


def kept_stores(ledger: Ledger) -> Iterator[KeptStore]:
    """Yield the stores of ended runs that hold something, the newest run first."""
    for run_id in ledger.run_ids():
        try:
            run = ledger.run(run_id)
        except LedgerProblem as problem:
            yield KeptStore(run=run_id, uri="", ended_at=None, problem=problem.message)
            continue
        if run.outcome is None or _was_removed(run.store_uri):
            continue
        kept = _kept(run)
        if kept.size_bytes or kept.problem:
            yield kept


def _kept(run: Run) -> KeptStore:
    try:
        stored = Store(run.store_uri).list("")
    except StoreError as error:
        return KeptStore(run=run.id, uri=run.store_uri, ended_at=run.ended_at, problem=str(error))
    checkpoints = [each for each in stored if each.key.startswith(_CHECKPOINTS)]
    return KeptStore(
        run=run.id,
        uri=run.store_uri,
        ended_at=run.ended_at,
        size_bytes=sum(each.size_bytes for each in stored),
        checkpoint_bytes=sum(each.size_bytes for each in checkpoints),
    )


def _was_removed(uri: str) -> bool:
    """A folder that somebody removed must not come back by being looked at."""
    address = urlsplit(uri)
    return address.scheme == "file" and not Path(unquote(address.path)).exists()
