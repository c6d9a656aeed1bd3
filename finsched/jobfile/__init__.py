"""job.yaml <-> JobSpec: the only place that knows YAML, and the edge where it is checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finsched.jobfile.convert import to_spec
from finsched.jobfile.places import Places
from finsched.jobfile.problems import JobFileError, Problem, Wrong
from finsched.jobfile.schema import json_schema
from finsched.jobfile.source import read_text, resolved_workdir
from finsched.jobfile.validate import problem_at, validate
from finsched.jobfile.values import name_from
from finsched.jobfile.yaml_tree import read_tree
from finsched.model.job import JobSpec

NOWHERE: Places = MappingProxyType({})

__all__ = [
    "JobFileError",
    "Problem",
    "from_document",
    "json_schema",
    "parse",
    "read",
    "to_document",
]


def read(
    path: Path,
    *,
    known_gpus: Mapping[str, str],
    known_clouds: Collection[str] = (),
    known_places: Places = NOWHERE,
    now: datetime | None = None,
) -> JobSpec:
    """Return the job that a file describes; its workdir is made absolute.

    Raises SpecError with the line of every problem; `now` is the present unless given.
    """
    source = str(path)
    tree = read_tree(read_text(path), source)
    now = now or datetime.now(UTC)
    checked = validate(tree, source, known_gpus, known_clouds, known_places, now)
    job = to_spec(checked, name_from(path.stem))
    if job.workdir is None:
        return job
    try:
        return replace(job, workdir=resolved_workdir(job.workdir, path))
    except Wrong as wrong:
        raise JobFileError(source, [problem_at(tree, ("workdir",), wrong)]) from None


def parse(
    text: str,
    *,
    source: str,
    known_gpus: Mapping[str, str],
    known_clouds: Collection[str] = (),
    known_places: Places = NOWHERE,
    now: datetime | None = None,
) -> JobSpec:
    """Return the job that YAML text describes; `source` names it in messages.

    `known_gpus` maps normalised names and aliases to canonical names; an empty `known_clouds`
    lets any provider's name pass, and empty `known_places` any region's; `now` is the present
    unless given. Raises SpecError with the line of every problem.
    """
    tree = read_tree(text, source)
    now = now or datetime.now(UTC)
    checked = validate(tree, source, known_gpus, known_clouds, known_places, now)
    return to_spec(checked, default_name="job")


def to_document(job: JobSpec) -> dict[str, Any]:
    """Return the job as JSON data, to be stored with its run."""
    from finsched.model.codec import encode  # noqa: PLC0415 - not to read a file

    document: dict[str, Any] = encode(job)
    return document


def from_document(document: Mapping[str, Any]) -> JobSpec:
    """Rebuild a job from `to_document`; raises DocumentError where it does not fit."""
    from finsched.model.codec import decode  # noqa: PLC0415 - not to read a file

    return decode(JobSpec, dict(document))
