"""`finsched schema`: the JSON Schema of job.yaml, for editors."""

from __future__ import annotations

from finsched.errors import ExitCode


def schema() -> int:
    """Print the JSON Schema of job.yaml; editors use it to complete and check."""
    import json

    import typer

    from finsched.jobfile import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
    return ExitCode.DONE
