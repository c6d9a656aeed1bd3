"""A request as it is signed and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be sent; `path` is encoded as it is sent, `query` is not encoded yet.

    `host` is filled in by whoever knows the address. The names of the headers are in small letters.
    """

    method: str
    path: str
    host: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        """Return the path with its query."""
        query = canonical_query(self.query)
        return f"{self.path}?{query}" if query else self.path


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query as it is signed, which is also how it has to be sent."""
    pairs = sorted((quote(name, safe="~"), quote(query[name], safe="~")) for name in query)
    return "&".join(f"{name}={value}" for name, value in pairs)
