"""The names and labels of what finsched makes on Google Cloud."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from finsched.model.market import Pool
from finsched.provider import LaunchRequest

PROVIDER = "gcp"
INSTALLATION = "finsched-installation"
RUN = "finsched-run"
ATTEMPT = "finsched-attempt"
TOKEN = "finsched-token"  # noqa: S105 - a label's name
NODES = "finsched-nodes"
POOL = "finsched-pool"
_PREFIX = "finsched"
_DIGITS = 24
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "finsched_gcp")


class Located(NamedTuple):
    """A resource's name and the zone, region or `global` that it lives in."""

    place: str
    name: str

    def __str__(self) -> str:
        """The id that finsched hands out, such as `us-central1-a/finsched-0abc-0`."""
        return f"{self.place}/{self.name}"


def located(ids: Iterable[str]) -> list[Located]:
    """Return the ids that are ours to ask for; others are nobody's."""
    parts = (text.partition("/") for text in ids)
    return [Located(place, name) for place, slash, name in parts if place and slash and name]


def by_place(ids: Iterable[str]) -> dict[str, list[str]]:
    """Group names by the place that they live in."""
    places: dict[str, list[str]] = {}
    for place, name in located(ids):
        places.setdefault(place, []).append(name)
    return places


def last_part(url: str) -> str:
    """Return the name that a resource's URL ends in."""
    return url.rpartition("/")[2]


def region_of(zone: str) -> str:
    """Return the region of a zone."""
    return zone.rpartition("-")[0]


def token_name(token: str) -> str:
    """Return how the machines of a token begin, and what they are labelled with."""
    return f"{_PREFIX}-{_digits(token)}"


def instance_name(token: str, rank: int) -> str:
    """Return a machine's name: the same for the same token and rank, and no other."""
    return f"{token_name(token)}-{rank}"


def rank_of(name: str) -> int:
    """Return the rank that a machine's name ends in."""
    return int(name.rpartition("-")[2])


def request_id(request: LaunchRequest, zone: str, rank: int, variant: str = "") -> str:
    """Return what makes Google create one node in one zone once, as the UUID that it wants."""
    parts = (request.installation, request.token, zone, str(rank), variant)
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


def network_tag(installation: str) -> str:
    """Return the network tag of all machines of an installation."""
    return f"{_PREFIX}-{_digits(installation)}"


def gang_tag(request: LaunchRequest) -> str:
    """Return the network tag of the machines of one run, which may talk to each other."""
    return f"{_PREFIX}-{_digits(request.installation, request.run)}-gang"


def tags_of(request: LaunchRequest) -> dict[str, str]:
    """Return all tags of what is made for an attempt; the user's cannot replace ours."""
    return {
        **request.tags,
        INSTALLATION: request.installation,
        RUN: request.run,
        ATTEMPT: str(request.attempt),
        TOKEN: token_name(request.token),
        NODES: str(request.nodes),
        POOL: "/".join(request.offer.pool),
    }


def pool_of(tags: Mapping[str, str]) -> Pool:
    """Read a pool from its tag."""
    return Pool(*tags[POOL].split("/"))


def _digits(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]
