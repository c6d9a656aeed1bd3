"""Joins live prices and the bundled tables: what was answered replaces what was printed.

A live price replaces every bundled one of the same machine, region, capacity type and tier, in
whatever zone, because the answer told all zones; unless the bundled one is of a later day. What
nobody answered keeps the bundled price and its age, and so does a zone whose first live price was
not believed. Bands of interruptions are replaced likewise; a measured trace is worth more than a
band and stays.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from finsched.catalog.live import FORMAT, OFFER
from finsched.model.evidence import Quality

_LISTED = "provider IN (SELECT provider FROM terms)"  # what nobody knows the terms of is not quoted
_TYPE = "instance_type.provider = told.provider AND instance_type.name = told.instance_type"
_SAME_SALE = """
    told.provider = offer.provider AND told.region = offer.region
    AND instance_type.id = offer.instance_type
    AND told.capacity_type = offer.capacity_type AND told.tier = offer.tier"""
_BUNDLED_LATER = """
    (SELECT coalesce(latest, '') FROM evidence WHERE id = offer.evidence)
    > substr(told.asked_at, 1, 10)"""
PRICE = {"what": "price", "quality": Quality.LIVE.value}
HAZARD = {"what": "hazard", "quality": Quality.ESTIMATED.value}  # a band is live, a rate is not
_TOLD = ", ".join(f"told.{column}" for column in OFFER.split(", "))
_EVIDENCE = """
    evidence.what = '{what}' AND evidence.source = told.source AND evidence.note = told.note
    AND evidence.quality = '{quality}' AND evidence.earliest = substr(told.asked_at, 1, 10)"""

MACHINES = f"""
INSERT INTO instance_type
SELECT (SELECT count(*) FROM instance_type) + row_number() OVER (ORDER BY provider, name) - 1,
    provider, name, gpu, gpu_count, gpu_memory_gib, vcpus, memory_gib
FROM live.machine
WHERE {_LISTED} AND (provider, name) NOT IN (SELECT provider, name FROM instance_type);
"""  # noqa: S608
ANOTHER_GPU = """
INSERT INTO gpu
SELECT gpu, '', max(gpu_memory_gib), NULL, NULL, NULL, '', '', (SELECT min(evidence) FROM gpu)
FROM instance_type WHERE gpu IS NOT NULL AND gpu NOT IN (SELECT name FROM gpu) GROUP BY gpu;
"""
EVIDENCE = """
INSERT INTO evidence
SELECT (SELECT max(id) FROM evidence) + row_number() OVER (), '{what}', source, '{quality}', day,
    day, note
FROM (SELECT DISTINCT source, note, substr(asked_at, 1, 10) AS day FROM live.{table});
"""
OFFERS = f"""
DELETE FROM offer WHERE EXISTS (
    SELECT 1 FROM live.price AS told JOIN instance_type ON {_TYPE}
    WHERE {_SAME_SALE} AND NOT {_BUNDLED_LATER})
AND NOT EXISTS (
    SELECT 1 FROM live.quarantine AS told JOIN instance_type ON {_TYPE}
    WHERE {_SAME_SALE} AND told.zone = offer.zone AND offer.zone <> ''
    AND ({_TOLD}) NOT IN (SELECT {OFFER} FROM live.price));
INSERT INTO offer
SELECT instance_type.id, told.provider, told.region, told.zone, told.capacity_type, told.tier,
    told.price_usd_per_hour, evidence.id
FROM live.price AS told JOIN instance_type ON {_TYPE}
JOIN evidence ON {_EVIDENCE.format(**PRICE)}
WHERE NOT EXISTS (SELECT 1 FROM offer WHERE {_SAME_SALE} AND {_BUNDLED_LATER});
"""  # noqa: S608
HAZARDS = f"""
DELETE FROM hazard WHERE (provider, region, instance_type) IN (
    SELECT told.provider, told.region, instance_type.id
    FROM live.hazard AS told JOIN instance_type ON {_TYPE})
AND evidence NOT IN (SELECT id FROM evidence WHERE quality = 'measured');
INSERT OR IGNORE INTO hazard
SELECT told.provider, told.region, instance_type.id, told.shape, told.exposure_hours,
    told.saturated, evidence.id
FROM live.hazard AS told JOIN instance_type ON {_TYPE}
JOIN evidence ON {_EVIDENCE.format(**HAZARD)};
"""  # noqa: S608


def join(compiled: bytes, store: Path) -> bytes:
    """Return the compiled catalog with the live prices of a store; sqlite3.Error where it fails."""
    connection = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    try:
        connection.deserialize(compiled)
        connection.execute("ATTACH ? AS live", (f"{store.absolute().as_uri()}?mode=ro",))
        (version,) = connection.execute("PRAGMA live.user_version").fetchone()
        if version != FORMAT:
            raise sqlite3.DatabaseError(f"the live prices have version {version}, not {FORMAT}")
        _join(connection)
        return connection.serialize()
    finally:
        connection.close()


def _join(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")  # one look at the store
    script = (
        MACHINES
        + ANOTHER_GPU
        + EVIDENCE.format(**PRICE, table="price")
        + EVIDENCE.format(**HAZARD, table="hazard")
        + OFFERS
        + HAZARDS
    )
    for statement in filter(None, map(str.strip, script.split(";"))):
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("DETACH live")
