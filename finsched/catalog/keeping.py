"""Keeps what providers answer when they are asked for prices: one SQLite file, 0600.

It holds the last believed price of every pool with its time, every price that ever held, what was
not believed, and how the last refresh went. Each refresh is one transaction: a reader sees the old
or the new, never half.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from finsched.catalog.live import FIX, FORMAT, OFFER, Key, Taken, key_of, store_path
from finsched.errors import MachineProblem
from finsched.model.interruption import HazardPrior
from finsched.model.market import InstanceType, Offer

if TYPE_CHECKING:
    from finsched.provider import PriceChange

_SCHEMA = f"""
PRAGMA user_version = {FORMAT};
CREATE TABLE machine (
    provider TEXT, name TEXT, gpu TEXT, gpu_count INTEGER, gpu_memory_gib REAL, vcpus REAL,
    memory_gib REAL, PRIMARY KEY (provider, name)) WITHOUT ROWID;
CREATE TABLE price (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, capacity_type TEXT, tier TEXT,
    price_usd_per_hour REAL, source TEXT, note TEXT, asked_at TEXT,
    PRIMARY KEY (provider, region, zone, instance_type, capacity_type, tier)) WITHOUT ROWID;
CREATE TABLE history (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, capacity_type TEXT, tier TEXT,
    first_at TEXT, last_at TEXT, price_usd_per_hour REAL, watched INTEGER,
    PRIMARY KEY (provider, region, zone, instance_type, capacity_type, tier, first_at)
    ) WITHOUT ROWID;
CREATE TABLE hazard (
    provider TEXT, region TEXT, instance_type TEXT, shape REAL, exposure_hours REAL,
    saturated INTEGER, source TEXT, note TEXT, asked_at TEXT,
    PRIMARY KEY (provider, region, instance_type)) WITHOUT ROWID;
CREATE TABLE quarantine (
    provider TEXT, region TEXT, zone TEXT, instance_type TEXT, capacity_type TEXT, tier TEXT,
    price_usd_per_hour REAL, reason TEXT, asked_at TEXT,
    PRIMARY KEY (provider, region, zone, instance_type, capacity_type, tier)) WITHOUT ROWID;
CREATE TABLE refresh (
    provider TEXT PRIMARY KEY, asked_at TEXT, regions INTEGER, answered INTEGER, problems TEXT);
"""
KEPT_FOR = timedelta(days=90)
"""How long a price is remembered after it was last seen: a season of weeks, as AWS tells it."""

_SAME = " AND ".join(f"{column} = ?" for column in OFFER.split(", "))


def record(state_dir: Path, taken: Taken) -> None:
    """Keep what a refresh brought, as one transaction. Raises MachineProblem."""
    with _written(state_dir) as connection:
        asked_at = _text(taken.asked_at)
        _keep_machines(connection, _machines(taken))
        _keep_prices(connection, taken, asked_at)
        _keep_history(connection, taken.sifted.accepted, asked_at)
        _keep_changes(connection, taken.changes, asked_at)
        _forget(connection, taken.provider, _text(taken.asked_at - KEPT_FOR))
        if taken.priors is not None:
            _keep_priors(connection, taken.provider, taken.priors, asked_at)
        connection.execute(
            "INSERT OR REPLACE INTO refresh VALUES (?, ?, ?, ?, ?)",
            (taken.provider, asked_at, taken.regions, taken.answered, json.dumps(taken.problems)),
        )


@contextmanager
def _written(state_dir: Path) -> Iterator[sqlite3.Connection]:
    path = store_path(state_dir)
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            _prepare(connection, path)
            yield connection
            connection.execute("COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise MachineProblem(f"{path}: live prices cannot be kept: {error}", fix=FIX) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
            connection.execute(statement)
    elif version != FORMAT:
        fix = "use the finsched that wrote it, or remove the file"
        raise MachineProblem(f"{path}: live prices of another version, {version}", fix=fix)


def _machines(taken: Taken) -> set[InstanceType]:
    offers = (*taken.sifted.accepted, *(each.offer for each in taken.sifted.quarantined))
    changed = {change.instance_type for change in taken.changes}
    return {offer.instance_type for offer in offers} | changed


def _keep_machines(connection: sqlite3.Connection, kinds: Iterable[InstanceType]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO machine VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (kind.provider, kind.name, kind.gpu, kind.gpu_count, kind.gpu_memory_gib, kind.vcpus,
             kind.memory_gib)
            for kind in kinds
        ],
    )  # fmt: skip


def _keep_prices(connection: sqlite3.Connection, taken: Taken, asked_at: str) -> None:
    """What a region sells is replaced as a whole; a pool in quarantine keeps its last price."""
    accepted, quarantined = taken.sifted
    offers = (*accepted, *(each.offer for each in quarantined))
    answered = {(taken.provider, offer.region, offer.capacity_type.value) for offer in offers}
    where = "provider = ? AND region = ? AND capacity_type = ?"
    connection.executemany(f"DELETE FROM quarantine WHERE {where}", answered)  # noqa: S608
    connection.executemany(
        "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*key_of(o), o.price_usd_per_hour, reason, asked_at) for o, reason in quarantined],
    )
    connection.executemany(
        f"DELETE FROM price WHERE {where} AND ({OFFER}) NOT IN"  # noqa: S608
        f" (SELECT {OFFER} FROM quarantine)",
        answered,
    )
    connection.executemany(
        "INSERT INTO price VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*key_of(o), o.price_usd_per_hour, o.evidence.source, o.evidence.note, asked_at)
            for o in accepted
        ],
    )


def _keep_history(connection: sqlite3.Connection, offers: Sequence[Offer], asked_at: str) -> None:
    """A price that still holds is seen for longer; one that changed begins a row."""
    newest = f"first_at = (SELECT max(first_at) FROM history WHERE {_SAME})"  # noqa: S608
    connection.executemany(
        f"UPDATE history SET last_at = ? WHERE {_SAME} AND price_usd_per_hour = ? AND {newest}",  # noqa: S608
        [(asked_at, *key_of(o), o.price_usd_per_hour, *key_of(o)) for o in offers],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO history SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, 0"  # noqa: S608
        f" WHERE NOT EXISTS (SELECT 1 FROM history WHERE {_SAME} AND last_at >= ?)",
        [
            (*key_of(o), asked_at, asked_at, o.price_usd_per_hour, *key_of(o), asked_at)
            for o in offers
        ],
    )


def _keep_changes(
    connection: sqlite3.Connection, changes: Sequence[PriceChange], asked_at: str
) -> None:
    """A provider's own history takes the place of what our looks saw of the same time."""
    by_key = sorted(((_key_of_change(each), each) for each in changes), key=lambda each: each[0])
    for key, group in groupby(by_key, lambda each: each[0]):
        told = _without_repeats(each for _, each in group)
        ends = [_text(change.at) for change in told[1:]] + [asked_at]
        connection.execute(
            f"DELETE FROM history WHERE {_SAME} AND first_at >= ?",  # noqa: S608
            (*key, _text(told[0].at)),
        )
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            [
                (*key, _text(change.at), end, change.price_usd_per_hour)
                for change, end in zip(told, ends, strict=True)
            ],
        )


def _forget(connection: sqlite3.Connection, provider: str, before: str) -> None:
    """The past has no end, and a disk has one; the price in force is kept apart from it."""
    connection.execute("DELETE FROM history WHERE provider = ? AND last_at < ?", (provider, before))


def _key_of_change(change: PriceChange) -> Key:
    kind = change.instance_type
    place = (kind.provider, change.region, change.zone, kind.name)
    return (*place, change.capacity_type.value, "standard")


def _without_repeats(changes: Iterable[PriceChange]) -> list[PriceChange]:
    """Only the first of equal prices that follow each other."""
    return [next(group) for _, group in groupby(changes, lambda each: each.price_usd_per_hour)]


def _keep_priors(
    connection: sqlite3.Connection,
    provider: str,
    priors: Mapping[tuple[str, str], HazardPrior],
    asked_at: str,
) -> None:
    connection.execute("DELETE FROM hazard WHERE provider = ?", (provider,))
    connection.executemany(
        "INSERT INTO hazard VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (provider, region, name, prior.shape, prior.exposure_hours, prior.saturated,
             prior.evidence.source, prior.evidence.note, asked_at)
            for (region, name), prior in priors.items()
        ],
    )  # fmt: skip


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
