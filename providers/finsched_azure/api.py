"""Calls to Azure Resource Manager: one subscription, at a shared pace, with errors as ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from finsched.errors import NotConfigured, ProviderProblem
from finsched.toolbox.error_table import ExpiredCredentials
from finsched.toolbox.token_bucket import TokenBucket
from finsched_azure.errors import problem_of
from finsched_azure.pace import Patience

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings

# Azure refills 10 writes a second and principal in a region, which other tools share
# (https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling)
_CALLS_AT_ONCE = 50
_CALLS_PER_SECOND = 10
_NETWORK = {
    "network_interfaces",
    "network_security_groups",
    "public_ip_addresses",
    "virtual_networks",
}
_WHERE = "azure"
_LOOK_SECONDS = 0.1

Description = Mapping[str, Any]


class Answered(NamedTuple):
    """What a plain request to Resource Manager was answered."""

    body: Description
    headers: Mapping[str, str]


class Operation:
    """Something that Azure has begun and goes on with."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; return whether it has ended well.

        Raises the `ProviderProblem` that it ended with.
        """
        with as_ours():
            self._poller.wait(seconds)
            if not self._poller.done():
                return False
            self._poller.result()
            return True


class Api:
    """One subscription; safe to use from several threads.

    `credential` replaces the one that the SDK finds. An endpoint without TLS gets no token.
    """

    def __init__(
        self,
        settings: AzureSettings,
        patience: Patience | None = None,
        *,
        credential: Any = None,
    ) -> None:
        self.subscription = settings.subscription
        self.endpoint = settings.endpoint
        self.patience = patience or Patience()
        self._given_credential = credential
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}
        self._credential: Any = None
        self._bucket = TokenBucket(capacity=_CALLS_AT_ONCE, per_second=_CALLS_PER_SECOND)

    @property
    def sends_tokens(self) -> bool:
        """Whether the endpoint may see a token."""
        return self.endpoint.startswith("https://")

    def call(self, operation: str, *which: str, **ask: Any) -> Description:
        """Call one operation of the SDK, such as `virtual_machines.get`, and return its JSON.

        Raises a `ProviderProblem`; an answer that is lost is `NoAnswer`.
        """
        with self._guarded():
            answer: Description = self._operation(operation)(*which, **ask).as_dict()
            return answer

    def listed(self, operation: str, *which: str, **ask: Any) -> list[Description]:
        """Return all pages of a list."""
        with self._guarded():
            return [each.as_dict() for each in self._operation(operation)(*which, **ask)]

    def begin(self, operation: str, *which: Any, **ask: Any) -> Operation:
        """Begin what takes Azure a while; what it refuses at once is raised here."""
        with self._guarded():
            return Operation(self._operation(operation)(*which, **ask))

    def begin_and_leave(self, operation: str, *which: Any, **ask: Any) -> None:
        """Begin something whose end nobody waits for."""
        self.begin(operation, *which, polling=False, **ask)

    def ask(self, method: str, path: str, version: str, body: Any = None, **query: str) -> Answered:
        """Send a plain request below the subscription, for what the SDK has no operation."""
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy

        url = f"/subscriptions/{self.subscription}{path}"
        with self._guarded():
            request = HttpRequest(method, url, params={"api-version": version, **query}, json=body)
            return self._sent(request)

    def ask_list(self, path: str, version: str, **query: str) -> list[Description]:
        """Return all pages of a list for which the SDK has no operation."""
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy

        page = self.ask("GET", path, version, None, **query).body
        found = list(page.get("value", ()))
        while following := page.get("nextLink"):
            with self._guarded():
                page = self._sent(HttpRequest("GET", following)).body
            found.extend(page.get("value", ()))
        return found

    def credential(self) -> Any:
        """Return what gives tokens. Raises NotConfigured where there is nothing."""
        with self._lock:
            if self._credential is None:
                self._credential = self._given_credential or _default_credential()
            return self._credential

    def token(self) -> str:
        """Return a token for Resource Manager. Raises a `ProviderProblem`."""
        if not self.sends_tokens:
            raise NotConfigured(
                f"azure: {self.endpoint} gets no token, as it has no TLS",
                fix="set azure.endpoint to an address with https://",
            )
        with self._guarded():
            return str(self.credential().get_token(self.scope).token)

    @property
    def scope(self) -> str:
        """What a token is asked for."""
        return f"{self.endpoint}/.default"

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with as_ours():
                yield
        except ExpiredCredentials:
            self._forget_credentials()
            raise

    def _forget_credentials(self) -> None:
        """The next call reads the credentials anew: somebody may have renewed them."""
        with self._lock:
            self._credential = None
            self._clients = {}

    def _sent(self, request: Any) -> Answered:
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - heavy
        from azure.mgmt.core.exceptions import ARMErrorFormat  # noqa: PLC0415 - heavy

        response = self._client("compute").send_request(request)
        if response.status_code >= 400:
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        body = response.json() if response.content else {}
        return Answered(body, response.headers)

    def _operation(self, operation: str) -> Any:
        group, _, name = operation.partition(".")
        client = self._client("network" if group in _NETWORK else "compute")
        return getattr(getattr(client, group), name)

    def _client(self, kind: str) -> Any:
        with self._lock:
            if kind not in self._clients:
                self._clients[kind] = self._new_client(kind)
            return self._clients[kind]

    def _new_client(self, kind: str) -> Any:
        options: dict[str, Any] = {
            "base_url": self.endpoint,
            "credential_scopes": [self.scope],
            "custom_hook_policy": self._pace(),
            "polling_interval": self.patience.operation_seconds,
            "connection_timeout": self.patience.connect_seconds,
            "read_timeout": self.patience.read_seconds,
            "retry_total": self.patience.tries - 1,
            "retry_backoff_factor": self.patience.retry_seconds,
            "user_agent": "finsched",
        }
        credential: Any = _NoCredential()
        if self.sends_tokens:
            credential = self.credential()
        else:
            options |= _without_tokens()
        return _client_class(kind)(credential, self.subscription, **options)

    def _pace(self) -> Any:
        """Each request takes a token of the bucket, the SDK's own repetitions too."""
        from azure.core.pipeline.policies import SansIOHTTPPolicy  # noqa: PLC0415 - heavy

        bucket = self._bucket

        class Pace(SansIOHTTPPolicy):  # type: ignore[type-arg, unused-ignore]
            def on_request(self, request: Any) -> None:  # noqa: ARG002 - the SDK's signature
                bucket.take()

            def on_response(self, request: Any, response: Any) -> None:  # noqa: ARG002
                if response.http_response.status_code >= 400:
                    response.http_response.read()  # a refusal that is not read keeps its connection

        return Pace()


class _NoCredential:
    """Stands where the SDK insists on a credential that it then does not use."""


@contextmanager
def as_ours() -> Iterator[None]:
    """Raise what the SDK raises as the problem that it is."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - heavy

    try:
        yield
    except AzureError as error:
        raise problem_of(error, _WHERE) from error


class Waiting(Protocol):
    """Something whose end can be waited for."""

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; return whether it has ended well, or raise its problem."""
        ...


def first_problem(operations: Sequence[Waiting], seconds: float) -> ProviderProblem | None:
    """Wait for all, at most so long, and return a problem as soon as there is one."""
    give_up_at = time.monotonic() + seconds
    pending = list(operations)
    while pending and time.monotonic() < give_up_at:
        operation = pending.pop(0)
        try:
            if not operation.wait(_LOOK_SECONDS):
                pending.append(operation)
        except ProviderProblem as problem:
            return problem
    return None


def _client_class(kind: str) -> Any:
    if kind == "network":
        from azure.mgmt.network import NetworkManagementClient  # noqa: PLC0415 - heavy

        return NetworkManagementClient
    from azure.mgmt.compute import ComputeManagementClient  # noqa: PLC0415 - heavy

    return ComputeManagementClient


def _without_tokens() -> dict[str, Any]:
    from azure.core.pipeline.policies import SansIOHTTPPolicy  # noqa: PLC0415 - heavy

    return {"authentication_policy": SansIOHTTPPolicy()}


def _default_credential() -> Any:
    import os  # noqa: PLC0415

    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy

    from finsched_azure.credentials import is_on_azure  # noqa: PLC0415

    has_identity = is_on_azure() or any(map(os.environ.get, ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")))
    return DefaultAzureCredential(exclude_managed_identity_credential=not has_identity)
