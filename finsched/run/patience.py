"""How long a person who ends a run waits for clouds and stores that do not answer."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import TypeVar

from finsched.errors import NoAnswer
from finsched.model.market import Offer
from finsched.model.run import Attempt
from finsched.node.store import Store, StoredObject, StoreError
from finsched.provider import (
    Capacity,
    Compute,
    Instance,
    InstanceStatus,
    LaunchRequest,
    Provider,
    Quota,
)

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.1


class Patience:
    """Waits for answers as long as they take, and for a while only once the end was asked for.

    Every call gets the least, which a cloud that does answer does not need. A call that is waited
    for no longer goes on in its thread: it is one whose answer is lost.
    """

    def __init__(self, *, after_a_stop_seconds: float = 20.0, least_seconds: float = 8.0) -> None:
        self._after_a_stop_seconds = after_a_stop_seconds
        self._least_seconds = least_seconds
        self._ends_at = math.inf

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() >= self._ends_at

    @property
    def seconds_left(self) -> float:
        """How long it lasts."""
        return max(self._ends_at - time.monotonic(), 0.0)

    def dwindles(self) -> None:
        """Let it last a while only: a person has asked for the end."""
        self._ends_at = min(self._ends_at, time.monotonic() + self._after_a_stop_seconds)

    def ends(self) -> None:
        """Let it be over: a person asked twice."""
        self._ends_at = time.monotonic()

    def wait_for(self, ask: Callable[[], T], whom: str) -> T:
        """Return an answer, or raise what asking raises. Raises NoAnswer when it takes too long."""
        answer: Future[T] = Future()
        threading.Thread(target=_fill, args=(answer, ask), name=whom, daemon=True).start()
        least = time.monotonic() + self._least_seconds
        while not wait([answer], _LOOK_AGAIN_SECONDS).done:
            if time.monotonic() >= max(least, self._ends_at):
                raise NoAnswer(f"no answer from {whom} in time")
        return answer.result()


def _fill(answer: Future[T], ask: Callable[[], T]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
        answer.set_exception(error)


def unconfirmed(attempt: Attempt) -> str:
    """Say that nobody knows whether a launch made a machine."""
    return f"{attempt.provider} has not said whether attempt {attempt.number} has a machine"


def not_ended(run_id: str, open_ends: Sequence[str]) -> NoAnswer:
    """Return what is said when a run is left as stopping."""
    return NoAnswer(
        f"run {run_id} is stopping, and not ended: {'; '.join(open_ends)}. What is there bills"
        " until it ends, by itself when its lease is over.",
        fix=f"once the cloud answers, `finsched stop {run_id}` ends it, and so does"
        f" `finsched sweep --run {run_id} --apply`; `finsched resume {run_id}` goes on instead",
    )


def waited_for(provider: Provider, patience: Patience) -> Provider:
    """Return a provider whose answers are waited for as long as there is patience."""
    compute, capacity = provider.compute, provider.capacity
    return replace(
        provider,
        compute=compute and _Compute(compute, patience, provider.name),
        capacity=capacity and _Capacity(capacity, patience, provider.name),
    )


def store_waited_for(store: Store, patience: Patience) -> Store:
    """Return a store whose answers are waited for as long as there is patience."""
    return Store(store.uri, opener=lambda *_: _Objects(store, patience))


@dataclass(frozen=True, slots=True)
class _Compute:
    compute: Compute
    patience: Patience
    whose: str

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create what the request asks for."""
        return self.patience.wait_for(lambda: self.compute.launch(request), self.whose)

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token created."""
        return self.patience.wait_for(lambda: self.compute.find(token), self.whose)

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what is known of machines."""
        return self.patience.wait_for(lambda: self.compute.poll(ids), self.whose)

    def terminate(self, instance_id: str) -> None:
        """End a machine."""
        self.patience.wait_for(lambda: self.compute.terminate(instance_id), self.whose)


@dataclass(frozen=True, slots=True)
class _Capacity:
    capacity: Capacity
    patience: Patience
    whose: str

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the quota that so many machines count against."""
        return self.patience.wait_for(lambda: self.capacity.quota(offer, nodes), self.whose)

    def placement_score(self, offer: Offer, nodes: int) -> int | None:
        """Return how likely a spot request would succeed now."""
        score = self.capacity.placement_score
        return self.patience.wait_for(lambda: score(offer, nodes), self.whose)


@dataclass(frozen=True, slots=True)
class _Objects:
    store: Store
    patience: Patience

    def create(self, key: str, content: bytes) -> bool:
        """Write a new object."""
        return self._wait_for(lambda: self.store.create(key, content))

    def get(self, key: str) -> bytes:
        """Return an object's content."""
        return self._wait_for(lambda: self.store.get(key))

    def list(self, folder: str, *, after: str) -> list[StoredObject]:
        """Return the objects of a folder behind a key."""
        return self._wait_for(lambda: self.store.list(folder, after=after))

    def upload(self, key: str, blocks: Iterable[bytes]) -> None:
        """Write an object of any size."""
        self._wait_for(lambda: self.store.upload(key, blocks))

    def download(self, key: str) -> Iterator[bytes]:
        """Yield an object's content, however long it takes."""
        return self.store.download(key)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._wait_for(lambda: self.store.delete(key))

    def _wait_for(self, ask: Callable[[], T]) -> T:
        try:
            return self.patience.wait_for(ask, self.store.uri)
        except NoAnswer as problem:
            raise StoreError(problem.message) from problem
