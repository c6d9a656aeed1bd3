"""Signed calls to one AWS service, repeated with jitter where that may help."""

from __future__ import annotations

import http.client
import random
import re
import time
from dataclasses import replace

from finsched.node.clock import utc_now
from finsched.node.credentials import Keyring, NoCredentials
from finsched.node.objects import StoreError
from finsched.node.sigv4 import Request, canonical_query, signed_headers
from finsched.node.web import Answer, Connections

# Few and short: the agent has its own back-off and must hear of trouble early.
_TRIES = 4
_PAUSE_SECONDS = 0.25
_PASSES_BY_ITSELF = {429, 500, 502, 503, 504}
_OTHER_KEYS_MAY_HELP = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")


class Service:
    """One AWS service in one region, at one address."""

    def __init__(self, name: str, address: str, region: str, keyring: Keyring) -> None:
        self.region = region
        self._name = name
        self._keyring = keyring
        self._connections = Connections(address)

    def call(self, request: Request) -> Answer:
        """Return the last answer, whatever its status; raises StoreError where there is none."""
        for _ in range(_TRIES - 1):
            try:
                answer = self._ask(request)
                if not self._may_pass(answer):
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(_PAUSE_SECONDS * random.uniform(0.5, 2.0))  # noqa: S311 - jitter
        try:
            return self._ask(request)
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(
                f"{self._connections.host} does not answer: {_words(error)}"
            ) from error

    def _ask(self, request: Request) -> Answer:
        try:
            keys = self._keyring.keys()
        except NoCredentials as error:
            raise StoreError(str(error)) from error
        request = replace(request, host=self._connections.host)
        headers = signed_headers(
            request, keys, region=self.region, service=self._name, at=utc_now()
        )
        query = canonical_query(request.query)
        target = f"{request.path}?{query}" if query else request.path
        answer = self._connections.exchange(request.method, target, headers, request.body)
        if error_code(answer) in _OTHER_KEYS_MAY_HELP:
            self._keyring.refuse(keys)
        return answer

    def _may_pass(self, answer: Answer) -> bool:
        return answer.status in _PASSES_BY_ITSELF or error_code(answer) in _OTHER_KEYS_MAY_HELP


def error_code(answer: Answer) -> str:
    """Return what AWS calls the error, or nothing; XML and JSON have it in different places."""
    return code_in(answer.body) if answer.status >= 300 else ""


def code_in(body: bytes) -> str:
    """Return the code of an error document."""
    found = re.search(rb'<Code>([^<]+)</Code>|"__type":\s*"(?:[^"#]*#)?([^"]+)"', body)
    return (found[1] or found[2]).decode() if found else ""


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
