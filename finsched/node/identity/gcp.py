"""What the metadata service of Google Compute Engine tells a machine of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from finsched.node.clock import utc_now
from finsched.node.identity.metadata import Told, ask
from finsched.node.web.renewed import Token

METADATA_URL = "http://metadata.google.internal"
_PREFIX = "/computeMetadata/v1/"
_ACCOUNT = "instance/service-accounts/default"
_HEADERS = {"metadata-flavor": "Google"}


def metadata_url(environment: Mapping[str, str]) -> str:
    """Return where the service answers."""
    return environment.get("FINSCHED_METADATA_URL") or METADATA_URL


def answer(url: str, path: str) -> str:
    """Return what stands under a path; raises OSError, http.client.HTTPException, ValueError."""
    return ask_for(url, path).body


def ask_for(url: str, path: str, *, wait_seconds: float = 0.0) -> Told:
    """Return all that is said of a path; raises as `answer` does."""
    told = ask(f"{url}{_PREFIX}{path}", _HEADERS, wait_seconds=wait_seconds)
    if told.status != 200:
        raise ValueError(f"the metadata service answered {told.status} for {path}")
    return told


def access_token(url: str) -> Token:
    """Return a token of the machine's service account."""
    document = json.loads(answer(url, f"{_ACCOUNT}/token"))
    valid_until = utc_now() + timedelta(seconds=float(document["expires_in"]))
    return Token(document["access_token"], valid_until)


def identity_token(url: str, audience: str) -> str:
    """Return a signed statement of who this machine is, for one audience."""
    return answer(url, f"{_ACCOUNT}/identity?audience={quote(audience, safe='')}&format=full")


def instance_path(url: str) -> str:
    """Return what names this machine in the API of Compute Engine."""
    project = answer(url, "project/project-id")
    zone = answer(url, "instance/zone").rpartition("/")[2]
    return f"/compute/v1/projects/{project}/zones/{zone}/instances/{answer(url, 'instance/name')}"


def facts(url: str) -> dict[str, str]:
    """Return what the agent is told of its machine; its start is known to nobody here."""
    return {"FINSCHED_INSTANCE": answer(url, "instance/name")}
