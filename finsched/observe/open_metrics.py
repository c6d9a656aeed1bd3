"""Runs as text in the OpenMetrics format, which Prometheus and others read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from finsched.decide.live.at_risk import at_risk
from finsched.decide.live.spend import spent_usd
from finsched.model.run import AttemptState, Run

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
STATES = ("between_attempts", "starting", "running", "ended")

Present = tuple[Run, datetime]
"""A run and its own now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gauge:
    """One figure of a run; None where it has none."""

    name: str
    unit: str
    meaning: str
    of: Callable[[Run, datetime], float | None]


def _spent(run: Run, now: datetime) -> float:
    return float(spent_usd(run, now))


def _budget(run: Run, now: datetime) -> float | None:
    limit_usd = run.job.budget.max_cost_usd
    return _spent(run, now) / limit_usd if limit_usd else None


def _progress(run: Run, _now: datetime) -> float | None:
    attempt, last = run.live_attempt, run.last_checkpoint
    if attempt and attempt.progress is not None:
        return attempt.progress
    return last.progress if last else None


def _since_commit(run: Run, now: datetime) -> float | None:
    working = run.live_attempt and run.live_attempt.started_at
    return at_risk(run, now)[1].total_seconds() if working else None


def _price(run: Run, _now: datetime) -> float:
    return sum(attempt.placement.usd_per_hour for attempt in run.live_attempts)


_GAUGES = (
    _Gauge(name="spent_usd", unit="usd", meaning="what the run has cost so far", of=_spent),
    _Gauge(name="budget_ratio", unit="ratio", meaning="share of max_cost spent", of=_budget),
    _Gauge(name="progress_ratio", unit="ratio", meaning="share of the job done", of=_progress),
    _Gauge(
        name="since_commit_seconds",
        unit="seconds",
        meaning="age of what a loss right now would cost",
        of=_since_commit,
    ),
    _Gauge(
        name="price_usd_per_hour",
        unit="usd_per_hour",
        meaning="what an hour of all its machines costs now",
        of=_price,
    ),
)


def exposition(present: Sequence[Present]) -> str:
    """Return the metrics of these runs, each at its own moment."""
    lines = [
        *_family("finsched_runs", "gauge", "runs that are held", unit=""),
        f"finsched_runs {sum(run.outcome is None for run, _ in present)}",
        *_descriptions(present),
        *_states(present),
        *(line for gauge in _GAUGES for line in _gauge(gauge, present)),
        *_interruptions(present),
        "# EOF",
    ]
    return "\n".join(lines) + "\n"


def _descriptions(present: Sequence[Present]) -> Iterator[str]:
    yield from _family("finsched_run", "info", "what the run is, and how it ended", unit="")
    for run, _ in present:
        labels = {"run": run.id, "job": run.job.name, "policy": run.policy}
        yield f"finsched_run_info{_labels({**labels, 'outcome': str(run.outcome or '')})} 1"


def _states(present: Sequence[Present]) -> Iterator[str]:
    name = "finsched_run_state"
    yield from _family(name, "stateset", "where the run stands", unit="")
    for run, _ in present:
        now_in = _state(run)
        for state in STATES:
            yield f"{name}{_labels({'run': run.id, name: state})} {int(state == now_in)}"


def _gauge(gauge: _Gauge, present: Sequence[Present]) -> Iterator[str]:
    name = f"finsched_run_{gauge.name}"
    yield from _family(name, "gauge", gauge.meaning, unit=gauge.unit)
    for run, now in present:
        value = gauge.of(run, now)
        if value is not None and math.isfinite(value):
            yield f"{name}{_labels({'run': run.id})} {value!r}"


def _interruptions(present: Sequence[Present]) -> Iterator[str]:
    name = "finsched_run_interruptions"
    yield from _family(name, "counter", "machines that a provider took back", unit="")
    for run, _ in present:
        yield f"{name}_total{_labels({'run': run.id})} {run.interruptions}"


def _state(run: Run) -> str:
    if run.outcome is not None:
        return "ended"
    if run.live_attempt is None:
        return "between_attempts"
    return "running" if run.live_attempt.state is AttemptState.RUNNING else "starting"


def _family(name: str, kind: str, meaning: str, *, unit: str) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {meaning}"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
