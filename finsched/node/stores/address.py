"""Where the stores of the clouds answer, and what stands before a key in the path there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from finsched.node.objects import StoreError

GOOGLE = "https://storage.googleapis.com"


def parts_of_uri(uri: str, scheme: str) -> tuple[str, str]:
    """Return bucket (or container) and folder; raises StoreError."""
    parts = urlsplit(uri)
    if parts.scheme != scheme or not parts.netloc:
        raise StoreError(f"cannot open {uri}: it names no {scheme}:// bucket")
    return parts.netloc, unquote(parts.path).strip("/")


def named_options(uri: str, options: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the options where all of them are known; raises StoreError."""
    if unknown := options.keys() - {*names, "allow_http"}:
        raise StoreError(f"cannot open {uri}: unknown option {', '.join(sorted(unknown))}")
    return options


def bucket_address(bucket: str, region: str, endpoint: str = "") -> tuple[str, str]:
    """Return where a bucket of S3 answers."""
    if endpoint:
        return endpoint.rstrip("/"), f"/{bucket}"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if "." in bucket:  # a name with a dot fits no certificate
        return f"https://s3.{region}.{domain}", f"/{bucket}"
    return f"https://{bucket}.s3.{region}.{domain}", ""


def s3_endpoint(environment: Mapping[str, str]) -> str:
    """Return where the environment says that S3 is, as every AWS tool reads it."""
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""


def google_address(options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return where Cloud Storage answers; the path begins with the bucket."""
    named = options.get("base_url") or environment.get("GOOGLE_BASE_URL")
    return (named or GOOGLE).rstrip("/")


def container_address(
    container: str, options: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[str, str]:
    """Return where a container of Azure answers; raises ValueError where no account is named."""
    account = options.get("account_name") or environment.get("AZURE_STORAGE_ACCOUNT_NAME")
    named = options.get("endpoint") or environment.get("AZURE_STORAGE_ENDPOINT")
    if not (account or named):
        raise ValueError("no storage account is named")
    parts = urlsplit(named or f"https://{account}.blob.core.windows.net")
    return f"{parts.scheme}://{parts.netloc}", f"{parts.path.rstrip('/')}/{container}"
