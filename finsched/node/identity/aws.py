"""Requests to one AWS service in one region, signed with the keys that are lent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from finsched.node.clock import utc_now
from finsched.node.identity.credentials import Credentials
from finsched.node.identity.sigv4 import signed_headers
from finsched.node.web.request import Request


def signing(service: str, region: str) -> Callable[[Request, Credentials], Request]:
    """Return what signs requests to a service."""

    def sign(request: Request, keys: Credentials) -> Request:
        headers = signed_headers(request, keys, region=region, service=service, at=utc_now())
        return replace(request, headers=headers)

    return sign
