"""The command line: one file per command; each parses, makes one API call and renders."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from inspect import get_annotations
from typing import Annotated, Any

import typer

from finsched.cli.help import Command, Group
from finsched.errors import ExitCode, FinschedError, MachineProblem

COMMANDS = (
    "quote",
    "simulate",
    "launch",
    "status",
    "logs",
    "checkpoints",
    "stop",
    "resume",
    "queue",
    "report",
    "runs",
    "events",
    "metrics",
    "sweep",
    "check",
    "gpus",
    "history",
    "catalog",
    "validate",
    "schema",
    "backtest",
    "policy-serve",
)
"""In the order of the help page; each is a module here, with a function of that name."""

_GROUPS = {"catalog": ("refresh", "status")}

# Reading the market makes more objects than this; hardly any of them is garbage.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """Run the command line."""
    _collect_garbage_rarely()
    asked = sys.argv[1:2]
    app(asked if asked and asked[0] in COMMANDS else COMMANDS)()


def app(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Build the command line, or only that part of it that a call needs."""
    root = _typer(
        name="finsched",
        add_completion=True,
        pretty_exceptions_enable=False,
        help="Buys GPU time for training jobs: quote the finished run, launch it, account for it."
        "\n\nStart here: write a job.yaml, then `finsched quote job.yaml`; nothing is bought.",
    )
    root.callback()(_root)
    for name in commands:
        _add(root, name)
    return root


def _add(root: typer.Typer, name: str) -> None:
    module = import_module(f"finsched.cli.{name.replace('-', '_')}")
    if name not in _GROUPS:
        command = getattr(module, name.replace("-", "_"))
        root.command(cls=Command)(_with_exit_code(command))
        return
    group = _typer(name=name, help=module.HELP)
    for part in _GROUPS[name]:
        group.command(cls=Command)(_with_exit_code(getattr(module, part)))
    root.add_typer(group)


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(cls=Group, no_args_is_help=True, **settings)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"finsched {version('finsched')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


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
