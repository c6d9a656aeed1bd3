"""The Python API of runs: launch, resume, stop, status, report and what they are made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from finsched import quoting, settings
from finsched.accounting.account import Account, account
from finsched.accounting.verdict import Verdict
from finsched.accounting.verdict import verdict as judge
from finsched.api.durations import read_duration
from finsched.api.looking import events, follow, runs, status, supervised
from finsched.decide.spot.policies import DEFAULT
from finsched.errors import SpecError
from finsched.model.job import JobSpec
from finsched.model.run import Run
from finsched.run.home import open_ledger
from finsched.run.journal import Listener
from finsched.run.output import OutputReader
from finsched.run.session import Session
from finsched.run.starting import RehearsalRequest, start
from finsched.run.submission import unwatched

__all__ = [
    "RehearsalRequest",
    "events",
    "follow",
    "launch",
    "output",
    "report",
    "resume",
    "runs",
    "status",
    "stop",
    "supervised",
    "verdict",
]

_LOOK_AGAIN_SECONDS = 0.5


def launch(
    job: str | Path | JobSpec,
    *,
    rehearse: RehearsalRequest | None = None,
    max_cost_usd: float | None = None,
    max_hourly_usd: float | None = None,
    store: str | None = None,
    policy: str = DEFAULT,
    listener: Listener | None = None,
) -> Run:
    """Place a job on its cheapest feasible placement, or rehearse it, and carry it to its end.

    Raises the error that says why it may not start; the outcome of a run that did start is in
    the run that is returned.
    """
    chosen = settings.load()
    spec = job if isinstance(job, JobSpec) else quoting.read_job(Path(job), chosen)
    spec = quoting.overridden(spec, max_cost_usd=max_cost_usd, max_hourly_usd=max_hourly_usd)
    session = _session(chosen, spec, listener)
    run_id = start(
        spec,
        chosen,
        session.ledger,
        request=rehearse,
        store=store,
        policy=policy,
        sending=listener.sending if listener else unwatched,
    )
    return session.supervise(run_id)


def resume(
    run: str | None = None,
    *,
    max_cost_usd: float | None = None,
    deadline: str | None = None,
    listener: Listener | None = None,
) -> Run:
    """Go on with a run from its last commit; a machine that still lives is adopted.

    `deadline` is a duration from now, such as "12h". Raises `Supervised` when another process
    carries the run already.
    """
    chosen = settings.load()
    ledger = open_ledger(chosen.state_dir)
    run_id = ledger.resolve(run)
    session = _session(chosen, ledger.run(run_id).job, listener)
    least = timedelta(minutes=1)
    until = read_duration("--deadline", deadline, least=least, example="12h") if deadline else None
    return session.resume(run_id, max_cost_usd=max_cost_usd, deadline=until)


def stop(run: str | None = None, *, listener: Listener | None = None) -> Run:
    """Ask a run to save and end, and return it once it has; an ended run is left as it is."""
    chosen = settings.load()
    ledger = open_ledger(chosen.state_dir)
    run_id = ledger.resolve(run)
    return Session(settings=chosen, ledger=ledger, secrets={}, listener=listener).stop(run_id)


def report(run: str | None = None) -> Account:
    """Return the account of a run: every attempt, every dollar."""
    return account(*status(run))


def verdict(run: str | None = None) -> Verdict:
    """Return what a rehearsal proved."""
    state, _ = status(run)
    return judge(state, events(state.id))


def output(
    run: str | None = None, *, attempt: int | None = None, node: int = 0, follow: bool = False
) -> Iterator[bytes]:
    """Yield what the job printed on a node, attempt by attempt; with `follow`, until its end.

    Raises `SpecError` for an attempt or a node that the run does not have, and for a run whose
    store was deleted.
    """
    ledger = open_ledger(settings.load().state_dir)
    run_id = ledger.resolve(run)
    reader = _reader(ledger.run(run_id), node)
    while True:
        state = ledger.run(run_id)
        last_look = not follow or state.outcome is not None
        if last_look:
            _require_attempt(state, attempt)
        for each in state.attempts:
            if attempt in {None, each.number}:
                yield from reader.news(each.number)
        if last_look:
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _reader(run: Run, node: int) -> OutputReader:
    _require_node(run, node)
    if run.store_discarded_at:
        at = run.store_discarded_at.strftime("%F %R UTC")
        raise SpecError(
            f"what run {run.id} printed was deleted with its store at {at}",
            fix=f"`finsched report {run.id}` has what it did and cost",
        )
    return OutputReader(run.store_uri, node)


def _require_node(run: Run, node: int) -> None:
    nodes = run.job.requirements.nodes
    if node >= nodes:
        there = f"it has the nodes 0 to {nodes - 1}" if nodes > 1 else "it runs on one node"
        raise SpecError(f"run {run.id} has no node {node}: {there}", fix="leave out --node")


def _require_attempt(run: Run, attempt: int | None) -> None:
    numbers = [each.number for each in run.attempts]
    if attempt is not None and attempt not in numbers:
        there = f"it has {', '.join(map(str, numbers))}" if numbers else "it has none yet"
        raise SpecError(
            f"run {run.id} has no attempt {attempt}: {there}",
            fix="leave out --attempt to see all of them",
        )


def _session(chosen: settings.Settings, job: JobSpec, listener: Listener | None) -> Session:
    return Session(
        settings=chosen,
        ledger=open_ledger(chosen.state_dir),
        secrets=settings.secret_values(job.secrets),
        listener=listener,
    )
