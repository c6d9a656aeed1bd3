"""What runs keep in their stores: counted, priced, and judged by what a person wants gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from finsched.decide.leftovers.orphans import Fate, Ruling
from finsched.decide.leftovers.store_fate import Wish, rule_store
from finsched.errors import LedgerProblem
from finsched.ledger import Ledger
from finsched.model.run import Run
from finsched.node.checkpoints import pins
from finsched.node.store import Store, StoreError
from finsched.run.home import is_supervised
from finsched.run.sweep import clock_of

_CHECKPOINTS = "parts/"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStore:
    """The store of a run, and what becomes of it; sizes are unknown where there is a problem.

    `usd_per_month` is at the price that was in force when the run was launched. `ended_at` is when
    it really ended, also for a rehearsal.
    """

    run: str
    uri: str
    ended_at: datetime | None
    ruling: Ruling
    size_bytes: int = 0
    checkpoint_bytes: int = 0
    usd_per_month: float | None = None
    deleted: bool = False
    problem: str = ""

    @property
    def goes(self) -> bool:
        """Whether it is one of those that a person wants gone and that nobody needs."""
        return self.ruling.fate is Fate.ORPHAN


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSurvey:
    """Looks at the stores of all runs of a ledger, and changes nothing."""

    ledger: Ledger
    state_dir: Path
    wish: Wish

    def stores(self) -> Iterator[KeptStore]:
        """Yield the stores of ended and of named runs that hold something, the newest first."""
        for run_id in self.ledger.run_ids():
            try:
                run = self.ledger.run(run_id)
            except LedgerProblem as problem:
                yield _unreadable(run_id, problem.message)
                continue
            if run.outcome is None and run_id not in self.wish.runs:
                continue
            kept = None if folder_is_gone(run.store_uri) else self.look(run)
            if kept and (kept.size_bytes or kept.problem):
                yield kept

    def look(self, run: Run, *, locked: bool = False) -> KeptStore:
        """Count what a run keeps and judge it; with `locked` the caller holds the run's lock."""
        supervised = not locked and is_supervised(self.state_dir, run.id)
        ended_for = datetime.now(UTC) - clock_of(run).real(run.ended_at or run.submitted_at)
        judge = partial(rule_store, run, self.wish, ended_for=ended_for, supervised=supervised)
        try:
            stored = Store(run.store_uri).list("")
        except StoreError as error:
            return _kept(run, judge(), problem=str(error))
        pinned = any(each.key.startswith(f"{pins.FOLDER}/") for each in stored)
        checkpoints = [each for each in stored if each.key.startswith(_CHECKPOINTS)]
        return _kept(
            run,
            judge(pinned=pinned),
            size_bytes=sum(each.size_bytes for each in stored),
            checkpoint_bytes=sum(each.size_bytes for each in checkpoints),
        )


def folder_of(uri: str) -> Path | None:
    """Return the folder that a `file://` store is, None for a bucket."""
    address = urlsplit(uri)
    return Path(unquote(address.path)) if address.scheme == "file" else None


def folder_is_gone(uri: str) -> bool:
    """Say whether a folder was removed: it must not come back by being looked at."""
    folder = folder_of(uri)
    return folder is not None and not folder.exists()


def _unreadable(run_id: str, problem: str) -> KeptStore:
    ruling = Ruling(fate=Fate.KEPT, why="the ledger cannot tell of its run")
    return KeptStore(run=run_id, uri="", ended_at=None, ruling=ruling, problem=problem)


def _kept(
    run: Run, ruling: Ruling, *, size_bytes: int = 0, checkpoint_bytes: int = 0, problem: str = ""
) -> KeptStore:
    rate = _usd_per_gb_month(run)
    return KeptStore(
        run=run.id,
        uri=run.store_uri,
        ended_at=clock_of(run).real(run.ended_at) if run.ended_at else None,
        ruling=ruling,
        size_bytes=size_bytes,
        checkpoint_bytes=checkpoint_bytes,
        usd_per_month=None if rate is None or problem else rate * size_bytes / 1e9,
        problem=problem,
    )


def _usd_per_gb_month(run: Run) -> float | None:
    """A folder costs nothing that is known here."""
    if folder_of(run.store_uri) or not run.attempts:
        return None
    return run.attempts[-1].placement.storage_usd_per_gb_month or None
