"""One question to a cloud for the machines of many runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from finsched.errors import NoAnswer, ProviderProblem
from finsched.provider import Compute, Instance, InstanceStatus, LaunchRequest, Provider

STALE_AFTER_INTERVALS = 4.0
FORGOTTEN_AFTER_SECONDS = 300.0
"""Machines that no run has asked about for so long have ended."""


class SharedPolls:
    """Asks a provider once an interval how all machines stand, and tells whose have changed.

    A run never waits for a question that another one has asked: it takes the last answer.
    """

    def __init__(
        self,
        compute: Compute,
        interval_seconds: float,
        changed: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._interval_seconds = interval_seconds
        self._changed = changed
        self._now = now
        self._asking = Lock()
        self._wanted: dict[str, tuple[str, float]] = {}  # by machine: its run, and when it asked
        self._answers: Mapping[str, InstanceStatus] = {}
        self._asked: frozenset[str] = frozenset()
        self._asked_at = float("-inf")
        self._problem: ProviderProblem | None = None

    def of_run(self, run: str, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what is known of a run's machines. Raises the `ProviderProblem` of the answer."""
        self._wanted.update(dict.fromkeys(ids, (run, self._now())))
        if not self._is_fresh(ids):
            self._ask_or_be_patient(ids)
        if self._problem:
            raise self._problem
        answers = self._answers
        return {each: answers[each] for each in ids if each in answers}

    def refresh(self) -> float:
        """Ask for all machines; return in how many seconds to do so again."""
        if self._wanted and self._asking.acquire(blocking=False):
            try:
                self._ask()
            finally:
                self._asking.release()
        return self._interval_seconds

    def doubt(self, instance_id: str) -> None:
        """What was known of a machine no longer holds: ask again when its run does."""
        self._asked -= {instance_id}

    def _is_fresh(self, ids: Sequence[str]) -> bool:
        young = self._now() - self._asked_at < self._interval_seconds
        return young and self._asked.issuperset(ids)

    def _ask_or_be_patient(self, ids: Sequence[str]) -> None:
        if not self._asking.acquire(blocking=False):
            stale = self._now() - self._asked_at > STALE_AFTER_INTERVALS * self._interval_seconds
            if stale or not self._asked.issuperset(ids):
                raise NoAnswer("the provider has not answered yet how the machines stand")
            return
        try:
            if not self._is_fresh(ids):
                self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> None:
        """Ask for all; a refusal stands for the whole interval, so that nobody asks in vain."""
        wanted, before = self._still_wanted(), self._answers
        try:
            self._answers, self._problem = self._compute.poll(tuple(wanted)), None
        except ProviderProblem as problem:
            self._problem = problem
        self._asked, self._asked_at = frozenset(wanted), self._now()
        for instance_id, run in wanted.items():
            if instance_id in before and before[instance_id] != self._answers.get(instance_id):
                self._changed(run)

    def _still_wanted(self) -> dict[str, str]:
        """The machines to ask for, each with its run; others may ask for more meanwhile."""
        oldest = self._now() - FORGOTTEN_AFTER_SECONDS
        wanted = self._wanted.copy()
        for instance_id in [each for each, (_, at) in wanted.items() if at < oldest]:
            self._wanted.pop(instance_id, None)
            del wanted[instance_id]
        return {each: run for each, (run, _) in wanted.items()}


@dataclass(frozen=True, slots=True)
class ComputeOfRun:
    """A provider's machines as one run among many sees them."""

    compute: Compute
    polls: SharedPolls
    run: str

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create what the request asks for."""
        return self.compute.launch(request)

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token created."""
        return self.compute.find(token)

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what is known, asked together with the machines of other runs."""
        return self.polls.of_run(self.run, ids)

    def terminate(self, instance_id: str) -> None:
        """End a machine."""
        try:
            self.compute.terminate(instance_id)
        finally:
            self.polls.doubt(instance_id)


def for_run(provider: Provider, polls: SharedPolls | None, run: str) -> Provider:
    """Return a provider whose machines are polled together with those of other runs."""
    if provider.compute is None or polls is None:
        return provider
    return replace(provider, compute=ComputeOfRun(provider.compute, polls, run))
