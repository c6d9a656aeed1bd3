"""Requests that show a token, as those of Google and Azure do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import parse_qsl

from finsched.node.web.renewed import Token
from finsched.node.web.request import Request


def bearing(azure_version: str = "") -> Callable[[Request, Token], Request]:
    """Return what puts the token on a request, and what Azure's storage wants besides.

    What begins with `?` is a shared access signature of Azure, which goes into the query.
    """

    def sign(request: Request, token: Token) -> Request:
        own = dict(request.headers)
        if azure_version:
            own |= {"x-ms-version": azure_version, "x-ms-date": formatdate(usegmt=True)}
        if token.value.startswith("?"):
            return replace(
                request, headers=own, query={**request.query, **dict(parse_qsl(token.value[1:]))}
            )
        return replace(request, headers={**own, "authorization": f"Bearer {token.value}"})

    return sign
