"""Who signs the calls of this machine: keys from the environment, or the machine's own role."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from finsched.node.clock import from_iso, utc_now
from finsched.node.metadata import METADATA_URL, conversation

_ROLES = "/latest/meta-data/iam/security-credentials/"
_RENEW_BEFORE_THE_END = timedelta(minutes=5)


class NoCredentials(Exception):
    """Nobody lends this machine keys; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of an AWS identity, and until when they are valid."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    valid_until: datetime | None = None


class Keyring:
    """The keys in force; those of the machine's role are renewed before they end."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._fixed = _from_environment(environment)
        self._metadata_url = environment.get("FINSCHED_METADATA_URL") or METADATA_URL
        self._held: Credentials | None = None
        self._lock = threading.Lock()

    def keys(self) -> Credentials:
        """Return keys that are valid now; raises NoCredentials."""
        if self._fixed:
            return self._fixed
        with self._lock:
            if self._held is None or _ends_soon(self._held):
                self._held = self._renewed()
            return self._held

    def refuse(self, refused: Credentials) -> bool:
        """Forget keys that were refused; False where there are no others to be had."""
        with self._lock:
            if self._held is refused:
                self._held = None
        return self._fixed is None

    def _renewed(self) -> Credentials:
        try:
            return _role_keys(self._metadata_url)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            if self._held and self._held.valid_until and utc_now() < self._held.valid_until:
                return self._held
            raise NoCredentials(f"no credentials from {self._metadata_url}: {error}") from error


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


def _ends_soon(credentials: Credentials) -> bool:
    end = credentials.valid_until
    return end is not None and utc_now() >= end - _RENEW_BEFORE_THE_END
