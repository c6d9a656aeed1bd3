"""What the per-user process holds, for people and for machines."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finsched.api.hosting import Queue
from finsched.cli.output import console, print_json
from finsched.cli.render.status import run_document
from finsched.model.run import Run
from finsched.run.present import present_moment


def print_handed_over(run: Run, *, as_json: bool) -> None:
    """Say that a run goes on without this terminal, and how to follow it."""
    if as_json:
        print_json(run_document(run, present_moment(run)))
        return
    out = console()
    out.print(Text(f"{run.id} is handed over: it goes on without this terminal"))
    out.print(Text(f"finsched status {run.id} --watch follows it, finsched stop {run.id} ends it"))


def print_queue(held: Queue, out: Console) -> None:
    """Print one line a run."""
    if not held.runs:
        out.print(Text("no run is held; `finsched launch JOB --detach` hands one over"))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "state", "priority", "provider", "waits for"):
        table.add_column(title, justify="right" if title == "priority" else "left")
    for each in held.runs:
        table.add_row(*_cells(each))
    out.print(table)
    out.print(Text(f"held by process {held.pid}, finsched {held.version}", style="dim"))
    if held.version != (ours := version("finsched")):
        told = f"this command is finsched {ours}: `kill {held.pid}`, and the next command starts"
        out.print(Text(f"{told} that one, which goes on with the runs"))


def queue_document(held: Queue) -> dict[str, Any]:
    """Return the queue as JSON."""
    return {"pid": held.pid, "version": held.version, "runs": list(held.runs)}


def _cells(each: dict[str, Any]) -> tuple[str, ...]:
    provider, held_by = each["provider"] or "", each["held_by"] or ""
    return each["run"], each["state"], str(each["priority"]), provider, held_by
