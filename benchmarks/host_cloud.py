"""The make-believe cloud of bench_host.py: machines that are rows, agents that only write letters.

It lives in the process that is measured. Every machine boots at once, says that its job started,
gives a sign of life three times a lease, commits now and then, and is taken back when its time has
come.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from finsched.model.evidence import Evidence, Quality
from finsched.model.market import (
    Accelerator,
    BillingRule,
    CapacityType,
    InstanceType,
    Offer,
    ProviderTerms,
    Tier,
)
from finsched.node.mail.numbered import NumberedObjects
from finsched.node.store import Store
from finsched.provider import (
    EndReason,
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    Provider,
)
from finsched.settings import Settings

POLL_SECONDS = 0.5
LETTER_SECONDS = 190.0
COMMIT_EVERY = 5  # letters
REGIONS = ("east", "north", "south", "west")
_EVIDENCE = Evidence(what="price", source="the benchmark", quality=Quality.DECLARED)
_MACHINE = InstanceType(
    provider="bench",
    name="bench-8x",
    gpu="A100-80GB",
    gpu_count=8,
    gpu_memory_gib=80,
    vcpus=96,
    memory_gib=1152,
)


@dataclass(slots=True)
class Machine:
    """One machine and the letters of its agent."""

    attempt: int
    letters: NumberedObjects
    status: InstanceStatus
    written: int = 0

    def write(self, kind: str, **content: object) -> None:
        """Write the agent's next letter."""
        at = datetime.now(UTC).isoformat()
        document = {"kind": kind, "at": at, **content}
        self.written = self.letters.append(json.dumps(document).encode(), after=self.written)


class BenchCloud:
    """Prices, machines and the thread that lets their agents write."""

    def __init__(self, life_seconds: float) -> None:
        self._life_seconds = life_seconds
        self._machines: dict[str, Machine] = {}
        self._by_token: dict[str, Instance] = {}
        self._due: list[tuple[float, int, str]] = []
        self._numbers = itertools.count(1)
        self._dice = random.Random(1)
        self._changing = threading.Lock()
        threading.Thread(target=self._live, name="bench cloud", daemon=True).start()

    def offers(self) -> Iterable[Offer]:
        """Yield spot and on-demand machines in every region."""
        for number, region in enumerate(REGIONS):
            for capacity, usd in ((CapacityType.SPOT, 9.0), (CapacityType.ON_DEMAND, 24.0)):
                yield Offer(
                    instance_type=_MACHINE,
                    region=region,
                    zone=f"{region}-a",
                    capacity_type=capacity,
                    tier=Tier.STANDARD,
                    price_usd_per_hour=usd + number / 10,
                    evidence=_EVIDENCE,
                )

    def terms(self) -> ProviderTerms:
        """Return what holds for every machine."""
        return ProviderTerms(
            provider="bench",
            billing=BillingRule(),
            notice=timedelta(0),
            boot=timedelta(seconds=1),
            boot_evidence=_EVIDENCE,
        )

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield nothing: the tables know the GPU."""
        return ()

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Make one machine a token; its job has started at once."""
        with self._changing:
            if request.token in self._by_token:
                return [self._by_token[request.token]]
            now = datetime.now(UTC)
            name = f"bench-{next(self._numbers)}"
            instance = Instance(id=name, pool=request.offer.pool, created_at=now)
            self._by_token[request.token] = instance
        self._furnish(request, name, now)
        return [instance]

    def _furnish(self, request: LaunchRequest, name: str, now: datetime) -> None:
        store = Store(str(request.node_config["store_uri"]))
        folder = f"mailbox/{request.attempt:06d}"
        running = InstanceStatus(id=name, state=InstanceState.RUNNING, billing_from=now)
        letters = NumberedObjects(store, folder, suffix=".json")
        machine = Machine(attempt=request.attempt, letters=letters, status=running)
        restore = {"sequence": None, "size_bytes": 0, "damaged": 0, "progress": None}
        machine.write("started", restore=restore)
        is_spot = request.offer.capacity_type is CapacityType.SPOT
        lives_seconds = self._dice.expovariate(1 / self._life_seconds) if is_spot else 1e9
        with self._changing:
            self._machines[name] = machine
            first = self._dice.uniform(0, LETTER_SECONDS)
            heapq.heappush(self._due, (time.monotonic() + first, 0, name))
            heapq.heappush(self._due, (time.monotonic() + lives_seconds, 1, name))

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a token has made."""
        return [self._by_token[token]] if token in self._by_token else []

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return how machines stand."""
        machines = self._machines
        return {each: machines[each].status for each in ids if each in machines}

    def terminate(self, instance_id: str) -> None:
        """End a machine."""
        self._end(instance_id, EndReason.TERMINATED_BY_US)

    def _end(self, name: str, reason: EndReason) -> None:
        machine = self._machines.get(name)
        if machine and machine.status.state is InstanceState.RUNNING:
            machine.status = InstanceStatus(
                id=name,
                state=InstanceState.TERMINATED,
                billing_from=machine.status.billing_from,
                ended_at=datetime.now(UTC),
                reason=reason,
            )

    def _live(self) -> None:
        while True:
            time.sleep(0.02)
            while self._due and self._due[0][0] <= time.monotonic():
                with self._changing:
                    _, what, name = heapq.heappop(self._due)
                self._happen(what, name)

    def _happen(self, what: int, name: str) -> None:
        machine = self._machines[name]
        if what == 1:
            self._end(name, EndReason.INTERRUPTED)
        elif machine.status.state is InstanceState.RUNNING:
            self._write(machine)
            with self._changing:
                heapq.heappush(self._due, (time.monotonic() + LETTER_SECONDS, 0, name))

    @staticmethod
    def _write(machine: Machine) -> None:
        if machine.written % COMMIT_EVERY:
            machine.write("alive")
            return
        machine.write(
            "committed",
            sequence=machine.attempt * 1000 + machine.written,
            size_bytes=10**9,
            progress=None,
            upload_seconds=1.0,
        )


def provider(_settings: Settings) -> Provider:
    """Return the cloud; the environment says how long its machines last."""
    cloud = BenchCloud(float(os.environ["BENCH_LIFE_SECONDS"]))
    return Provider(
        name="bench",
        prices=cloud,
        compute=cloud,
        poll_interval=timedelta(seconds=POLL_SECONDS),
    )
