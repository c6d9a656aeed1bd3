"""Which checkpoints of a run its store keeps, and which a person has pinned.

A machine deletes what only older commits need right after a commit, and reads the pins before that.
So a pin holds for sure if its checkpoint is still one of the newest once the pin is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from finsched.errors import SpecError, StoreProblem
from finsched.model.job import CheckpointSpec
from finsched.model.run import Checkpoint, Run
from finsched.node.checkpoints.commit_log import CommitLog, Committed
from finsched.node.checkpoints.pins import Pins
from finsched.node.store import Store, StoreError
from finsched.run.stores import folder_is_gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A checkpoint of a run, with the number that people see; `kept` says that it can be had."""

    number: int
    checkpoint: Checkpoint
    kept: bool
    pinned: bool


def survey(run: Run) -> list[Kept]:
    """Return all checkpoints of a run, oldest first; raises StoreProblem."""
    with _in_words():
        pinned = set() if _is_gone(run) else Pins(Store(run.store_uri)).numbers()
    newest = () if _is_gone(run) else run.checkpoints[-_keep(run) :]
    return [
        Kept(
            number=number,
            checkpoint=each,
            kept=each in newest or each.sequence in pinned,
            pinned=each.sequence in pinned,
        )
        for number, each in enumerate(run.checkpoints, start=1)
    ]


def pin(run: Run, number: int) -> None:
    """Keep a checkpoint until it is unpinned; raises SpecError, StoreProblem."""
    sequence = _checkpoint(run, number).sequence
    with _in_words():
        store = Store(run.store_uri)
        pins = Pins(store)
        if sequence in pins.numbers():
            return
        pins.pin(sequence)
        if not _is_kept(store, sequence, _keep(run)):
            pins.unpin(sequence)
            text = f"checkpoint {number} of {run.id} is kept no longer"
            raise SpecError(text, fix="`finsched checkpoints` lists those that are")


def unpin(run: Run, number: int) -> None:
    """Keep a checkpoint no longer than others; raises SpecError, StoreProblem."""
    with _in_words():
        Pins(Store(run.store_uri)).unpin(_checkpoint(run, number).sequence)


def _is_kept(store: Store, sequence: int, keep: int) -> bool:
    entries = CommitLog(store).newest_first()
    newest = islice((e for e in entries if isinstance(e, Committed)), keep)
    found = next((commit for commit in newest if commit.number == sequence), None)
    if found is None:
        return False
    return {file.key for file in found.files} <= {part.key for part in store.list("parts")}


def _keep(run: Run) -> int:
    return (run.job.checkpoint or CheckpointSpec()).keep


def _checkpoint(run: Run, number: int) -> Checkpoint:
    if _is_gone(run):
        raise SpecError(f"the store of {run.id} is gone", fix="nothing of it can be kept")
    if not 1 <= number <= len(run.checkpoints):
        text = f"{run.id} has no checkpoint {number}, it has {len(run.checkpoints)}"
        raise SpecError(text, fix="`finsched checkpoints` lists them")
    return run.checkpoints[number - 1]


def _is_gone(run: Run) -> bool:
    return run.store_discarded_at is not None or folder_is_gone(run.store_uri)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise StoreProblem(str(error), fix="check the store's credentials") from error
