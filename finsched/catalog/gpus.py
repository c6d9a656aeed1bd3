"""GPU models and the many ways people spell them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from finsched.catalog.cache import read
from finsched.catalog.evidence import load_evidence
from finsched.model.market import Accelerator, normalise_gpu_name


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


def known_gpus(cache_dir: Path | None = None) -> Mapping[str, str]:
    """Return the canonical name of every normalised name and alias, as a job file needs it."""
    return _spellings(accelerators(cache_dir))


def resolve_gpu(name: str, known: Mapping[str, Accelerator] | None = None) -> str | None:
    """Return the canonical name of a GPU, or None for a name nobody knows.

    Case, blanks, dashes and a vendor's name in front do not matter; the memory does: "A100" is the
    40 GiB card and never the 80 GiB one.
    """
    return _spellings(known or accelerators()).get(normalise_gpu_name(name))


def nearest_gpus(name: str, known: Mapping[str, Accelerator], count: int = 3) -> list[str]:
    """Return the canonical names that look most like a mistyped one."""
    import difflib  # noqa: PLC0415 - only for a mistake

    spellings = _spellings(known)
    close = difflib.get_close_matches(normalise_gpu_name(name), spellings, n=count * 4, cutoff=0.5)
    return list(dict.fromkeys(spellings[each] for each in close))[:count]


def _spellings(known: Mapping[str, Accelerator]) -> dict[str, str]:
    return {
        normalise_gpu_name(spelling): gpu.name
        for gpu in known.values()
        for spelling in (*gpu.aliases, gpu.name)
    }
