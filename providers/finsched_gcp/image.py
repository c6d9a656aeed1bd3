"""Which image a machine starts from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from finsched.errors import InvalidRequest
from finsched_gcp.api import Api

_NAMED = re.compile(
    r"projects/(?P<project>[^/]+)/global/images/(?P<family>family/)?(?P<name>[^/]+)"
)
_BYTES_PER_GB = 10**9
_BYTES_PER_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image and the smallest disk that holds it."""

    link: str
    size_gib: int

    def disk_gib(self, disk_gb: float | None) -> int:
        """Return how large the boot disk is: as the job asks, or as the image needs."""
        asked = -int(-(disk_gb or 0) * _BYTES_PER_GB // _BYTES_PER_GIB)
        return max(self.size_gib, asked)


class Images:
    """Looks the image of the settings up, once."""

    def __init__(self, api: Api, named: str) -> None:
        self._api = api
        self._named = named
        self.image = lru_cache(maxsize=1)(self._ask)

    def _ask(self) -> Image:
        found = _NAMED.fullmatch(self._named)
        if found is None:
            raise InvalidRequest(
                f"gcp: {self._named!r} names no image",
                fix="write gcp.image as projects/PROJECT/global/images/family/FAMILY",
            )
        image = self._told(found["project"], found["name"], is_family=bool(found["family"]))
        return Image(link=image.self_link, size_gib=int(image.disk_size_gb))

    def _told(self, project: str, name: str, *, is_family: bool) -> Any:
        if is_family:
            return self._api.call("Images", "get_from_family", project=project, family=name)
        return self._api.call("Images", "get", project=project, image=name)
