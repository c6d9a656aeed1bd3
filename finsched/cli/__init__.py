"""The command line: one file per command; each parses, makes one API call and renders."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable
from functools import wraps
from inspect import get_annotations
from typing import Annotated, Any

import typer

from finsched.cli import (
    backtest,
    catalog,
    check,
    gpus,
    history,
    launch,
    logs,
    policy_serve,
    quote,
    report,
    resume,
    runs,
    schema,
    simulate,
    status,
    stop,
    sweep,
    validate,
)
from finsched.cli.help import Command, Group
from finsched.errors import ExitCode, FinschedError, MachineProblem

app = typer.Typer(
    name="finsched",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    cls=Group,
    help="Buys GPU time for training jobs: quote the finished run, launch it, account for it.\n\n"
    "Start here: write a job.yaml, then `finsched quote job.yaml`; nothing is bought.",
)

# Reading the market makes more objects than this; hardly any of them is garbage.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000

_COMMANDS: tuple[Callable[..., int | None], ...] = (
    quote.quote,
    simulate.simulate,
    launch.launch,
    status.status,
    logs.logs,
    stop.stop,
    resume.resume,
    report.report,
    runs.runs,
    sweep.sweep,
    check.check,
    gpus.gpus,
    history.history,
    validate.validate,
    schema.schema,
    backtest.backtest,
    policy_serve.policy_serve,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"finsched {version('finsched')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line."""
    _collect_garbage_rarely()
    app()


def _collect_garbage_rarely() -> None:
    """Save a short command the searches for garbage: a fifth of its time, half of it at its end."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)


def _with_exit_code(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn what a command returns or raises into its exit code: no traceback for people."""
    command.__annotations__ = get_annotations(command, eval_str=True)  # typer would, four times

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            code = command(*arguments, **options)
        except FinschedError as error:
            _show(error)
            code = error.exit_code
        except BrokenPipeError:
            raise  # the reader has left: typer ends quietly
        except OSError as error:
            _show(MachineProblem(f"this machine said no: {error}"))
            code = ExitCode.OUR_FAULT
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        raise typer.Exit(int(code or ExitCode.DONE))

    return run


def _show(error: FinschedError) -> None:
    typer.echo(f"finsched: {error.message}", err=True)
    if error.fix:
        typer.echo(f"  fix: {error.fix}", err=True)


for _command in _COMMANDS:
    app.command(cls=Command)(_with_exit_code(_command))

_catalog = typer.Typer(
    cls=Group, no_args_is_help=True, help="Fresh prices, and how fresh the known ones are."
)
for _command in (catalog.refresh, catalog.status):
    _catalog.command(cls=Command)(_with_exit_code(_command))
app.add_typer(_catalog, name="catalog")
