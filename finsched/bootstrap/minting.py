"""Short-lived credentials for one folder or container, made by who is signed in on this computer.

They end within the hour. Each cloud's own library says who is signed in; it is imported on use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from finsched.bootstrap.store_place import StorePlace
from finsched.errors import NotConfigured
from finsched.node.clock import utc_now
from finsched.node.identity.bearer import bearing
from finsched.node.objects import StoreError
from finsched.node.web.renewed import Renewed, Token
from finsched.node.web.request import Request
from finsched.node.web.service import ANYBODY, Identity, Service, error_code

LIFETIME = timedelta(hours=1)
GOOGLE_EXCHANGE = "https://sts.googleapis.com"
_BLOB_VERSION = "2021-12-02"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_OF_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_SKEW = timedelta(minutes=5)  # clocks differ, and a credential of the future is refused


def mint_keys(place: StorePlace, bucket: str, role_arn: str = "") -> dict[str, str]:
    """Return keys of AWS for a folder: of a role, or of the signed-in user. Raises StoreError."""
    try:
        from boto3.session import Session  # noqa: PLC0415 - heavy
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise _missing("aws") from error
    ask: dict[str, Any] = {
        "Policy": json.dumps(_policy(bucket, place.folder)),
        "DurationSeconds": int(LIFETIME.total_seconds()),
    }
    try:
        sts = Session().client("sts", region_name=place.region or None)
        given = (
            sts.assume_role(RoleArn=role_arn, RoleSessionName="finsched", **ask)
            if role_arn
            else sts.get_federation_token(Name="finsched", **ask)
        )
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"AWS lends no keys: {error}") from error
    keys = given["Credentials"]
    return {
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "session_token": keys["SessionToken"],
        "valid_until": keys["Expiration"].isoformat(),
    }


def mint_google_token(
    place: StorePlace, bucket: str, source: Token, exchange_url: str = GOOGLE_EXCHANGE
) -> dict[str, str]:
    """Return a token for one bucket's folder in exchange for a wider one; raises StoreError."""
    form = {
        "grant_type": _EXCHANGE,
        "requested_token_type": _OF_ACCESS,
        "subject_token_type": _OF_ACCESS,
        "subject_token": source.value,
        "options": json.dumps(_boundary(bucket, place.folder)),
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = Service(exchange_url, ANYBODY).call(
        Request(method="POST", path="/v1/token", headers=headers, body=urlencode(form).encode())
    )
    if answer.status != 200:
        raise StoreError(f"Google lends no token: {answer.status} {answer.body[:200]!r}")
    given = json.loads(answer.body)
    seconds = min(float(given.get("expires_in", 3600)), LIFETIME.total_seconds())
    ends_at = utc_now() + timedelta(seconds=seconds)
    if source.valid_until is not None:
        ends_at = min(ends_at, source.valid_until)
    return {"token": given["access_token"], "valid_until": ends_at.isoformat()}


def mint_signature(
    place: StorePlace, container: str, account: str, source: Token
) -> dict[str, str]:
    """Return a shared access signature for a container, made with the signed-in user's own key.

    Raises StoreError.
    """
    starts, ends = utc_now() - _SKEW, utc_now() + LIFETIME
    key = _delegation_key(place, source, starts, ends)
    query = {
        "sp": "rcwdl",
        "st": _stamp(starts),
        "se": _stamp(ends),
        "skoid": key["SignedOid"],
        "sktid": key["SignedTid"],
        "skt": key["SignedStart"],
        "ske": key["SignedExpiry"],
        "sks": key["SignedService"],
        "skv": key["SignedVersion"],
        "sv": _BLOB_VERSION,
        "sr": "c",
    }
    named = {**query, "resource": f"/blob/{account}/{container}"}
    text = "\n".join(named.get(field, "") for field in _SIGNED_FIELDS)
    digest = hmac.digest(base64.b64decode(key["Value"]), text.encode(), hashlib.sha256)
    query["sig"] = base64.b64encode(digest).decode()
    return {"token": f"?{urlencode(query)}", "valid_until": ends.isoformat()}


# The order in which Azure signs them; those that are not used are empty lines.
_SIGNED_FIELDS = (
    *("sp", "st", "se", "resource", "skoid", "sktid", "skt", "ske", "sks", "skv"),
    *("saoid", "suoid", "scid", "sip", "spr", "sv", "sr", "snapshot", "ses"),
    *("rscc", "rscd", "rsce", "rscl", "rsct"),
)


def google_token() -> Token:
    """Return a token of who is signed in at Google; raises NotConfigured, StoreError."""
    try:
        import google.auth  # noqa: PLC0415 - heavy
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - heavy
        from google.auth.transport.requests import Request as Transport  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise _missing("gcp") from error
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(Transport())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise StoreError(f"nobody is signed in at Google: {error}") from error
    return Token(str(credentials.token))


def azure_token() -> Token:
    """Return a token of who is signed in at Azure; raises NotConfigured, StoreError."""
    try:
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - heavy
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise _missing("azure") from error
    try:
        given = DefaultAzureCredential().get_token("https://storage.azure.com/.default")
    except ClientAuthenticationError as error:
        raise StoreError(f"nobody is signed in at Azure: {error.message}") from error
    return Token(given.token)


def _delegation_key(
    place: StorePlace, source: Token, starts: datetime, ends: datetime
) -> Mapping[str, str]:
    body = (
        '<?xml version="1.0" encoding="utf-8"?><KeyInfo>'
        f"<Start>{_stamp(starts)}</Start><Expiry>{_stamp(ends)}</Expiry></KeyInfo>"
    )
    identity = Identity(Renewed(lambda: source), bearing(_BLOB_VERSION))
    account_path = place.base.rpartition("/")[0] or "/"
    answer = Service(place.address, identity).call(
        Request(
            method="POST",
            path=account_path,
            query={"restype": "service", "comp": "userdelegationkey"},
            body=body.encode(),
        )
    )
    if answer.status != 200:
        raise StoreError(f"Azure lends no signature: {answer.status} {error_code(answer)}")
    fields = re.findall(r"<(Signed\w+|Value)>([^<]+)<", answer.body.decode())
    return dict(fields)


def _policy(bucket: str, folder: str) -> dict[str, Any]:
    below = f"arn:aws:s3:::{bucket}/{folder}/*" if folder else f"arn:aws:s3:::{bucket}/*"
    objects = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")
    allowed = [
        {"Effect": "Allow", "Action": [f"s3:{name}" for name in objects], "Resource": below},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    ]
    return {"Version": "2012-10-17", "Statement": allowed}


def _boundary(bucket: str, folder: str) -> dict[str, Any]:
    objects = f"projects/_/buckets/{bucket}/objects/{folder}"
    listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')"
    condition = f"resource.name.startsWith('{objects}') || {listed}.startsWith('{folder}')"
    rule = {
        "availableResource": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "availablePermissions": ["inRole:roles/storage.objectUser"],
        "availabilityCondition": {"expression": condition},
    }
    return {"accessBoundary": {"accessBoundaryRules": [rule]}}


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _missing(extra: str) -> NotConfigured:
    return NotConfigured(
        f"credentials of {extra} cannot be lent: its library is not installed",
        fix=f"pip install 'finsched[{extra}]', or set up a federation instead",
    )
