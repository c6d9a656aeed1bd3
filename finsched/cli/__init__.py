"""The command line: one file per command; each parses, makes one API call and renders."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
import typer

from finsched.cli import (
    gpus,
    launch,
    logs,
    quote,
    report,
    resume,
    runs,
    schema,
    status,
    stop,
    validate,
)
from finsched.errors import ExitCode, FinschedError

app = typer.Typer(
    name="finsched",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Buys GPU time for training jobs: quote the finished run, launch it, account for it.",
)

app.command()(quote.quote)
app.command()(launch.launch)
app.command()(status.status)
app.command()(logs.logs)
app.command()(stop.stop)
app.command()(resume.resume)
app.command()(report.report)
app.command()(runs.runs)
app.command()(gpus.gpus)
app.command()(validate.validate)
app.command()(schema.schema)


def main() -> NoReturn:
    """Run the command line; every error that a person can act on is shown without a traceback."""
    try:
        code = app(standalone_mode=False)
    except FinschedError as error:
        _show(error)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.BAD_SPEC
    except (KeyboardInterrupt, click.Abort):
        code = ExitCode.INTERRUPTED
    sys.exit(int(code or 0))


def _show(error: FinschedError) -> None:
    typer.echo(f"finsched: {error.message}", err=True)
    if error.fix:
        typer.echo(f"  fix: {error.fix}", err=True)
