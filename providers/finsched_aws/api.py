"""Calls to AWS: a client per region, at a shared pace, with errors as ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from finsched.errors import ProviderProblem
from finsched.toolbox.error_table import ExpiredCredentials
from finsched.toolbox.side_by_side import as_answered
from finsched.toolbox.token_bucket import TokenBucket
from finsched_aws.errors import problem_of
from finsched_aws.pace import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_FIRST_REGION = "us-east-1"
_REGIONS_AT_ONCE = 8
# Below what EC2 grants an account (docs: request throttling), which others of the account share.
_CALLS_AT_ONCE = 20
_CALLS_PER_SECOND = 10

Description = Mapping[str, Any]


class Surveyed(NamedTuple):
    """What regions said, and the problems of those that could not be asked."""

    found: list[Any]
    problems: list[ProviderProblem]


class Api:
    """One account; safe to use from several threads.

    `regions` are those that may be used; empty means every one that the account has enabled.
    """

    def __init__(self, regions: Sequence[str] = (), patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._regions = tuple(regions)
        self._lock = threading.RLock()
        self._session: Any = None
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def call(
        self, region: str, operation: str, *, service: str = "ec2", once: bool = False, **ask: Any
    ) -> Any:
        """Call one operation; with `once` the SDK does not repeat it, whatever the answer.

        Raises a `ProviderProblem`; an answer that is lost is `NoAnswer`.
        """
        with self._as_ours(region):
            return getattr(self._client(service, region, once=once), operation)(**ask)

    def listed(
        self, region: str, operation: str, key: str, *, service: str = "ec2", **ask: Any
    ) -> list[Any]:
        """Return all pages of a list."""
        with self._as_ours(region):
            client = self._client(service, region, once=False)
            if not client.can_paginate(operation):
                return list(getattr(client, operation)(**ask).get(key, ()))
            pages = client.get_paginator(operation).paginate(**ask)
            return [described for page in pages for described in page.get(key, ())]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that may be used."""
        if not self._regions:
            described = self.listed(self._home_region(), "describe_regions", "Regions")
            self._regions = tuple(sorted(region["RegionName"] for region in described))
        return self._regions

    def survey(self, ask: Callable[[str], Iterable[Any]]) -> Surveyed:
        """Ask every region at once."""
        found, problems = [], []
        questions = [partial(_answer, ask, region) for region in self.regions]
        for answer in as_answered(questions, _REGIONS_AT_ONCE, name="aws"):
            if isinstance(answer, ProviderProblem):
                problems.append(answer)
            else:
                found.extend(answer)
        return Surveyed(found, problems)

    def _home_region(self) -> str:
        with self._as_ours(_FIRST_REGION), self._lock:
            return self._open_session().region_name or _FIRST_REGION

    @contextmanager
    def _as_ours(self, region: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy
        from botocore.parsers import ResponseParserError  # noqa: PLC0415 - heavy

        try:
            yield
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            problem = problem_of(error, f"aws/{region}")
            if isinstance(problem, ExpiredCredentials):
                self._forget_credentials()
            raise problem from error

    def _forget_credentials(self) -> None:
        """The next call reads the credentials anew: somebody may have renewed them."""
        with self._lock:
            self._session = None
            self._clients = {}

    def _client(self, service: str, region: str, *, once: bool) -> Any:
        with self._lock:
            key = (service, region, once)
            if key not in self._clients:
                self._clients[key] = self._new_client(service, region, once=once)
            return self._clients[key]

    def _new_client(self, service: str, region: str, *, once: bool) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - heavy

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1 if once else self.patience.tries},
            connect_timeout=self.patience.connect_seconds,
            read_timeout=self.patience.read_seconds,
            max_pool_connections=_CALLS_AT_ONCE,
            user_agent_extra="finsched",
        )
        client = self._open_session().client(service, region_name=region, config=config)
        bucket = self._bucket(service, region)
        client.meta.events.register(f"before-send.{service}", lambda **_: bucket.take())
        return client

    def _open_session(self) -> Any:
        from boto3.session import Session  # noqa: PLC0415 - heavy

        self._session = self._session or Session()
        return self._session

    def _bucket(self, service: str, region: str) -> TokenBucket:
        fresh = TokenBucket(capacity=_CALLS_AT_ONCE, per_second=_CALLS_PER_SECOND)
        return self._buckets.setdefault((service, region), fresh)


def _answer(ask: Callable[[str], Iterable[T]], region: str) -> list[T] | ProviderProblem:
    try:
        return list(ask(region))
    except ProviderProblem as problem:
        return problem
