"""`finsched schema [NAME]`: the JSON Schemas of what finsched reads and prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from finsched.errors import ExitCode


class SchemaName(StrEnum):
    """What a schema is published for; all but `job` are what a command prints with --json."""

    JOB = "job"
    QUOTE = "quote"
    LAUNCH = "launch"  # also resume and stop
    STATUS = "status"
    REPORT = "report"
    RUNS = "runs"
    CHECKPOINTS = "checkpoints"
    EVENTS = "events"  # of one line
    GPUS = "gpus"
    HISTORY = "history"
    VALIDATE = "validate"
    SIMULATE = "simulate"
    BACKTEST = "backtest"
    CATALOG_REFRESH = "catalog-refresh"
    CATALOG_STATUS = "catalog-status"
    SWEEP = "sweep"
    CHECK = "check"
    QUEUE = "queue"


def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(metavar="NAME", help="`job`.yaml, or the command that prints --json."),
    ] = SchemaName.JOB,
) -> int:
    """Print the JSON Schema of job.yaml, for editors, or of what a command prints."""
    typer.echo(_job_schema() if name is SchemaName.JOB else _published(name), nl=False)
    return ExitCode.DONE


def _job_schema() -> str:
    import json

    from finsched.jobfile import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


def _published(name: SchemaName) -> str:
    from importlib.resources import files

    return files("finsched").joinpath(f"schemas/{name}.json").read_text("utf-8")
