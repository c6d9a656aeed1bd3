"""Price and speed of moving bytes between locations, resolved when somebody asks.

The price is what the sender's provider charges: nothing inside a region (object stores do not
charge there), the pair's own row between regions of one provider, and otherwise the source's
internet tiers, also where a pair of its own is not listed. An empty tuple of tiers is an unknown
price.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from finsched.catalog.evidence import load_evidence
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import ANY_REGION, EgressTier, Location, TransferPath

INTERNET = "internet"
SAME_REGION = "same-region"
Pair = tuple[Location, Location]
Tiers = tuple[EgressTier, ...]
Priced = tuple[Tiers, Evidence]

FREE: Tiers = (EgressTier(start_gb=0.0, usd_per_gb=0.0),)
FREE_INSIDE = Evidence(
    what="egress",
    source="vendor price pages",
    quality=Quality.LISTED,
    note="object stores do not charge for moves inside a region; from general knowledge",
)
FREE_INWARD = Evidence(
    what="egress",
    source="vendor price pages",
    quality=Quality.LISTED,
    note="clouds do not charge for incoming bytes; what the sender charges is not known",
)
UNKNOWN = Evidence(what="egress", source="", quality=Quality.ESTIMATED, note="price unknown")


class Paths(Mapping[Pair, TransferPath]):
    """The way between each location and each region, both ways; resolved and kept on first use."""

    def __init__(
        self,
        locations: Collection[Location],
        regions: Collection[Location],
        prices: Mapping[Pair, Priced],
        speeds: Mapping[Pair, tuple[float, Evidence]],
    ) -> None:
        self._locations = frozenset(locations)
        self._regions = frozenset(regions)
        self._prices = prices
        self._speeds = speeds
        self._resolved: dict[Pair, TransferPath] = {}

    def __getitem__(self, pair: Pair) -> TransferPath:
        path = self._resolved.get(pair)
        if path is None:
            if pair not in self:
                raise KeyError(pair)
            path = self._resolved[pair] = self._resolve(*pair)
        return path

    def __contains__(self, pair: object) -> bool:
        match pair:
            case (a, b):
                return self._joins(a, b) or self._joins(b, a)
        return False

    def __iter__(self) -> Iterator[Pair]:
        pairs = [(a, b) for a in self._locations for b in self._regions]
        return iter(dict.fromkeys(chain(pairs, ((b, a) for a, b in pairs))))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _joins(self, location: object, region: object) -> bool:
        return location in self._locations and region in self._regions

    def _resolve(self, source: Location, destination: Location) -> TransferPath:
        tiers, price_evidence = self._price(source, destination)
        gbit_per_second, speed_evidence = self._speed(source, destination)
        return TransferPath(
            source=source,
            destination=destination,
            tiers=tiers,
            gbit_per_second=gbit_per_second,
            price_evidence=price_evidence,
            speed_evidence=speed_evidence,
        )

    def _price(self, source: Location, destination: Location) -> Priced:
        if source == destination:
            return FREE, FREE_INSIDE
        if source.provider == INTERNET:
            return FREE, FREE_INWARD
        anywhere = Location(INTERNET, ANY_REGION)
        everywhere = Location(source.provider, ANY_REGION)
        for pair in ((source, destination), (source, anywhere), (everywhere, anywhere)):
            if pair in self._prices:
                return self._prices[pair]
        return (), UNKNOWN

    def _speed(self, source: Location, destination: Location) -> tuple[float, Evidence]:
        scope = SAME_REGION if source == destination else ANY_REGION
        estimate = (Location(ANY_REGION, scope), Location(ANY_REGION, scope))
        return self._speeds.get((source, destination)) or self._speeds[estimate]


def load_paths(
    connection: sqlite3.Connection, locations: Collection[Location], regions: Collection[Location]
) -> Paths:
    """Read what is needed to resolve the ways between `locations` and `regions`."""
    if not locations:
        return Paths((), regions, {}, {})
    evidence = load_evidence(connection, "egress", "throughput")
    prices = _prices(connection, locations, evidence)
    return Paths(locations, regions, prices, _speeds(connection, locations, evidence))


def _prices(
    connection: sqlite3.Connection, locations: Collection[Location], evidence: dict[int, Evidence]
) -> dict[Pair, Priced]:
    """Tiers of every pair that starts or ends at a location, and everybody's internet tiers."""
    tiers: dict[Pair, list[EgressTier]] = {}
    sources: dict[Pair, Evidence] = {}
    rows = connection.execute(
        f"SELECT * FROM egress WHERE destination_provider = ? OR {_touching(locations)}"  # noqa: S608
        " ORDER BY start_gb",
        (INTERNET, *_arguments(locations)),
    )
    for source, region, destination, to_region, start_gb, usd_per_gb, number in rows:
        pair = (Location(source, region), Location(destination, to_region))
        step = EgressTier(start_gb=start_gb, usd_per_gb=usd_per_gb)
        tiers.setdefault(pair, []).append(step)
        sources[pair] = evidence[number]
    return {pair: (tuple(steps), sources[pair]) for pair, steps in tiers.items()}


def _speeds(
    connection: sqlite3.Connection, locations: Collection[Location], evidence: dict[int, Evidence]
) -> dict[Pair, tuple[float, Evidence]]:
    rows = connection.execute(
        f"SELECT * FROM throughput WHERE source_provider = ? OR {_touching(locations)}",  # noqa: S608
        (ANY_REGION, *_arguments(locations)),
    )
    return {
        (Location(source, region), Location(destination, to_region)): (speed, evidence[number])
        for source, region, destination, to_region, speed, number in rows
    }


def _touching(locations: Collection[Location]) -> str:
    one = (
        "(source_provider, source_region) = (?, ?)"
        " OR (destination_provider, destination_region) = (?, ?)"
    )
    return " OR ".join([one] * len(locations))


def _arguments(locations: Collection[Location]) -> list[str]:
    return [text for each in locations for text in (*each, *each)]
