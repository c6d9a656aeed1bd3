"""What makes the work of two jobs, or their way to start, the same."""

from __future__ import annotations

import json
from hashlib import sha256

from finsched.model.job import JobSpec

_DIGITS = 16


def fingerprint(job: JobSpec) -> str:
    """A name for the work itself: jobs that share it take as long on the same machine.

    Where and how cheaply a job may run leaves the work as it is; so does the code in its workdir,
    as far as anybody can tell.
    """
    work = job.work
    return _digest(
        job.name,
        job.run,
        job.setup,
        sorted(job.env.items()),
        job.requirements.nodes,
        work and (float(work.hours), work.reference),
        [(dataset.uri, float(dataset.size_gb), dataset.reads) for dataset in job.inputs],
    )


def setup_name(job: JobSpec) -> str:
    """A name for what a job does before its first second; empty where it does nothing."""
    return _digest(job.setup) if job.setup.strip() else ""


def _digest(*parts: object) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]
