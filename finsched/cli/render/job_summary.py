"""A job as it was understood, in lines for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from finsched.cli.output import exact_duration, money
from finsched.cli.render.words import gibibytes
from finsched.decide.timing.scavenging import NO_PROMISE
from finsched.decide.timing.start_window import window_said
from finsched.model.job import Budget, CheckpointSpec, Dataset, GpuRequest, JobSpec, Requirements

_LABEL_WIDTH = 12


def summary_lines(job: JobSpec, width: int) -> list[str]:
    """Return one wrapped paragraph per thing that the job says."""
    indent = " " * (_LABEL_WIDTH + 2)
    lines = []
    for label, text in _facts(job):
        first = f"  {label:<{_LABEL_WIDTH}}"
        lines += textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent)
    return lines


def _facts(job: JobSpec) -> Iterator[tuple[str, str]]:
    facts = {
        "name": job.name,
        "gpu": _gpus(job.requirements),
        "host": _host(job.requirements),
        "clouds": ", ".join(job.where.clouds),
        "regions": ", ".join(job.where.regions),
        "residency": ", ".join(job.where.residency),
        "capacity": job.capacity.replace("_", "-"),
        "work": _work(job),
        "deadline": _deadline(job),
        "start": window_said(job.start) if job.start else "",
        "scavenge": _scavenge(job),
        "inputs": "; ".join(_dataset(item) for item in job.inputs),
        "outputs": "; ".join(_dataset(item) for item in job.outputs),
        "checkpoint": _checkpoint(job.checkpoint),
        "budget": _budget(job.budget),
        "tags": ", ".join(f"{key}={value}" for key, value in job.tags.items()),
        "env": ", ".join(job.env),
        "secrets": ", ".join(job.secrets),
        "workdir": job.workdir or "",
        "setup": job.setup,
        "run": job.run,
    }
    return ((label, text) for label, text in facts.items() if text)


def _gpus(requirements: Requirements) -> str:
    nodes = "" if requirements.nodes == 1 else f", on each of {requirements.nodes} nodes"
    return (" or ".join(_gpu(gpu) for gpu in requirements.gpus) or "none") + nodes


def _gpu(gpu: GpuRequest) -> str:
    return f"{gpu.count} x {gpu.name or f'any GPU of {gibibytes(gpu.memory_gib or 0)} or more'}"


def _host(requirements: Requirements) -> str:
    parts = []
    if requirements.memory_gib is not None:
        parts.append(f"{requirements.memory_gib:,.4g} GiB memory")
    if requirements.vcpus is not None:
        parts.append(f"{requirements.vcpus:g} vCPUs")
    if requirements.disk_gb is not None:
        parts.append(f"{_size(requirements.disk_gb)} disk")
    return ", ".join(parts)


def _size(size_gb: float) -> str:
    """Say a size in GiB where that is round, because it was surely written so."""
    size_gib = size_gb * 1e9 / 2**30
    is_round = size_gb != round(size_gb) and abs(size_gib - round(size_gib)) < 1e-6
    return f"{size_gib:,.0f} GiB" if is_round else f"{size_gb:,.10g} GB"


def _work(job: JobSpec) -> str:
    if job.work is None:
        return "not said: amounts are per hour"
    faster = [f"{name} is {factor:g} x as fast" for name, factor in job.work.speedup.items()]
    return "; ".join([f"{job.work.hours:g} h on {job.work.reference or 'the CPU'}", *faster])


def _deadline(job: JobSpec) -> str:
    if job.deadline is None:
        return ""
    if isinstance(job.deadline, datetime):
        return f"{job.deadline:%Y-%m-%d %H:%M:%S} UTC"
    return f"{exact_duration(job.deadline)} after launch"


def _scavenge(job: JobSpec) -> str:
    below = job.scavenge_below_usd_per_hour
    if below is None:
        return ""
    limit = f"only while all nodes together cost less than {money(below)} an hour"
    return f"{limit}; {NO_PROMISE}" if job.deadline is not None else limit


def _dataset(item: Dataset) -> str:
    reads = "" if item.reads == 1 else f", read {item.reads} times"
    where = f" in {item.location}" if item.location and item.location.region else ""
    return f"{item.uri}{where} ({_gigabytes(item.size_gb)}{reads})"


def _gigabytes(size_gb: float) -> str:
    return f"{size_gb:,.0f} GB" if size_gb >= 1000 else f"{size_gb:.4g} GB"


def _checkpoint(checkpoint: CheckpointSpec | None) -> str:
    if checkpoint is None:
        return "none: an interruption starts the job again from the beginning"
    every = "as often as finsched finds best"
    if checkpoint.every is not None:
        every = f"every {exact_duration(checkpoint.every)}"
    size = f"{_gigabytes(checkpoint.size_gb)} " if checkpoint.size_gb else ""
    kept = f" kept at {checkpoint.uri}" if checkpoint.uri else ""
    save = exact_duration(checkpoint.save_time)
    return f"{size}in {checkpoint.path}{kept}; {every}; {save} a save; {checkpoint.signal}"


def _budget(budget: Budget) -> str:
    parts = []
    if budget.max_cost_usd is not None:
        parts.append(f"{money(budget.max_cost_usd)} for the run")
    if budget.max_hourly_usd is not None:
        parts.append(f"{money(budget.max_hourly_usd)} an hour")
    if budget.max_interruptions is not None:
        parts.append(f"{budget.max_interruptions} interruptions")
    return ", ".join(parts)
