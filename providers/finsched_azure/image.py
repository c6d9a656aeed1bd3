"""Which image a machine starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched.errors import InvalidRequest
from finsched_azure.api import Api

_LATEST = "latest"
_BYTES_PER_GB = 10**9
_BYTES_PER_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A version of an image of the marketplace, and the size of its disk."""

    publisher: str
    offer: str
    sku: str
    version: str
    size_gib: int

    @property
    def reference(self) -> dict[str, str]:
        """The image as a machine's description names it."""
        return {
            "publisher": self.publisher,
            "offer": self.offer,
            "sku": self.sku,
            "version": self.version,
        }

    def disk_gib(self, disk_gb: float | None) -> int:
        """Return how large the disk has to be: as asked for, but never smaller than the image."""
        asked_gib = -int(-(disk_gb or 0) * _BYTES_PER_GB // _BYTES_PER_GIB)
        return max(self.size_gib, asked_gib)


class Images:
    """Looks an image up, once per region."""

    def __init__(self, api: Api, urn: str) -> None:
        self._api = api
        self._urn = urn
        self.in_region = lru_cache(maxsize=None)(self._ask)

    def _ask(self, region: str) -> Image:
        publisher, offer, sku, version = self._urn.split(":")
        if version == _LATEST:
            version = self._newest(region, publisher, offer, sku)
        which = (region, publisher, offer, sku, version)
        described = self._api.call("virtual_machine_images.get", *which)
        disk: dict[str, Any] = described.get("properties", {}).get("osDiskImage") or {}
        size_gib = int(disk.get("sizeInGb") or 0)
        return Image(publisher=publisher, offer=offer, sku=sku, version=version, size_gib=size_gib)

    def _newest(self, region: str, *which: str) -> str:
        """Ask for the newest, so that a repeated call asks for the same."""
        newest = {"top": 1, "orderby": "name desc"}
        versions = self._api.listed("virtual_machine_images.list", region, *which, **newest)
        if not versions:
            raise InvalidRequest(
                f"azure/{region}: there is no image {self._urn}",
                fix="correct azure.image in the settings; `az vm image list --all` knows them",
            )
        return str(versions[0]["name"])
