"""The names and tags of what finsched makes on Azure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from finsched.model.market import Pool
from finsched.provider import LaunchRequest

INSTALLATION = "finsched:installation"
RUN = "finsched:run"
ATTEMPT = "finsched:attempt"
TOKEN = "finsched:token"  # noqa: S105 - a tag's name
NODES = "finsched:nodes"
POOL = "finsched:pool"
LAUNCHED = "finsched:launched"
"""When Azure took the machines of a group on; a group without it never had any."""

OURS = "finsched-"
NETWORK, SUBNET, SECURITY_GROUP = "finsched-network", "nodes", "finsched-closed"
_FORBIDDEN_IN_TAG_NAMES = re.compile(r"[<>%&\\?/]")
_LONGEST_TOKEN = 60  # a resource group's name may have 90 characters


class Located(NamedTuple):
    """A machine's resource group and name, written `finsched-r1-1-0123abcd/finsched-node-0`."""

    group: str
    name: str

    def __str__(self) -> str:
        """The id that finsched hands out."""
        return f"{self.group}/{self.name}"


def located(text: str) -> Located | None:
    """Return an id as its parts; None where it is none of ours."""
    group, slash, name = text.partition("/")
    return Located(group, name) if slash and group.startswith(OURS) and name else None


def group_of(request: LaunchRequest) -> str:
    """Return the name of the attempt's resource group: the same for the same token."""
    text = f"{request.installation}\n{request.token}"
    plain = re.sub(r"[^a-z0-9-]", "-", request.token.lower())[:_LONGEST_TOKEN]
    return f"{OURS}{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def node_name(rank: int) -> str:
    """Return the name of the machine of a rank."""
    return f"{OURS}node-{rank}"


def interface_name(rank: int) -> str:
    """Return the name of the network interface of a rank."""
    return f"{OURS}nic-{rank}"


def address_name(rank: int) -> str:
    """Return the name of the public address of a rank."""
    return f"{OURS}ip-{rank}"


def disk_name(rank: int) -> str:
    """Return the name of the disk of a rank."""
    return f"{OURS}disk-{rank}"


def rank_of(name: str) -> int:
    """Return the rank that a machine's name tells."""
    return int(name.removeprefix(node_name(0)[:-1]))


def tags_of(request: LaunchRequest) -> dict[str, str]:
    """Return all tags of what is made for an attempt; the user's cannot replace ours."""
    named = {_FORBIDDEN_IN_TAG_NAMES.sub("_", name): value for name, value in request.tags.items()}
    return {
        **named,
        INSTALLATION: request.installation,
        RUN: request.run,
        ATTEMPT: str(request.attempt),
        TOKEN: request.token,
        NODES: str(request.nodes),
        POOL: "/".join(request.offer.pool),
    }


def pool_of(tags: Mapping[str, str]) -> Pool:
    """Read a pool from its tag."""
    return Pool(*tags[POOL].split("/"))


def moment(text: str) -> datetime:
    """Read a time as Azure writes it: up to seven digits of a second, and Z."""
    plain = re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")
    return datetime.fromisoformat(plain)


def tags_in(described: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Return a described resource's tags."""
    return (described or {}).get("tags") or {}
