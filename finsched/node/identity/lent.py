"""Short-lived credentials of another cloud, which the launcher leaves in a store of this one.

The object is `{"access_key", "secret_key", "session_token"}` or `{"token"}`, and `valid_until`; the
launcher replaces it before they end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from finsched.node.clock import from_iso
from finsched.node.identity.credentials import Credentials
from finsched.node.objects import StoreError
from finsched.node.web.renewed import Token
from finsched.node.web.request import Request
from finsched.node.web.service import Identity, Service, error_code


def lent_keys(mailbox: Mapping[str, Any], identity: Identity[Any]) -> Credentials:
    """Return keys of AWS; raises ValueError, KeyError, StoreError."""
    given = _read(mailbox, identity)
    return Credentials(
        given["access_key"],
        given["secret_key"],
        given["session_token"],
        from_iso(given["valid_until"]),
    )


def lent_token(mailbox: Mapping[str, Any], identity: Identity[Any]) -> Token:
    """Return a token, or a shared access signature; raises ValueError, KeyError, StoreError."""
    given = _read(mailbox, identity)
    return Token(given["token"], from_iso(given["valid_until"]))


def _read(mailbox: Mapping[str, Any], identity: Identity[Any]) -> Mapping[str, Any]:
    service = Service(mailbox["address"], identity)
    answer = service.call(Request(method="GET", path=mailbox["path"]))
    if answer.status != 200:
        raise StoreError(f"nothing is lent: {answer.status} {error_code(answer)}")
    document: Mapping[str, Any] = json.loads(answer.body)
    return document
