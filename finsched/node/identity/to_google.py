"""A token of Google for a machine of another cloud, in exchange for its own identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from finsched.node.clock import from_iso, utc_now
from finsched.node.objects import StoreError
from finsched.node.web.connections import Answer
from finsched.node.web.renewed import Token
from finsched.node.web.request import Request
from finsched.node.web.service import ANYBODY, Service

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TYPES = "urn:ietf:params:oauth:token-type"


def access_token(access: Mapping[str, Any], environment: Mapping[str, str]) -> Token:
    """Return a token of the workload identity, or of the service account that it acts as.

    Raises OSError, http.client.HTTPException, ValueError, KeyError, StoreError.
    """
    kind, subject = _subject(access, environment)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": access["provider"],
        "scope": _SCOPE,
        "requested_token_type": f"{_TYPES}:access_token",
        "subject_token_type": kind,
        "subject_token": subject,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = _post(access["exchange_url"], "/v1/token", headers, urlencode(form).encode())
    given = json.loads(answer.body)
    token = Token(given["access_token"], utc_now() + timedelta(seconds=float(given["expires_in"])))
    return _acting(access, token) if access["service_account"] else token


def _subject(access: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, str]:
    if access["cloud"] == "aws":
        return "urn:ietf:params:aws:token-type:aws4_request", _caller_identity(access, environment)
    from finsched.node.identity.identity_token import identity_token  # noqa: PLC0415 - not from AWS

    return f"{_TYPES}:jwt", identity_token(access, environment)


def _caller_identity(access: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return a signed request that Google sends to AWS, to hear who has signed it."""
    from finsched.node.identity.aws import signing  # noqa: PLC0415 - on AWS only
    from finsched.node.identity.credentials import own_keys  # noqa: PLC0415 - on AWS only

    region = access["region"]
    url = f"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    request = Request(
        method="POST",
        host=urlsplit(url).netloc,
        path="/",
        query={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
        headers={"x-goog-cloud-target-resource": access["provider"]},
    )
    signed = signing("sts", region)(request, own_keys(environment).get())
    headers = [{"key": name, "value": value} for name, value in signed.headers.items()]
    return quote(json.dumps({"url": url, "method": "POST", "headers": headers}))


def _acting(access: Mapping[str, Any], token: Token) -> Token:
    account = quote(access["service_account"])
    path = f"/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    headers = {"content-type": "application/json", "authorization": f"Bearer {token.value}"}
    body = json.dumps({"scope": [_SCOPE]}).encode()
    given = json.loads(_post(access["account_url"], path, headers, body).body)
    return Token(given["accessToken"], from_iso(given["expireTime"]))


def _post(address: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    request = Request(method="POST", path=path, headers=headers, body=body)
    answer = Service(address, ANYBODY).call(request)
    if answer.status != 200:
        said = answer.body[:300].decode(errors="replace")
        raise StoreError(f"Google refuses this machine: {answer.status} {said}")
    return answer
