"""From an admitted decision to a run in the ledger, with its workdir in its store."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from finsched.errors import StoreProblem
from finsched.ledger import Ledger
from finsched.model.event import ClockAnchored, Submitted
from finsched.model.job import JobSpec
from finsched.model.run import Placement, Rehearsal
from finsched.node.store import Store, StoreError
from finsched.run.clock import AnchoredClock
from finsched.run.packing import pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """All that makes a job a run."""

    job: JobSpec
    store_base: str
    best_on_demand: Placement | None
    rehearsal: Rehearsal | None = None


def submit(ledger: Ledger, submission: Submission, clock: AnchoredClock) -> str:
    """Pack the workdir, write the run down and return its id.

    Raises `SpecError` for a workdir that cannot be packed and `StoreProblem` for a store that
    cannot be written; the ledger then knows nothing of the run.
    """
    run_id = f"{submission.job.name}-{secrets.token_hex(3)}"
    store_uri = f"{submission.store_base.rstrip('/')}/{run_id}"
    submitted = Submitted(
        job=submission.job,
        store_uri=store_uri,
        workdir_key=_upload_workdir(submission.job, store_uri),
        rehearsal=submission.rehearsal,
        best_on_demand=submission.best_on_demand,
    )
    ledger.append(run_id, submitted, clock.now())
    if submission.rehearsal:
        ledger.append(run_id, ClockAnchored(anchor=clock.anchor), clock.now())
    return run_id


def _upload_workdir(job: JobSpec, store_uri: str) -> str | None:
    if job.workdir is None:
        return None
    package = pack(Path(job.workdir))
    try:
        Store(store_uri).create(package.key, package.content)
    except StoreError as error:
        raise StoreProblem(
            f"the workdir cannot be uploaded: {error}",
            fix="make the store writable, or choose another with --store",
        ) from error
    return package.key
