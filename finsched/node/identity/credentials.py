"""Keys of AWS: from the environment, or of the machine's own role."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from finsched.node.clock import from_iso
from finsched.node.identity.metadata import METADATA_URL, conversation
from finsched.node.web.renewed import Renewed

_ROLES = "/latest/meta-data/iam/security-credentials/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of an AWS identity, and until when they are valid."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    valid_until: datetime | None = None


def own_keys(environment: Mapping[str, str] = os.environ) -> Renewed[Credentials]:
    """Return the keys that the environment names, or those of the machine's role."""
    if fixed := _from_environment(environment):
        return Renewed(lambda: fixed)
    url = environment.get("FINSCHED_METADATA_URL") or METADATA_URL
    return Renewed(lambda: _role_keys(url))


def _from_environment(environment: Mapping[str, str]) -> Credentials | None:
    access_key = environment.get("AWS_ACCESS_KEY_ID")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if not (access_key and secret_key):
        return None
    return Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN", ""))


def _role_keys(metadata_url: str) -> Credentials:
    with conversation(metadata_url) as answer:
        roles = answer(_ROLES)
        if not roles:
            raise ValueError("the machine has no role; name an instance profile")
        document = json.loads(answer(_ROLES + roles.splitlines()[0]) or "{}")
    return Credentials(
        document["AccessKeyId"],
        document["SecretAccessKey"],
        document["Token"],
        from_iso(document["Expiration"]),
    )
