"""Requests that show a token, as those of Google and Azure do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from finsched.node.renewed import Token
from finsched.node.request import Request


def bearing(headers: Mapping[str, str] | None = None) -> Callable[[Request, Token], Request]:
    """Return what puts the token, and these headers, on a request.

    What begins with `?` is a shared access signature of Azure, which goes into the query.
    """
    fixed = dict(headers or {})

    def sign(request: Request, token: Token) -> Request:
        own = {**fixed, **request.headers}
        if token.value.startswith("?"):
            return replace(
                request, headers=own, query={**request.query, **dict(parse_qsl(token.value[1:]))}
            )
        return replace(request, headers={**own, "authorization": f"Bearer {token.value}"})

    return sign
