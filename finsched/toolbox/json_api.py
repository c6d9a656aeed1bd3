"""Asks a web API for JSON: for so long at most, again where that helps, with errors of ours.

For providers whose prices need no SDK. It is made of the standard library, which knows proxies and
certificates as well as any: a price list is a few requests, and httpx costs a third of a second of
CPU to import.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from finsched.errors import (
    InvalidRequest,
    NoAnswer,
    NotAuthorized,
    ProviderError,
    ProviderProblem,
    Throttled,
)

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.error import HTTPError
    from urllib.request import OpenerDirector, Request

Query = Mapping[str, str | int]

OTHER_FORM = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What reading an answer raises that has not the form it had."""

_CHUNK_BYTES = 1 << 16
_SHOWN_OF_AN_ERROR = 200
_LONGEST_PAUSE_SECONDS = 2.0
_AGENT = "finsched (gzip)"  # Google compresses only for those who say so here as well
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and how often it is asked for again.

    `silent_seconds` may pass without a byte; `seconds` is all the time of one question, the
    repetitions included.
    """

    seconds: float = 6.0
    silent_seconds: float = 4.0
    tries: int = 3
    retry_seconds: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonApi:
    """One provider's API at an address; `headers` carry its key and are sent nowhere else.

    `fix` is what to do about a provider that does not answer. Raises InvalidRequest for an address
    that is none.
    """

    provider: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = field(default_factory=Patience)
    largest_bytes: int = 64 * 1024 * 1024
    fix: str = "ask again later"

    def __post_init__(self) -> None:
        if not self.address.startswith(("https://", "http://")):
            message = f"{self.provider}: {self.address} is not the address of an API"
            raise InvalidRequest(message, fix=f"correct the address in the table [{self.provider}]")

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the document at a path. Raises a ProviderProblem."""
        return self._answer("GET", path, query, None)

    def post(self, path: str, body: Any, query: Query | None = None) -> Any:
        """Send a document and return the answer, which may be asked for again."""
        return self._answer("POST", path, query, json.dumps(body).encode())

    def _answer(self, method: str, path: str, query: Query | None, body: bytes | None) -> Any:
        from tenacity import (  # noqa: PLC0415 - not for a quote
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_before_delay,
            wait_random_exponential,
        )

        patience = self.patience
        ends_at = time.monotonic() + patience.seconds
        again = Retrying(
            retry=retry_if_exception_type((NoAnswer, Throttled)),
            stop=stop_after_attempt(patience.tries) | stop_before_delay(patience.seconds),
            wait=wait_random_exponential(patience.retry_seconds, max=_LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        target = f"{path}?{urlencode(query)}" if query else path
        return again(lambda: self._once(method, target, body, ends_at))

    def _once(self, method: str, target: str, body: bytes | None, ends_at: float) -> Any:
        from http.client import HTTPException  # noqa: PLC0415
        from urllib.error import HTTPError  # noqa: PLC0415

        request = self._request(method, target, body)
        try:
            with _opener().open(request, timeout=self._wait(ends_at)) as answer:
                return json.loads(b"".join(self._chunks(answer, ends_at)))
        except HTTPError as refusal:
            with refusal:
                raise self._refused(refusal, ends_at) from None
        except (OSError, HTTPException, zlib.error) as error:
            raise self._no_answer(error) from error
        except ValueError as error:
            message = f"{self.provider}: the answer is not JSON: {error}"
            raise ProviderError(message, fix=self.fix) from error

    def _request(self, method: str, target: str, body: bytes | None) -> Request:
        from urllib.request import Request  # noqa: PLC0415

        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _AGENT}
        if body is not None:
            headers["Content-Type"] = "application/json"
        address = self.address.rstrip("/") + target
        own = {**headers, **self.headers}
        return Request(address, body, own, method=method)  # noqa: S310 - http and https only

    def _wait(self, ends_at: float) -> float:
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole answer within {self.patience.seconds:g} s")
        return min(left, self.patience.silent_seconds)

    def _chunks(self, answer: HTTPResponse | HTTPError, ends_at: float) -> Iterator[bytes]:
        """A server that drips is cut off as surely as one that is silent."""
        zipped = answer.headers.get("Content-Encoding") == "gzip"
        unzip = zlib.decompressobj(_GZIP) if zipped else None
        size = 0
        while chunk := answer.read1(_CHUNK_BYTES):
            self._wait(ends_at)
            content = unzip.decompress(chunk, self.largest_bytes) if unzip else chunk
            size += len(content)
            if size >= self.largest_bytes:
                raise ProviderError(f"{self.provider}: the answer is too long", fix=self.fix)
            yield content

    def _refused(self, refusal: HTTPError, ends_at: float) -> ProviderProblem:
        told = self._told(refusal, ends_at) or refusal.reason
        message = f"{self.provider}: status {refusal.code}: {told}"
        match refusal.code:
            case 401 | 403:
                return NotAuthorized(message, fix=f"check the key for {self.provider}")
            case 429:
                return Throttled(message, fix="ask again in a minute")
            case code if code >= 500:
                return NoAnswer(message, fix=self.fix)
        return ProviderError(message, fix=self.fix)

    def _told(self, refusal: HTTPError, ends_at: float) -> str:
        """The beginning of the answer, without what is secret of the request."""
        from http.client import HTTPException  # noqa: PLC0415

        try:
            text = b"".join(self._chunks(refusal, ends_at)).decode(errors="replace")
        except (OSError, HTTPException, zlib.error, ProviderProblem):
            return ""
        for value in self.headers.values():
            for secret in filter(None, (value, value.rpartition(" ")[2])):
                text = text.replace(secret, "...")
        return " ".join(text.split())[:_SHOWN_OF_AN_ERROR]

    def _no_answer(self, error: Exception) -> NoAnswer:
        reason = getattr(error, "reason", None) or error
        told = str(reason) or type(reason).__name__
        return NoAnswer(f"{self.provider}: no answer: {told}", fix=self.fix)


@contextmanager
def known_form(what: str) -> Iterator[None]:
    """Read an answer of a known form. Raises ProviderError, naming `what`, where it has another."""
    try:
        yield
    except OTHER_FORM as error:
        message = f"{what} have another form: {error!r}"
        raise ProviderError(message, fix="update finsched") from error


@lru_cache(maxsize=1)
def _opener() -> OpenerDirector:
    """Proxies as everywhere; no redirect is followed, because it would be sent the key."""
    from urllib.request import HTTPRedirectHandler, build_opener  # noqa: PLC0415

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    return build_opener(Stay)
