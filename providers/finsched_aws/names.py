"""The names and tags of what finsched makes on AWS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from finsched.model.market import Pool
from finsched.provider import LaunchRequest

INSTALLATION = "finsched:installation"
RUN = "finsched:run"
ATTEMPT = "finsched:attempt"
TOKEN = "finsched:token"  # noqa: S105 - a tag's name
NODES = "finsched:nodes"
POOL = "finsched:pool"
TAGGED_AT_LAUNCH = ("instance", "volume", "network-interface")


class Located(NamedTuple):
    """A resource's id at AWS and the region it lives in, written `us-west-2/i-0abc`."""

    region: str
    id: str

    def __str__(self) -> str:
        """The id that finsched hands out."""
        return f"{self.region}/{self.id}"


def located(ids: Iterable[str]) -> list[Located]:
    """Return the ids that are ours to ask for; others are nobody's."""
    parts = (text.partition("/") for text in ids)
    return [Located(region, own) for region, slash, own in parts if region and slash and own]


def by_region(ids: Iterable[str]) -> dict[str, list[str]]:
    """Group ids by the region that they live in."""
    regions: dict[str, list[str]] = {}
    for region, own in located(ids):
        regions.setdefault(region, []).append(own)
    return regions


def client_token(request: LaunchRequest, subnet_id: str) -> str:
    """Return what makes EC2 create an attempt's machines in a subnet once: at most 64 characters.

    A try in another subnet is another request, which EC2 refuses under the same token.
    """
    text = f"{request.installation}\n{request.token}\n{subnet_id}"
    return hashlib.sha256(text.encode()).hexdigest()


def tags_of(request: LaunchRequest) -> dict[str, str]:
    """Return all tags of what is made for an attempt; the user's cannot replace ours."""
    return {
        "Name": f"finsched {request.run}",
        **request.tags,
        INSTALLATION: request.installation,
        RUN: request.run,
        ATTEMPT: str(request.attempt),
        TOKEN: request.token,
        NODES: str(request.nodes),
        POOL: pool_tag(request.offer.pool),
    }


def pool_tag(pool: Pool) -> str:
    """Write a pool as a tag, so that a machine that is found again knows it."""
    return "/".join(pool)


def pool_of(tags: Mapping[str, str]) -> Pool:
    """Read a pool from its tag."""
    return Pool(*tags[POOL].split("/"))


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def read_tags(described: Mapping[str, Any]) -> dict[str, str]:
    """Return a described resource's tags."""
    listed: Sequence[Mapping[str, str]] = described.get("Tags") or described.get("TagSet") or ()
    return {tag["Key"]: tag["Value"] for tag in listed}


def tag_filter(key: str, value: str) -> dict[str, Any]:
    """Return the filter for resources with a tag."""
    return {"Name": f"tag:{key}", "Values": [value]}
