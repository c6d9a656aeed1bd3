"""What a machine will fetch is put into the run's store, under names that are its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from finsched.bootstrap import archive
from finsched.errors import StoreProblem
from finsched.node.clock import from_iso
from finsched.node.store import Store, StoreError

_LONGER_THAN_THE_AGENT_NEEDS = timedelta(minutes=2)


class Delivered(NamedTuple):
    """An object in the run's store."""

    key: str
    sha256: str


def deliver_agent(store: Store) -> Delivered:
    """Put the node agent there, if it is not there yet; raises StoreProblem."""
    return _deliver(store, "zip", archive.agent().content)


def deliver_config(store: Store, config: Mapping[str, Any]) -> Delivered:
    """Put a node's document there, if it is not there yet; raises StoreProblem."""
    return _deliver(store, "json", json.dumps(config, sort_keys=True).encode())


def latest_end(config: Mapping[str, Any]) -> datetime | None:
    """Return when a node is off at the latest, by its document: the agent should end before."""
    moments = [from_iso(stop["at"]) for stop in config.get("stop_at") or ()]
    if not moments:
        return None
    reserve = timedelta(seconds=float(config.get("reserve_seconds", 0.0)))
    return min(moments) + reserve + _LONGER_THAN_THE_AGENT_NEEDS


def _deliver(store: Store, suffix: str, content: bytes) -> Delivered:
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"node/{sha256}.{suffix}"
    try:
        if not any(stored.key == key for stored in store.list("node")):
            store.create(key, content)
    except StoreError as error:
        raise StoreProblem(
            f"the node agent cannot be left in the run's store: {error}",
            fix="make the store writable, or choose another with --store",
        ) from error
    return Delivered(key, sha256)
