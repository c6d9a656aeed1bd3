"""Finding and pricing the path between two places."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

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
        usd += max(0.0, min(size_gb, following.start_gb) - tier.start_gb) * tier.usd_per_gb
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


def dearest_to_internet(paths: Paths, provider: str) -> TransferPath | None:
    """The provider's dearest region to leave from, for data whose region is unknown."""
    leaving = [
        path
        for (source, destination), path in paths.items()
        if source.provider == provider and destination == INTERNET and path.tiers
    ]
    return max(leaving, key=lambda path: path.tiers[0].usd_per_gb, default=None)
