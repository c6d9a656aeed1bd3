"""Rebuilds catalogs/finsched_catalogs from raw data: python tools/build_catalogs.py RAW_DATA [OUT].

The same raw data gives the same bytes. OUT is the bundled catalog unless another folder is named.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.catalogs import (
    geography,
    gpus,
    history,
    idle,
    interruption,
    market,
    offers,
    plausible,
    side_tables,
    terms,
    transfer,
)
from tools.catalogs import sources as source_list
from tools.catalogs.offers import Collected, Dropped, OfferRow, TypeRow
from tools.catalogs.tables import DIGEST_FILE, digest, write_table

BUNDLED = Path(__file__).resolve().parent.parent / "catalogs" / "finsched_catalogs"
OFFER_COLUMNS = OfferRow._fields[1:]
QUARANTINE_COLUMNS = (*OfferRow._fields, "reason")
Types = dict[tuple[str, str], TypeRow]
Table = tuple[Sequence[str], Iterable[Sequence[object]]]  # columns, rows


def build(raw: Path, out: Path) -> dict[str, int]:
    """Write every table below `out` and return the number of rows of each."""
    types, kept, dropped = collect(raw)
    counts = _write_offers(out, types, kept, dropped)
    counts |= _write_others(raw, out, types, kept)
    _write_sources(out)
    (out / DIGEST_FILE).write_text(digest(out) + "\n", encoding="ascii")
    return counts


def collect(raw: Path) -> tuple[Types, list[OfferRow], list[Dropped]]:
    """Gather all offers, keep the newest of each pool and set the implausible ones aside."""
    parts = [
        offers.aws(raw),
        *(offers.whole_machines(raw, name) for name in ("azure", "gcp", "lambda", "nebius", "oci")),
        market.flat(raw),
    ]
    types = _types(parts)
    latest_day = {id_: source.latest for id_, source in source_list.SOURCES.items()}
    candidates = market.newest([offer for part in parts for offer in part.offers], latest_day)
    candidates += offers.aws_derived_spot(raw, candidates)
    market.confirmed(candidates, types, raw)
    kept, implausible = plausible.sift(candidates, types)
    return types, kept, [*implausible, *(each for part in parts for each in part.dropped)]


def _types(parts: list[Collected]) -> Types:
    """The first description of a type stands: tables of its own come before flat rows."""
    types: Types = {}
    for part in parts:
        for row in part.types:
            types.setdefault((row.provider, row.instance_type), row)
    return types


def _write_offers(
    out: Path, types: Types, kept: list[OfferRow], dropped: list[Dropped]
) -> dict[str, int]:
    by_provider: dict[str, list[OfferRow]] = defaultdict(list)
    for offer in kept:
        by_provider[offer.provider].append(offer)
    for stale in (out / "offers").glob("*.csv"):
        stale.unlink()
    for provider, rows in by_provider.items():
        write_table(out / f"offers/{provider}.csv", OFFER_COLUMNS, [row[1:] for row in rows])
    sold = {(offer.provider, offer.instance_type) for offer in kept}
    return {
        "offers": len(kept),
        "instance_types": write_table(
            out / "instance_types.csv", TypeRow._fields, [types[key] for key in sold]
        ),
        "quarantine": write_table(
            out / "quarantine.csv",
            QUARANTINE_COLUMNS,
            [(*each.offer, each.reason) for each in dropped],
        ),
    }


def _write_others(raw: Path, out: Path, types: Types, kept: list[OfferRow]) -> dict[str, int]:
    egress = transfer.egress(raw)
    speeds = transfer.throughput(raw)
    places = geography.geography()
    used = {(row.provider, row.region) for row in kept} | {row[:2] for row in egress}
    used |= {row[:2] for row in speeds}
    if homeless := geography.missing(places, used):
        raise SystemExit(f"no geography for {sorted(homeless)}")
    tables: dict[str, Table] = {
        "gpus": (gpus.COLUMNS, gpus.gpus(raw)),
        "interruption": (interruption.COLUMNS, interruption.hazards(raw)),
        "egress": (transfer.EGRESS_COLUMNS, egress),
        "throughput": (transfer.THROUGHPUT_COLUMNS, speeds),
        "geography": (geography.COLUMNS, places),
        "terms": (terms.COLUMNS, terms.terms(row.provider for row in kept)),
        "idle": (idle.COLUMNS, idle.idle()),
        "price_history": (history.PriceRow._fields, history.prices(raw, types)),
        "availability": (history.AvailabilityRow._fields, history.availability(raw)),
        "carbon": (side_tables.CARBON_COLUMNS, side_tables.carbon(raw)),
        "commitments": (side_tables.COMMITMENT_COLUMNS, side_tables.commitments(raw)),
    }
    return {
        name: write_table(out / f"{name}.csv", columns, rows)
        for name, (columns, rows) in tables.items()
    }


def _write_sources(out: Path) -> None:
    listed = sorted(source_list.SOURCES.values())
    write_table(out / "sources.csv", source_list.COLUMNS, listed)
    lines = [
        "# Sources of the bundled catalog",
        "",
        "Generated by `tools/build_catalogs.py`; every row of every table names one of these.",
        "Only facts were taken, in a schema of our own. Dates bound the day of observation.",
        "",
        "| Id | Source | Earliest | Latest | Licence | Quality | Note |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *("| " + " | ".join(source) + " |" for source in listed),
    ]
    (out / "SOURCES.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Build the bundled catalog from the raw data named on the command line."""
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else BUNDLED
    for name, rows in build(Path(sys.argv[1]), out).items():
        sys.stdout.write(f"{name:16} {rows:6} rows\n")


if __name__ == "__main__":
    main()
