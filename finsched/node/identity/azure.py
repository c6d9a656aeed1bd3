"""What the Instance Metadata Service of Azure tells a machine of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from finsched.node.clock import from_timestamp
from finsched.node.identity.metadata import METADATA_URL, ask
from finsched.node.web.renewed import Token

STORAGE = "https://storage.azure.com/"
_HEADERS = {"metadata": "true"}
_VERSIONS = {
    "identity/oauth2/token": "2018-02-01",
    "instance/compute": "2021-02-01",
    "scheduledevents": "2020-07-01",
}
_SLOW_SECONDS = 10.0  # the first answers of a machine may take that long


def metadata_url(environment: Mapping[str, str]) -> str:
    """Return where the service answers."""
    return environment.get("FINSCHED_METADATA_URL") or METADATA_URL


def access_token(url: str, resource: str, client_id: str = "") -> Token:
    """Return a token of the machine's managed identity for a resource.

    Raises OSError, http.client.HTTPException, ValueError, KeyError.
    """
    query = {"resource": resource, **({"client_id": client_id} if client_id else {})}
    document = answer(url, "identity/oauth2/token", query)
    return Token(document["access_token"], from_timestamp(float(document["expires_on"])))


def virtual_machine_path(url: str) -> str:
    """Return what names this machine in the API of the Resource Manager."""
    return str(answer(url, "instance/compute")["resourceId"])


def facts(url: str) -> dict[str, str]:
    """Return what the agent is told of its machine; its start is known to nobody here."""
    return {"FINSCHED_INSTANCE": answer(url, "instance/compute")["name"]}


def answer(url: str, path: str, query: Mapping[str, str] | None = None) -> Any:
    """Return the document that stands under a path."""
    asked = urlencode({"api-version": _VERSIONS[path], **(query or {})})
    told = ask(f"{url}/metadata/{path}?{asked}", _HEADERS, wait_seconds=_SLOW_SECONDS)
    if told.status != 200:
        raise ValueError(
            f"the metadata service answered {told.status} for {path}: {told.body[:200]}"
        )
    return json.loads(told.body)
