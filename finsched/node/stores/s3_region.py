"""Where a bucket is: S3 tells anybody who asks, also without keys."""

from __future__ import annotations

import http.client
from functools import lru_cache

from finsched.node.web.connections import Connections

_ANY_REGION = "https://s3.amazonaws.com"


@lru_cache(maxsize=64)
def bucket_region(bucket: str, address: str = _ANY_REGION) -> str:
    """Return the region of a bucket; nothing where S3 cannot be asked or does not say."""
    try:
        answer = Connections(address).exchange("HEAD", f"/{bucket}", {})
    except (OSError, http.client.HTTPException):
        return ""
    return answer.headers.get("x-amz-bucket-region", "")
