"""GPU models and the many ways people spell them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from finsched.catalog.cache import read
from finsched.catalog.evidence import load_evidence
from finsched.model.market import Accelerator

VENDOR_PREFIXES = ("nvidia", "tesla", "geforce", "amd", "google", "aws")
IGNORED_IN_NAMES = str.maketrans("", "", " -_.()")


def accelerators(cache_dir: Path | None = None) -> Mapping[str, Accelerator]:
    """Return every known GPU by its canonical name."""
    return read(load_accelerators, cache_dir)


def load_accelerators(connection: sqlite3.Connection) -> dict[str, Accelerator]:
    """Read the GPUs of a compiled catalog."""
    evidence = load_evidence(connection, "gpu")
    return {
        row[0]: Accelerator(
            name=row[0],
            vendor=row[1],
            memory_gib=row[2],
            tdp_watts=row[3],
            dense_fp16_tflops=row[4],
            memory_bandwidth_gb_per_s=row[5],
            interconnect=row[6],
            aliases=tuple(row[7].split()),
            evidence=evidence[row[8]],
        )
        for row in connection.execute("SELECT * FROM gpu ORDER BY rowid")
    }


def resolve_gpu(name: str, known: Mapping[str, Accelerator] | None = None) -> str | None:
    """Return the canonical name of a GPU, or None for a name nobody knows.

    Case, blanks, dashes and a vendor's name in front do not matter; the memory does: "A100" is the
    40 GiB card and never the 80 GiB one.
    """
    return _spellings(known or accelerators()).get(_folded(name))


def nearest_gpus(name: str, known: Mapping[str, Accelerator], count: int = 3) -> list[str]:
    """Return the canonical names that look most like a mistyped one."""
    import difflib  # noqa: PLC0415 - only for a mistake

    spellings = _spellings(known)
    close = difflib.get_close_matches(_folded(name), spellings, n=count * 4, cutoff=0.5)
    return list(dict.fromkeys(spellings[each] for each in close))[:count]


def _spellings(known: Mapping[str, Accelerator]) -> dict[str, str]:
    return {
        _folded(spelling): gpu.name
        for gpu in known.values()
        for spelling in (*gpu.aliases, gpu.name)
    }


def _folded(name: str) -> str:
    text = name.lower().translate(IGNORED_IN_NAMES)
    for prefix in VENDOR_PREFIXES:
        if text.startswith(prefix) and text != prefix:
            text = text.removeprefix(prefix)
    return text
