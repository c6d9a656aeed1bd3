"""From an admitted decision to a run in the ledger, with its workdir in its store."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from finsched.decide.spot.policies import DEFAULT
from finsched.errors import SpecError, StoreProblem
from finsched.ledger import Ledger
from finsched.model.event import ClockAnchored, Submitted
from finsched.model.job import JobSpec
from finsched.model.run import Placement, Rehearsal
from finsched.node.store import Store, StoreError
from finsched.run.clock import AnchoredClock
from finsched.run.packing import Package, pack

SCHEMES = ("file", "s3", "gs", "az")
MARK = "submitted"
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """All that makes a job a run."""

    job: JobSpec
    store_base: str
    best_on_demand: Placement | None
    rehearsal: Rehearsal | None = None
    policy: str = DEFAULT


Sending = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Takes the size of a packed workdir in bytes; while it is entered, hears of the bytes that go."""


def unwatched(_size_bytes: int) -> AbstractContextManager[Callable[[int], None]]:
    """Let nobody watch."""
    return nullcontext(lambda _: None)


def submit(
    ledger: Ledger,
    submission: Submission,
    clock: AnchoredClock,
    sending: Sending = unwatched,
    *,
    reserve: Callable[[str], None] = lambda _: None,
) -> str:
    """Pack the workdir, try the store, write the run down and return its id.

    `sending` watches the workdir's upload, `reserve` sets aside what the run may cost. Raises
    `SpecError` for a workdir that cannot be packed or a store of an unknown kind, and
    `StoreProblem` for a store that cannot be written; the ledger then knows nothing of the run.
    """
    _refuse_unknown(submission.store_base)
    run_id = f"{submission.job.name}-{secrets.token_hex(3)}"
    store_uri = f"{submission.store_base.rstrip('/')}/{run_id}"
    package = pack(Path(submission.job.workdir)) if submission.job.workdir else None
    _fill(store_uri, run_id, package, sending)
    submitted = Submitted(
        job=submission.job,
        store_uri=store_uri,
        workdir_key=package.key if package else None,
        rehearsal=submission.rehearsal,
        best_on_demand=submission.best_on_demand,
        policy=submission.policy,
    )
    with ledger.transaction():
        reserve(run_id)
        ledger.append(run_id, submitted, clock.now())
    if submission.rehearsal:
        ledger.append(run_id, ClockAnchored(anchor=clock.anchor), clock.now())
    return run_id


def _refuse_unknown(store: str) -> None:
    """A bucket's URI names a bucket, a folder's URI no host."""
    scheme, _, rest = store.partition("://")
    if scheme in SCHEMES and rest.startswith("/") == (scheme == "file") and rest.strip("/"):
        return
    raise SpecError(
        f"store: {store} is no place for a run's checkpoints",
        fix="write s3://bucket/folder, gs://bucket/folder, az://container/folder,"
        " file:///folder or the path of a folder",
    )


def _fill(store_uri: str, run_id: str, package: Package | None, sending: Sending) -> None:
    """Write a mark first: a store that takes it will take checkpoints."""
    try:
        store = Store(store_uri)
        store.create(MARK, run_id.encode())
        if package:
            with sending(len(package.content)) as passed:
                store.upload(package.key, _blocks(package.content, passed))
    except StoreError as error:
        raise StoreProblem(
            f"the run's store cannot be used: {error}",
            fix="make the store writable, or choose another with --store",
        ) from error


def _blocks(content: bytes, passed: Callable[[int], None]) -> Iterator[bytes]:
    for start in range(0, len(content), _BLOCK_BYTES):
        block = content[start : start + _BLOCK_BYTES]
        passed(len(block))
        yield block
