"""A token of Entra ID for a machine of another cloud, in exchange for its identity token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from finsched.node.clock import utc_now
from finsched.node.identity.identity_token import identity_token
from finsched.node.objects import StoreError
from finsched.node.web.renewed import Token
from finsched.node.web.request import Request
from finsched.node.web.service import ANYBODY, Service

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def access_token(access: Mapping[str, Any], environment: Mapping[str, str]) -> Token:
    """Return a token for Azure's storage; the machine's own token stands for the application.

    Raises OSError, http.client.HTTPException, ValueError, KeyError, StoreError.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": access["client_id"],
        "scope": "https://storage.azure.com/.default",
        "client_assertion_type": _ASSERTION,
        "client_assertion": identity_token(access, environment),
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    path = f"/{quote(access['tenant_id'], safe='')}/oauth2/v2.0/token"
    answer = Service(access["exchange_url"], ANYBODY).call(
        Request(method="POST", path=path, headers=headers, body=urlencode(form).encode())
    )
    if answer.status != 200:
        said = answer.body[:300].decode(errors="replace")
        raise StoreError(f"Entra ID refuses this machine: {answer.status} {said}")
    given = json.loads(answer.body)
    return Token(given["access_token"], utc_now() + timedelta(seconds=float(given["expires_in"])))
