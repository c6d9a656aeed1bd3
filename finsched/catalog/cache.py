"""Keeps the bundled tables compiled in one SQLite file in the user's cache directory.

The file is named after the tables' digest and the schema, so a new catalog never meets an old
file. It appears whole or not at all, and is only a cache: without it the tables are compiled in
memory.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import finsched_catalogs

SCHEMA_VERSION = 3
DIGEST_LETTERS = 16

Result = TypeVar("Result")


def read(query: Callable[[sqlite3.Connection], Result], cache_dir: Path | None = None) -> Result:
    """Run `query` on the compiled catalog, compiling it first where that was not done yet."""
    path = cache_path(cache_dir)
    with suppress(sqlite3.DatabaseError), closing(_open(path)) as connection:
        return query(connection)
    with closing(_compiled(path)) as connection:  # there was no file, or a damaged one
        return query(connection)


def cache_path(cache_dir: Path | None = None) -> Path:
    """Return the file that holds the compiled form of the tables installed now."""
    digest = (data_dir() / "DIGEST").read_text(encoding="ascii")[:DIGEST_LETTERS]
    return (cache_dir or _default_dir()) / f"catalog-{digest}-{SCHEMA_VERSION}.sqlite"


def data_dir() -> Path:
    """Return the folder of the bundled tables."""
    return Path(finsched_catalogs.__path__[0])


def _default_dir() -> Path:
    import platformdirs  # noqa: PLC0415 - not for callers with a folder of their own

    return platformdirs.user_cache_path("finsched")


def _open(path: Path) -> sqlite3.Connection:
    """Open read-only and unlocked: nobody writes to a file that is in place."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _compiled(path: Path) -> sqlite3.Connection:
    from finsched.catalog.tables import compile_tables  # noqa: PLC0415 - once per installation

    connection = sqlite3.connect(":memory:")
    compile_tables(data_dir(), connection)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        _save(connection.serialize(), path)
    return connection


def _save(content: bytes, path: Path) -> None:
    import tempfile  # noqa: PLC0415 - once per installation

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
