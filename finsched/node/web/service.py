"""Calls to one service in the name of an identity, repeated with jitter where that may help."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from finsched.node.objects import StoreError
from finsched.node.web.connections import Answer, Connections
from finsched.node.web.renewed import Lasting, Renewed, Token
from finsched.node.web.request import Request

# Few and short: the agent has its own back-off and must hear of trouble early.
_TRIES = 4
_PAUSE_SECONDS = 0.25
_PASSES_BY_ITSELF = {408, 429, 500, 502, 503, 504}
_OTHERS_MAY_HELP = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "AuthenticationFailed")
_Lent = TypeVar("_Lent", bound=Lasting)


@dataclass(frozen=True, slots=True)
class Identity(Generic[_Lent]):
    """Who calls: what is lent to it, and how a request shows it."""

    credentials: Renewed[_Lent]
    sign: Callable[[Request, _Lent], Request]


ANYBODY = Identity(Renewed(lambda: Token("")), lambda request, _: request)
"""Who calls where no identity is asked for."""


class Service:
    """One service at one address."""

    def __init__(self, address: str, identity: Identity[Any]) -> None:
        self._identity = identity
        self._connections = Connections(address)

    def call(self, request: Request) -> Answer:
        """Return the last answer, whatever its status; raises StoreError where there is none."""
        for _ in range(_TRIES - 1):
            try:
                answer = self._ask(request)
                if not (answer.status in _PASSES_BY_ITSELF or _was_refused(answer)):
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(_PAUSE_SECONDS * random.uniform(0.5, 2.0))  # noqa: S311 - jitter
        try:
            return self._ask(request)
        except (OSError, http.client.HTTPException) as error:
            words = str(error) or type(error).__name__
            raise StoreError(f"{self._connections.host} does not answer: {words}") from error

    def _ask(self, request: Request) -> Answer:
        lent = self._identity.credentials.get()
        signed = self._identity.sign(replace(request, host=self._connections.host), lent)
        answer = self._connections.exchange(
            signed.method, signed.target, signed.headers, signed.body
        )
        if _was_refused(answer):
            self._identity.credentials.refuse(lent)
        return answer


def error_code(answer: Answer) -> str:
    """Return what the cloud calls the error, or nothing; each has it in a place of its own."""
    if answer.status < 300:
        return ""
    return answer.headers.get("x-ms-error-code") or code_in(answer.body)


def code_in(body: bytes) -> str:
    """Return the code of an error document."""
    found = re.search(rb'<Code>([^<]+)</Code>|"__type":\s*"(?:[^"#]*#)?([^"]+)"', body)
    return (found[1] or found[2]).decode() if found else ""


def _was_refused(answer: Answer) -> bool:
    return answer.status == 401 or error_code(answer) in _OTHERS_MAY_HELP
