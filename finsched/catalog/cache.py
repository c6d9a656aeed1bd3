"""Keeps the bundled tables compiled in one SQLite file in the user's cache directory.

The file is named after the tables' digest and the schema, so a new catalog never meets an old
file. It appears whole or not at all, and is only a cache: without it the tables are compiled in
memory. Where prices were asked live, a second file beside them holds both, joined, so that reading
live prices takes no longer than reading the bundled ones.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import finsched_catalogs
from finsched.catalog.store_file import STORE_FILE

SCHEMA_VERSION = 3
DIGEST_LETTERS = 16
"""The name of the live prices in the state directory."""

Result = TypeVar("Result")


def read(
    query: Callable[[sqlite3.Connection], Result],
    cache_dir: Path | None = None,
    state_dir: Path | None = None,
) -> Result:
    """Run `query` on the compiled catalog, compiling it first where that was not done yet.

    With a `state_dir` that has live prices, it is the catalog joined with them.
    """
    joined = _joined(cache_dir, state_dir) if state_dir else None
    path = joined or cache_path(cache_dir)
    with suppress(sqlite3.DatabaseError), closing(_open(path)) as connection:
        return query(connection)
    if joined:
        joined.unlink(missing_ok=True)  # damaged: joined anew by the next reader
    with closing(_compiled(cache_path(cache_dir))) as connection:  # no file, or a damaged one
        return query(connection)


def cache_path(cache_dir: Path | None = None) -> Path:
    """Return the file that holds the compiled form of the tables installed now."""
    digest = (data_dir() / "DIGEST").read_text(encoding="ascii")[:DIGEST_LETTERS]
    return (cache_dir or _default_dir()) / f"catalog-{digest}-{SCHEMA_VERSION}.sqlite"


def join_live(cache_dir: Path | None, state_dir: Path) -> None:
    """Join live prices with the bundled ones now, so that the next reader need not."""
    _joined(cache_dir, state_dir)


def _joined(cache_dir: Path | None, state_dir: Path) -> Path | None:
    """The joined catalog, made anew when the store is newer; None without live prices."""
    store = state_dir / STORE_FILE
    with suppress(FileNotFoundError):
        stored_at_ns = store.stat().st_mtime_ns
        path = state_dir / cache_path(cache_dir).name
        with suppress(FileNotFoundError):
            if path.stat().st_mtime_ns == stored_at_ns:
                return path
        with suppress(sqlite3.Error, OSError):  # without it the bundled prices are used
            _join(cache_dir, store, path)
            os.utime(path, ns=(stored_at_ns, stored_at_ns))
            return path
    return None


def _join(cache_dir: Path | None, store: Path, path: Path) -> None:
    from finsched.catalog.joining import join  # noqa: PLC0415 - once per refresh

    bundled: bytes = read(lambda connection: connection.serialize(), cache_dir)
    _save(join(bundled, store), path)
    for other in path.parent.glob("catalog-*.sqlite"):
        if other != path:
            other.unlink(missing_ok=True)


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
