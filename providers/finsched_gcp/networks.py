"""Where machines are put: a subnet of the settings, or the default network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched_gcp.api import Api
from finsched_gcp.names import last_part

DEFAULT = "default"
_SUBNET = re.compile(
    r"(?:projects/(?P<project>[^/]+)/)?(?:regions/[^/]+/subnetworks/)?(?P<name>[^/]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network, by its URL, and the subnet in it, empty for that of the default network.

    In the default network machines get an external address as their way out; in a subnet of the
    settings none, so it needs Cloud NAT or the like.
    """

    link: str
    subnet: str = ""

    @property
    def name(self) -> str:
        """The network's own name."""
        return last_part(self.link)


class Networks:
    """The default network, or in a region the subnet that the settings name."""

    def __init__(self, api: Api, subnets: Mapping[str, str]) -> None:
        self._api = api
        self._subnets = subnets
        self.in_region = lru_cache(maxsize=None)(self._ask)

    def _ask(self, region: str) -> Network:
        if region not in self._subnets:
            network = self._api.call("Networks", "get", network=DEFAULT)
            return Network(link=network.self_link)
        subnet = self._asked_subnet(region, self._subnets[region])
        return Network(link=subnet.network, subnet=subnet.self_link)

    def _asked_subnet(self, region: str, named: str) -> Any:
        found = _SUBNET.fullmatch(named)
        project = (found and found["project"]) or self._api.project
        name = found["name"] if found else named
        return self._api.call("Subnetworks", "get", project=project, region=region, subnetwork=name)
