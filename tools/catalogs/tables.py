"""Reading raw CSV files and writing sorted, diffable ones."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

RawRow = dict[str, str]
DIGEST_FILE = "DIGEST"


def read_rows(path: Path) -> list[RawRow]:
    """Read a CSV file with one header row."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows sorted by their text, so that a rebuild of the same facts changes nothing.

    Returns the number of rows.
    """
    lines = sorted([_text(value) for value in row] for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)
    return len(lines)


def number(text: str) -> float | None:
    """Read a number; an empty field is unknown, not zero."""
    return float(text) if text else None


def digest(folder: Path) -> str:
    """SHA-256 over the name and content of every CSV file below `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.csv")):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(b"\0")
        total.update(path.read_bytes())
    return total.hexdigest()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return format(round(value, 6), ".10g")
    return str(value)
