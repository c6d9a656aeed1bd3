"""What providers answered when they were asked for prices, as it was kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finsched.catalog.quarantine import Sifted
from finsched.catalog.store_file import STORE_FILE
from finsched.errors import MachineProblem
from finsched.model.interruption import HazardPrior
from finsched.model.market import InstanceType, Offer

if TYPE_CHECKING:
    from finsched.provider import PriceChange

FORMAT = 1
FIX = "remove the file, which forgets live prices, and refresh"
OFFER = "provider, region, zone, instance_type, capacity_type, tier"
Key = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one refresh brought from a provider; `priors` is None where nobody told any.

    `regions` is how many were asked, `answered` how many of them told everything. `problems` say
    per region what was not answered.
    """

    provider: str
    asked_at: datetime
    regions: int
    answered: int
    sifted: Sifted
    changes: tuple[PriceChange, ...] = ()
    priors: Mapping[tuple[str, str], HazardPrior] | None = None
    problems: tuple[tuple[str, str], ...] = ()


class LastRefresh(NamedTuple):
    """How the last refresh of a provider went."""

    provider: str
    asked_at: datetime
    regions: int
    answered: int
    problems: tuple[tuple[str, str], ...]


class SetAside(NamedTuple):
    """A price that was not believed when it was last asked for."""

    provider: str
    region: str
    zone: str
    instance_type: str
    capacity_type: str
    price_usd_per_hour: float
    reason: str
    asked_at: datetime


def store_path(state_dir: Path) -> Path:
    """Return where the live prices of this installation are kept."""
    return state_dir / STORE_FILE


def last_refreshes(state_dir: Path) -> tuple[LastRefresh, ...]:
    """Return how the last refresh of each provider went."""
    told = rows(state_dir, "SELECT * FROM refresh ORDER BY provider")
    return tuple(
        LastRefresh(
            provider,
            datetime.fromisoformat(asked_at),
            regions,
            answered,
            tuple((region, problem) for region, problem in json.loads(problems)),
        )
        for provider, asked_at, regions, answered, problems in told
    )


def set_aside(state_dir: Path) -> tuple[SetAside, ...]:
    """Return what is in quarantine."""
    columns = "provider, region, zone, instance_type, capacity_type, price_usd_per_hour"
    query = f"SELECT {columns}, reason, asked_at FROM quarantine ORDER BY {OFFER}"  # noqa: S608
    return tuple(
        SetAside._make((*row[:-1], datetime.fromisoformat(row[-1])))
        for row in rows(state_dir, query)
    )


def machines(state_dir: Path, provider: str) -> dict[str, InstanceType]:
    """Return the machines of a provider that a refresh has met, by name."""
    told = rows(state_dir, "SELECT * FROM machine WHERE provider = ?", provider)
    return {row[1]: _instance_type(row) for row in told}


def key_of(offer: Offer) -> Key:
    """Return what an offer's price is kept under."""
    return (*offer.pool, offer.capacity_type.value, offer.tier.value)


def rows(state_dir: Path, query: str, *arguments: str) -> list[tuple[Any, ...]]:
    """Return rows of the store; none where there is no store. Raises MachineProblem."""
    path = store_path(state_dir)
    if not path.exists():
        return []
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
            return connection.execute(query, arguments).fetchall()
    except sqlite3.Error as error:
        raise MachineProblem(f"{path}: live prices cannot be read: {error}", fix=FIX) from error


def _instance_type(row: Sequence[Any]) -> InstanceType:
    names = ("provider", "name", "gpu", "gpu_count", "gpu_memory_gib", "vcpus", "memory_gib")
    return InstanceType(**dict(zip(names, row, strict=True)))
