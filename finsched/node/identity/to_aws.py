"""Keys of a role of AWS for a machine of another cloud, in exchange for its identity token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from finsched.node.clock import from_iso
from finsched.node.identity.credentials import Credentials
from finsched.node.identity.identity_token import identity_token
from finsched.node.objects import StoreError
from finsched.node.web.request import Request
from finsched.node.web.service import ANYBODY, Service, error_code

_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


def role_keys(access: Mapping[str, Any], environment: Mapping[str, str]) -> Credentials:
    """Assume the role; the call is not signed, the token says who asks.

    Raises OSError, http.client.HTTPException, ValueError, KeyError, StoreError.
    """
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": access["role_arn"],
        "RoleSessionName": "finsched",
        "WebIdentityToken": identity_token(access, environment),
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = Service(access["exchange_url"], ANYBODY).call(
        Request(method="POST", path="/", headers=headers, body=urlencode(form).encode())
    )
    if answer.status != 200:
        raise StoreError(f"AWS refuses the role {access['role_arn']}: {error_code(answer)}")
    access_key, secret_key, token, end = (_text(answer.body, name) for name in _FIELDS)
    return Credentials(access_key, secret_key, token, from_iso(end))


def _text(body: bytes, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)<".encode(), body)
    if not found:
        raise ValueError(f"the token service of AWS names no {name}")
    return found[1].decode()
