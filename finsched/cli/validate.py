"""`finsched validate`: what a job file says, or everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsched.cli import output
from finsched.errors import ExitCode, SpecError

if TYPE_CHECKING:
    from finsched.model.job import JobSpec


def validate(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.YAML", help="The job file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Check a job file and say how it was understood; nothing is started."""
    try:
        job = _read(job_file)
    except SpecError as error:
        if not as_json:
            raise
        output.print_json({"valid": False, "errors": _errors(error)})
        return error.exit_code
    if as_json:
        from finsched.jobfile import to_document

        output.print_json({"valid": True, "job": to_document(job)})
    else:
        _print_summary(job_file, job)
    return ExitCode.DONE


def _read(job_file: Path) -> JobSpec:
    from finsched import catalog, jobfile, plugins

    known_clouds = {*catalog.providers(), *plugins.names()}
    return jobfile.read(
        job_file,
        known_gpus=catalog.known_gpus(),
        known_clouds=known_clouds,
        known_places=catalog.places(),
    )


def _errors(error: SpecError) -> list[dict[str, Any]]:
    from finsched.jobfile import JobFileError

    if not isinstance(error, JobFileError):
        return [{"line": 0, "column": 0, "field": "", "message": error.message, "fix": error.fix}]
    return [
        {"line": p.line, "column": p.column, "field": p.field, "message": p.sentence, "fix": p.fix}
        for p in error.problems
    ]


def _print_summary(job_file: Path, job: JobSpec) -> None:
    from finsched.cli.render.job_summary import summary_lines

    typer.echo(f"{job_file} is valid.")
    for line in summary_lines(job, width=output.PIPE_WIDTH):
        typer.echo(line)
