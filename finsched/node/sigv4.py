"""AWS Signature Version 4 in headers: who sends a request, and that nobody has changed it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from finsched.node.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be signed; `path` is encoded as it is sent, `query` is not encoded yet.

    A header `x-amz-content-sha256` spares hashing the body once more.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query as it is signed, which is also how it has to be sent."""
    pairs = sorted((quote(name, safe="~"), quote(query[name], safe="~")) for name in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed_headers(
    request: Request, credentials: Credentials, *, region: str, service: str, at: datetime
) -> dict[str, str]:
    """Return all headers of the request with its signature."""
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    headers = {name.lower(): " ".join(value.split()) for name, value in request.headers.items()}
    headers |= {"host": request.host, "x-amz-date": stamp}
    if "x-amz-content-sha256" not in headers:
        headers["x-amz-content-sha256"] = hashlib.sha256(request.body).hexdigest()
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    to_sign = "\n".join([_ALGORITHM, stamp, scope, _digest(_canonical(request, headers, names))])
    signature = hmac.new(_key(credentials, scope), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _canonical(request: Request, headers: Mapping[str, str], names: str) -> str:
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    query = canonical_query(request.query)
    return "\n".join(
        [request.method, request.path, query, *lines, "", names, headers["x-amz-content-sha256"]]
    )


def _key(credentials: Credentials, scope: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
