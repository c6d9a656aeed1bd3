"""A run's checkpoints, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finsched.api.checkpoints import Kept
from finsched.cli.output import data_size
from finsched.model.run import Run


def print_checkpoints(run: Run, found: Sequence[Kept], out: Console) -> None:
    """Print one line a checkpoint, the oldest first."""
    if not found:
        out.print(Text(f"{run.id} has no checkpoint yet"))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("checkpoint", "at", "done", "size", "sent", "took", "state"):
        right = title not in {"at", "state"}
        table.add_column(title, justify="right" if right else "left")
    for kept in found:
        table.add_row(*_cells(kept))
    out.print(table)


def checkpoint_document(kept: Kept) -> dict[str, Any]:
    """Return one checkpoint as JSON."""
    checkpoint = kept.checkpoint
    return {
        "number": kept.number,
        "checkpoint": checkpoint.sequence,
        "attempt": checkpoint.attempt,
        "at": checkpoint.at.isoformat(),
        "progress": checkpoint.progress,
        "size_bytes": checkpoint.size_bytes,
        "sent_bytes": checkpoint.sent_bytes,
        "upload_seconds": checkpoint.upload_seconds,
        "kept": kept.kept,
        "pinned": kept.pinned,
    }


def _cells(kept: Kept) -> tuple[str, ...]:
    checkpoint = kept.checkpoint
    done = "" if checkpoint.progress is None else f"{checkpoint.progress:.0%}"
    sent = "" if checkpoint.sent_bytes is None else data_size(checkpoint.sent_bytes)
    state = "pinned" if kept.pinned else "kept" if kept.kept else "deleted"
    return (
        str(kept.number),
        f"{checkpoint.at:%F %R}",
        done,
        data_size(checkpoint.size_bytes),
        sent,
        f"{checkpoint.upload_seconds:.1f} s",
        state,
    )
