"""AWS Signature Version 4 in headers: who sends a request, and that nobody has changed it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from finsched.node.identity.credentials import Credentials
from finsched.node.web.request import Request, canonical_query

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed_headers(
    request: Request, credentials: Credentials, *, region: str, service: str, at: datetime
) -> dict[str, str]:
    """Return all headers of the request with its signature.

    A header `x-amz-content-sha256` spares hashing the body once more; S3 alone wants to see it.
    """
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    headers = {name.lower(): " ".join(value.split()) for name, value in request.headers.items()}
    headers |= {"host": request.host, "x-amz-date": stamp}
    payload = headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    if service == "s3":
        headers["x-amz-content-sha256"] = payload
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    canonical = _canonical(request, headers, names, payload)
    to_sign = "\n".join([_ALGORITHM, stamp, scope, _digest(canonical)])
    signature = hmac.new(_key(credentials, scope), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _canonical(request: Request, headers: Mapping[str, str], names: str, payload: str) -> str:
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    query = canonical_query(request.query)
    return "\n".join([request.method, request.path, query, *lines, "", names, payload])


def _key(credentials: Credentials, scope: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
