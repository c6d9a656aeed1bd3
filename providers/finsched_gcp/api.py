"""Calls to Google Cloud: a client per service, at a shared pace, with errors as ours.

Operations are polled by our own clients. The SDK's own waiting would poll through a client that it
makes for the public address, whatever address was asked for.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from finsched.errors import NoAnswer, ProviderProblem, Throttled
from finsched.toolbox.error_table import ExpiredCredentials
from finsched.toolbox.token_bucket import TokenBucket
from finsched_gcp.errors import problem_of, problem_of_operation
from finsched_gcp.names import last_part
from finsched_gcp.pace import Patience
from finsched_gcp.sdk import module
from finsched_gcp.settings import ENDPOINT

T = TypeVar("T")

PROJECT = "gcp"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Below what Compute Engine grants a project (docs: API rate quotas), which others of it share.
_CALLS_AT_ONCE = 20
_CALLS_PER_SECOND = 10
_LONGEST_PAUSE_SECONDS = 30.0
_DONE = "DONE"
_UNREACHABLE = "UNREACHABLE"


class Surveyed(NamedTuple):
    """What the whole project holds, and the problems of zones that could not be asked."""

    found: list[Any]
    problems: list[ProviderProblem]


class Fetched(NamedTuple):
    """What an API without a client of ours answered: the document and the headers."""

    document: Mapping[str, Any]
    headers: Mapping[str, str]


class Api:
    """One project; safe to use from several threads."""

    def __init__(
        self, project: str, endpoint: str = ENDPOINT, patience: Patience | None = None
    ) -> None:
        self.project = project
        self.patience = patience or Patience()
        self._endpoint = endpoint.rstrip("/")
        self._lock = threading.RLock()
        self._credentials: Any = None
        self._clients: dict[str, Any] = {}
        self._bucket = TokenBucket(capacity=_CALLS_AT_ONCE, per_second=_CALLS_PER_SECOND)

    def call(self, service: str, method: str, *, once: bool = False, **ask: Any) -> Any:
        """Call a method of a service such as `Instances`; with `once` it is not repeated.

        Raises a `ProviderProblem`; an answer that is lost is `NoAnswer`.
        """
        return self._patiently(lambda: self._ask(service, method, ask), _place(ask), once=once)

    def listed(self, service: str, **ask: Any) -> list[Any]:
        """Return all pages of a list."""

        def pages() -> list[Any]:
            pager = self._ask(service, "list", ask)
            return [item for page in self._paced(pager) for item in page.items]

        return list(self._patiently(pages, _place(ask)))

    def surveyed(self, service: str, key: str, **ask: Any) -> Surveyed:
        """Return what all zones and regions hold, as the field `key` of their lists."""

        def pages() -> Surveyed:
            found: list[Any] = []
            lost: set[str] = set()
            for page in self._paced(self._ask(service, "aggregated_list", ask)):
                lost.update(page.unreachables)
                for name, scope in page.items.items():
                    found.extend(getattr(scope, key))
                    lost |= {name} if scope.warning.code == _UNREACHABLE else set()
            return Surveyed(found, [_unreachable(name) for name in sorted(lost)])

        return self._patiently(pages, PROJECT)

    def finished(self, operation: Any) -> Any:
        """Wait for an operation and return it as it ended, well or not; raises NoAnswer."""
        give_up_at = time.monotonic() + self.patience.operation_seconds
        pause = self.patience.look_seconds
        while operation.status.name != _DONE:
            if time.monotonic() > give_up_at:
                raise NoAnswer(
                    f"gcp: {operation.operation_type} of {last_part(operation.target_link)} has not"
                    f" ended after {self.patience.operation_seconds:.0f} s",
                    fix="look at the project's operations in the console",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, self.patience.longest_look_seconds)
            operation = self._looked_at(operation)
        return operation

    def completed(self, operation: Any) -> Any:
        """Wait for an operation; raises the problem that it ended with."""
        ended = self.finished(operation)
        place = last_part(ended.zone or ended.region)
        if problem := problem_of_operation(ended, f"gcp/{place}" if place else PROJECT):
            raise problem
        return ended

    def fetch(
        self, service: str, path: str, *, document: Mapping[str, Any] | None = None
    ) -> Fetched:
        """Ask an API that the SDK has no client for, such as `storage`; posts a document."""
        public = self._endpoint == ENDPOINT
        base = f"https://{service}.googleapis.com" if public else self._endpoint

        def answer() -> Fetched:
            self._bucket.take()
            method = "GET" if document is None else "POST"
            told = self._session().request(
                method, f"{base}{path}", json=document, timeout=self.patience.read_seconds
            )
            if told.status_code >= 400:
                raise module("google.api_core.exceptions").from_http_response(told)
            return Fetched(told.json(), told.headers)

        return self._patiently(answer, PROJECT)

    # --- how it is asked -----------------------------------------------------------------------

    def _looked_at(self, operation: Any) -> Any:
        if operation.zone:
            zone = last_part(operation.zone)
            return self.call("ZoneOperations", "get", zone=zone, operation=operation.name)
        return self.call("GlobalOperations", "get", operation=operation.name)

    def _ask(self, service: str, method: str, ask: Mapping[str, Any]) -> Any:
        client = self._client(service)
        self._bucket.take()
        request = {"project": self.project, **ask}
        return getattr(client, method)(
            request=request, retry=None, timeout=self.patience.read_seconds
        )

    def _paced(self, pager: Any) -> Iterator[Any]:
        for number, page in enumerate(pager.pages):
            if number:
                self._bucket.take()
            yield page

    def _patiently(self, ask: Callable[[], T], where: str, *, once: bool = False) -> T:
        from tenacity import (  # noqa: PLC0415 - not for a quote
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        again = Retrying(
            retry=retry_if_exception_type((NoAnswer, Throttled)),
            wait=wait_random_exponential(self.patience.retry_seconds, max=_LONGEST_PAUSE_SECONDS),
            stop=stop_after_attempt(1 if once else self.patience.tries),
            reraise=True,
        )
        answer: T = again(self._ours, ask, where)
        return answer

    def _ours(self, ask: Callable[[], T], where: str) -> T:
        with self._as_ours(where):
            return ask()

    @contextmanager
    def _as_ours(self, where: str) -> Iterator[None]:
        try:
            yield
        except _sdk_errors() as error:
            problem = problem_of(error, where)
            if isinstance(problem, ExpiredCredentials):
                self._forget_credentials()
            raise problem from error

    # --- clients -------------------------------------------------------------------------------

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        info = module("google.api_core.gapic_v1.client_info")
        return getattr(module("google.cloud.compute_v1"), f"{service}Client")(
            credentials=self._read_credentials(),
            client_options={"api_endpoint": self._endpoint},
            client_info=info.ClientInfo(user_agent="finsched"),
        )

    def _session(self) -> Any:
        with self._lock:
            if "" not in self._clients:
                http = module("google.auth.transport.requests")
                self._clients[""] = http.AuthorizedSession(self._read_credentials())
            return self._clients[""]

    def _read_credentials(self) -> Any:
        if self._credentials is None:
            _hush()
            self._credentials, _ = module("google.auth").default(scopes=[SCOPE])
        return self._credentials

    def _forget_credentials(self) -> None:
        """The next call reads the credentials anew: somebody may have renewed them."""
        with self._lock:
            self._credentials = None
            self._clients = {}


def _hush() -> None:
    """Spare people what the library says of a project: finsched names it in every call."""
    import logging  # noqa: PLC0415 - not for a quote

    logging.getLogger("google.auth._default").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Your application has authenticated using end user")


def _sdk_errors() -> tuple[type[Exception], ...]:
    return (
        module("google.api_core.exceptions").GoogleAPIError,
        module("google.auth.exceptions").GoogleAuthError,
        module("google.protobuf.json_format").ParseError,
        module("requests").RequestException,
    )


def _place(ask: Mapping[str, Any]) -> str:
    place = ask.get("zone") or ask.get("region")
    return f"{PROJECT}/{place}" if place else PROJECT


def _unreachable(scope: str) -> NoAnswer:
    return NoAnswer(
        f"gcp/{last_part(scope)}: Google could not ask that place",
        fix="try again in a minute: https://status.cloud.google.com",
    )
