"""`finsched schema [NAME]`: the JSON Schemas of what finsched reads and prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from finsched.errors import ExitCode


class SchemaName(StrEnum):
    """What a schema is published for."""

    JOB = "job"
    QUOTE = "quote"


def schema(
    name: Annotated[SchemaName, typer.Argument(help="`job`.yaml, or `quote` --json.")] = (
        SchemaName.JOB
    ),
) -> int:
    """Print the JSON Schema of job.yaml, for editors, or of what a command prints."""
    if name is SchemaName.QUOTE:
        from importlib.resources import files

        typer.echo(files("finsched").joinpath("schemas/quote.json").read_text("utf-8"), nl=False)
        return ExitCode.DONE
    import json

    from finsched.jobfile import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE
