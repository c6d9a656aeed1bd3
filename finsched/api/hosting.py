"""The Python API of the per-user process: hand runs over to it, and see what it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from finsched import quoting, settings
from finsched.api.durations import read_duration
from finsched.decide.spot.policies import DEFAULT
from finsched.errors import MachineProblem, SpecError
from finsched.host.client import Client
from finsched.model.job import JobSpec
from finsched.model.run import Run
from finsched.run.home import Supervised, open_ledger
from finsched.run.session import Session
from finsched.run.starting import RehearsalRequest, start

__all__ = ["Queue", "hand_over", "is_handed_over", "launch", "queue"]

_LET_GO_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What the per-user process holds; `pid` is None where there is none because it has no runs."""

    pid: int | None = None
    version: str | None = None
    runs: tuple[dict[str, Any], ...] = ()


def launch(
    job: str | Path | JobSpec,
    *,
    priority: int = 0,
    rehearse: RehearsalRequest | None = None,
    max_cost_usd: float | None = None,
    max_hourly_usd: float | None = None,
    store: str | None = None,
    policy: str = DEFAULT,
) -> Run:
    """Write a run down as `running.launch` does, hand it to the per-user process and return it.

    Raises the error that says why it may not start, and one that names the run where it was
    written down but could not be handed over.
    """
    chosen = settings.load()
    spec = job if isinstance(job, JobSpec) else quoting.read_job(Path(job), chosen)
    spec = quoting.overridden(spec, max_cost_usd=max_cost_usd, max_hourly_usd=max_hourly_usd)
    secrets = settings.secret_values(spec.secrets)
    ledger = open_ledger(chosen.state_dir)
    process = Client(chosen.state_dir)
    process.start()
    run_id = start(spec, chosen, ledger, request=rehearse, store=store, policy=policy)
    try:
        process.hold(run_id, secrets, priority=priority)
    except MachineProblem as problem:
        raise _not_handed_over(run_id, problem) from problem
    except SpecError:
        if ledger.run(run_id).outcome is None:  # or it has ended before we asked again
            raise
    return ledger.run(run_id)


def hand_over(
    run: str | None = None,
    *,
    max_cost_usd: float | None = None,
    deadline: str | None = None,
) -> Run:
    """Let the per-user process go on with a run, with the secrets of this environment.

    A run that it holds already gets the secrets alone; new limits are an error then.
    """
    chosen = settings.load()
    ledger = open_ledger(chosen.state_dir)
    found = ledger.run(ledger.resolve(run))
    secrets = settings.secret_values(found.job.secrets)
    process = Client(chosen.state_dir)
    is_held = _holds(process.start()["answer"]["runs"], found.id)
    if not is_held or ledger.run(found.id).outcome is not None:  # the process may not know yet
        session = Session(settings=chosen, ledger=ledger, secrets={})
        reopen = partial(
            session.reopen, found.id, max_cost_usd=max_cost_usd, deadline=_until(deadline)
        )
        _once_let_go(reopen, is_held=is_held)
    elif max_cost_usd is not None or deadline:
        message = f"run {found.id} goes on: its limits cannot be changed now"
        raise SpecError(message, fix=f"`finsched stop {found.id}`, then resume it with new ones")
    place = found.queue_place
    process.hold(found.id, secrets, priority=place.priority if place else 0)
    return ledger.run(found.id)


def is_handed_over(run: str | None = None) -> bool:
    """Return whether the per-user process is to carry a run: it was handed over and goes on."""
    ledger = open_ledger(settings.load().state_dir)
    return ledger.resolve(run) in ledger.queued()


def queue() -> Queue:
    """Return what the per-user process holds; it is started where runs wait for it in vain."""
    chosen = settings.load()
    process = Client(chosen.state_dir)
    told = process.listing()
    if told is None and open_ledger(chosen.state_dir).queued():
        told = process.start()
    if told is None:
        return Queue()
    runs = tuple(told["answer"]["runs"])
    return Queue(pid=told["pid"], version=told["finsched"], runs=runs)


def _once_let_go(reopen: Callable[[], None], *, is_held: bool) -> None:
    """The process lets go of a run a moment after its end is written down."""
    until = time.monotonic() + (_LET_GO_SECONDS if is_held else 0.0)
    while True:
        try:
            return reopen()
        except Supervised:
            if time.monotonic() >= until:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _not_handed_over(run_id: str, problem: MachineProblem) -> MachineProblem:
    """A person must know of the run, or launches another one and pays twice."""
    return MachineProblem(
        f"run {run_id} exists, and whether it was handed over is unknown: {problem.message}",
        fix=f"do not launch it again: `finsched resume {run_id} --detach` hands it over,"
        f" `finsched stop {run_id}` ends it" + (f"; {problem.fix}" if problem.fix else ""),
    )


def _until(deadline: str | None) -> timedelta | None:
    if not deadline:
        return None
    return read_duration("--deadline", deadline, least=timedelta(minutes=1), example="12h")


def _holds(runs: list[dict[str, Any]], run_id: str) -> bool:
    return any(each["run"] == run_id for each in runs)
