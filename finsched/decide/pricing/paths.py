"""Finding and pricing the path between two places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from finsched.model.job import JobSpec
from finsched.model.market import ANY_REGION, EgressTier, Location, TransferPath

INTERNET = Location("internet", ANY_REGION)

Paths = Mapping[tuple[Location, Location], TransferPath]

_CLOUD_OF_SCHEME = {
    "s3": "aws",
    "gs": "gcp",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "wasbs": "azure",
    "oci": "oci",
}


def egress_usd(tiers: tuple[EgressTier, ...], size_gb: float) -> float:
    """What moving `size_gb` costs when each tier prices only the gigabytes that fall into it.

    The month is taken as fresh: nothing else was moved before.
    """
    usd = 0.0
    for tier, following in pairwise(tiers):
        if size_gb <= following.start_gb:
            return usd + max(0.0, size_gb - tier.start_gb) * tier.usd_per_gb
        usd += (following.start_gb - tier.start_gb) * tier.usd_per_gb
    if not tiers:
        return usd
    return usd + max(0.0, size_gb - tiers[-1].start_gb) * tiers[-1].usd_per_gb


def transfer_hours(size_gb: float, gbit_per_second: float) -> float:
    """Hours to move decimal gigabytes at a throughput; 0 where the throughput is unknown."""
    return size_gb * 8 / gbit_per_second / 3600 if gbit_per_second > 0 else 0.0


def find_path(paths: Paths, source: Location, destination: Location) -> TransferPath | None:
    """The pair's own path, else the source's to the internet, which is where other clouds are."""
    pair = paths.get((source, destination))
    if pair is not None:
        return pair
    to_internet = paths.get((source, INTERNET))
    return to_internet or paths.get((Location(source.provider, ANY_REGION), INTERNET))


def source_of(uri: str, location: Location | None) -> Location:
    """Where data is: its location, else somewhere in the cloud of its URI scheme."""
    if location is not None:
        return location
    cloud = _CLOUD_OF_SCHEME.get(uri.partition("://")[0])
    return INTERNET if cloud is None else Location(cloud, ANY_REGION)


def places_of(job: JobSpec) -> frozenset[Location]:
    """Every place from or to which a decision looks for a path, beside the offers' own."""
    places = {source_of(dataset.uri, dataset.location) for dataset in job.inputs}
    places |= {dataset.location or INTERNET for dataset in job.outputs}
    if job.checkpoint is not None and job.checkpoint.uri is not None:
        places.add(source_of(job.checkpoint.uri, job.checkpoint.location))
    return frozenset(places | {INTERNET})


class Road(NamedTuple):
    """The way found between two places; `assumed` when its price is another region's."""

    path: TransferPath | None
    assumed: bool = False

    @property
    def is_priced(self) -> bool:
        """Whether moving over it has a price at all."""
        return self.path is not None and bool(self.path.tiers)

    def usd(self, size_gb: float) -> float:
        """What moving `size_gb` costs; 0 where no price is known."""
        return 0.0 if self.path is None else egress_usd(self.path.tiers, size_gb)

    def hours(self, size_gb: float) -> float:
        """How long it takes; 0 where no throughput is known."""
        return 0.0 if self.path is None else transfer_hours(size_gb, self.path.gbit_per_second)


class Roads:
    """The paths of a market, with the provider's dearest price where a place's own is unknown."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._dearest: dict[str, TransferPath] | None = None  # a pass over all paths, when needed

    def between(self, source: Location, destination: Location) -> Road:
        """The way from source to destination; an unknown price is never taken as none."""
        path = find_path(self._paths, source, destination)
        if path is not None and path.tiers:
            return Road(path)
        if self._dearest is None:
            self._dearest = dearest_to_internet(self._paths)
        dearest = self._dearest.get(source.provider)
        if dearest is None or path is None:
            return Road(dearest or path, assumed=dearest is not None)
        priced = replace(path, tiers=dearest.tiers, price_evidence=dearest.price_evidence)
        return Road(priced, assumed=True)

    def within(self, place: Location) -> Road:
        """The way inside a region, for its speed alone."""
        return Road(self._paths.get((place, place)))


def dearest_to_internet(paths: Paths) -> dict[str, TransferPath]:
    """Each provider's dearest region to leave from, for its regions whose price is unknown."""
    dearest: dict[str, TransferPath] = {}
    leaving = (paths[pair] for pair in paths if pair[1] == INTERNET)
    for path in leaving:
        known = dearest.get(path.source.provider)
        if path.tiers and (known is None or _top_usd_per_gb(path) > _top_usd_per_gb(known)):
            dearest[path.source.provider] = path
    return dearest


def _top_usd_per_gb(path: TransferPath) -> float:
    return max(tier.usd_per_gb for tier in path.tiers)
