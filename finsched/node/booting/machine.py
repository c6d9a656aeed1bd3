"""What a machine knows of itself: its name, its age, its place in a gang."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from finsched.node.clock import from_iso, to_iso, utc_now
from finsched.node.identity import azure, gcp
from finsched.node.identity.metadata import METADATA_URL, conversation

_RANK = "/latest/meta-data/ami-launch-index"
_IDENTITY = "/latest/dynamic/instance-identity/document"
_TROUBLE = (OSError, http.client.HTTPException, ValueError, KeyError)


def facts(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return what the agent is told of its machine; a silent endpoint costs only that."""
    url = _metadata_url(plan["cloud"])
    told = {
        "FINSCHED_CLOUD": plan["cloud"],
        "FINSCHED_METADATA_URL": url,
        "FINSCHED_ACCESS": json.dumps(plan["access"]),
    }
    with suppress(*_TROUBLE):
        told |= _own(plan["cloud"], url)
    return told


def node_rank(plan: Mapping[str, Any]) -> str:
    """Return the place in the gang; raises OSError, http.client.HTTPException, ValueError."""
    if plan["node_rank"] is not None:
        return str(plan["node_rank"])
    with conversation(_metadata_url(plan["cloud"])) as answer:
        return str(int(answer(_RANK) or ""))


def _own(cloud: str, url: str) -> dict[str, str]:
    if cloud == "aws":
        with conversation(url) as answer:
            identity = json.loads(answer(_IDENTITY) or "{}")
        started = from_iso(identity["pendingTime"])
        return {
            "FINSCHED_INSTANCE": identity["instanceId"],
            "FINSCHED_MACHINE_STARTED": to_iso(started),
        }
    own = gcp.facts(url) if cloud == "gcp" else azure.facts(url)
    return {**own, **_started_with_the_system()}


def _started_with_the_system() -> dict[str, str]:
    """Return when the operating system started, where the cloud does not say more."""
    root = os.environ.get("FINSCHED_ROOT") or ""
    with suppress(OSError, ValueError, IndexError):
        age = float(Path(f"{root}/proc/uptime").read_text().split()[0])
        return {"FINSCHED_MACHINE_STARTED": to_iso(utc_now() - timedelta(seconds=age))}
    return {}


def _metadata_url(cloud: str) -> str:
    if cloud == "gcp":
        return gcp.metadata_url(os.environ)
    return os.environ.get("FINSCHED_METADATA_URL") or METADATA_URL
