"""The API of one simulated cloud, as a provider's parts: prices, machines, quota, inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import count
from random import Random

from finsched.errors import InvalidRequest, NoAnswer, NoCapacity, NoQuota
from finsched.model.evidence import Evidence, Quality
from finsched.model.market import Accelerator, Offer, ProviderTerms, Tier
from finsched.node.clock import from_iso
from finsched.provider import (
    EndReason,
    Instance,
    InstanceState,
    InstanceStatus,
    LaunchRequest,
    OwnedResource,
    Provider,
    Quota,
)
from finsched_sim.machine import Machine
from finsched_sim.market import CloudPlan, Shelf
from finsched_sim.meter import Meter, Tariff
from finsched_sim.timeline import Timeline
from finsched_sim.trouble import Trouble

Furnish = Callable[[Machine], None]
"""Puts onto a new machine what will run there."""


class SimCloud:
    """The machines of one cloud; every call of its API goes through trouble."""

    def __init__(
        self, plan: CloudPlan, timeline: Timeline, trouble: Trouble, furnish: Furnish
    ) -> None:
        self.plan = plan
        self.machines: list[Machine] = []
        self._timeline = timeline
        self._trouble = trouble
        self._furnish = furnish
        self._by_token: dict[str, list[Machine]] = {}
        self._by_id: dict[str, Machine] = {}
        self._numbers = count(1)
        self._dice = Random(plan.name)  # noqa: S311 - a seeded plan, no secret

    @property
    def provider(self) -> Provider:
        """This cloud as the scheduler sees it."""
        return Provider(
            name=self.plan.name,
            prices=self,
            compute=self,
            inventory=self,
            capacity=self,
            poll_interval=timedelta(seconds=self.plan.poll_s),
        )

    # --- prices --------------------------------------------------------------------------------

    def offers(self) -> Iterable[Offer]:
        """Yield every shelf at the price of this moment."""
        at_s, evidence = self._timeline.now_s, self._evidence("price")
        for shelf in self.plan.shelves:
            yield Offer(
                instance_type=shelf.instance_type,
                region=shelf.region,
                zone=shelf.zone,
                capacity_type=shelf.capacity_type,
                tier=Tier.STANDARD,
                price_usd_per_hour=shelf.price.at(at_s),
                evidence=evidence,
            )

    def terms(self) -> ProviderTerms:
        """Return what holds for every machine of this cloud."""
        return ProviderTerms(
            provider=self.plan.name,
            billing=self.plan.billing,
            notice=timedelta(seconds=self.plan.notice_s),
            boot=timedelta(seconds=sum(self.plan.boot_s) / 2),
            boot_evidence=self._evidence("boot time"),
        )

    def accelerators(self) -> Iterable[Accelerator]:
        """Yield nothing: the simulated GPUs are ones that the tables know."""
        return ()

    # --- machines ------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create all nodes or none; the same token finds what it has made."""
        operation = "launch again" if request.token in self._by_token else "launch"
        return self._trouble.around(self.plan.name, operation, lambda: self._launch(request))

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a token has made, once lists tell of it."""
        return self._trouble.around(self.plan.name, "find", lambda: self._find(token))

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return how machines stood when lists were last brought up to date."""
        return self._trouble.around(self.plan.name, "poll", lambda: self._poll(ids))

    def terminate(self, instance_id: str) -> None:
        """End a machine; one that is gone or unknown is fine."""
        self._trouble.around(self.plan.name, "terminate", lambda: self._terminate(instance_id))

    # --- quota and inventory -------------------------------------------------------------------

    def quota(self, offer: Offer, nodes: int) -> Quota | None:
        """Return the quota for this way of buying, None where there is none."""
        return self._trouble.around(self.plan.name, "quota", lambda: self._quota(offer, nodes))

    def placement_score(self, offer: Offer, nodes: int) -> int | None:  # noqa: ARG002
        """Say nothing: this cloud publishes no score."""
        return None

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield the machines of an installation that lists tell of and that are not gone."""
        return self._trouble.around(self.plan.name, "owned", lambda: self._owned(installation))

    def delete(self, resource: OwnedResource) -> None:
        """End one machine."""
        self.terminate(resource.id)

    def rent_to_others(self, request: LaunchRequest) -> Machine:
        """Let another installation have a machine in the same account."""
        machine = self._new_machine(request, self._shelf(request), rank=0)
        machine.is_foreign = True
        return machine

    # --- what the calls do ---------------------------------------------------------------------

    def _launch(self, request: LaunchRequest) -> list[Instance]:
        made = self._by_token.get(request.token, [])
        shelf = self._shelf(request)
        if not made:
            self._require_room(request, shelf)
        missing = request.nodes - len(made)
        broken_off = missing > 1 and self._dice.random() < self.plan.breaks_off
        for _ in range(self._dice.randrange(1, missing) if broken_off else missing):
            made.append(self._create(request, shelf, rank=len(made)))
        self._by_token[request.token] = made
        if broken_off:
            raise NoAnswer(f"{self.plan.name}: {len(made)} of {request.nodes} machines were made")
        return [_instance(machine) for machine in made]

    def _shelf(self, request: LaunchRequest) -> Shelf:
        offer = request.offer
        shelf = self.plan.shelf(offer.pool, offer.capacity_type)
        if shelf is None:
            raise InvalidRequest(f"{self.plan.name}: {offer.pool} is not sold here")
        return shelf

    def _require_room(self, request: LaunchRequest, shelf: Shelf) -> None:
        """All nodes fit, into the pool and into the account's quota, or none is made."""
        alike = [each for each in self.machines if each.runs and not each.is_foreign]
        alike = [each for each in alike if each.shelf.capacity_type is shelf.capacity_type]
        taken = sum(machine.shelf is shelf for machine in alike)
        has_room = shelf.room is None or taken + request.nodes <= shelf.room
        if not has_room or not shelf.capacity.has_some(self._timeline.now_s):
            raise NoCapacity(f"{self.plan.name}: {shelf.pool} has no {request.nodes} machines")
        allowed = self.plan.quota.get(shelf.capacity_type)
        if allowed is not None and len(alike) + request.nodes > allowed:
            raise NoQuota(f"{self.plan.name}: the quota is {allowed} {shelf.capacity_type}")

    def _create(self, request: LaunchRequest, shelf: Shelf, *, rank: int) -> Machine:
        machine = self._new_machine(request, shelf, rank=rank)
        self._set_timer(machine)
        self._furnish(machine)
        return machine

    def _new_machine(self, request: LaunchRequest, shelf: Shelf, *, rank: int) -> Machine:
        plan, timeline = self.plan, self._timeline
        tariff = Tariff(
            usd_per_hour=Decimal(str(request.offer.price_usd_per_hour)),
            minimum_seconds=plan.billing.minimum_seconds,
            step_seconds=plan.billing.granularity_seconds,
        )
        machine = Machine(
            id=f"{plan.name}-{next(self._numbers)}",
            request=request,
            cloud=plan,
            shelf=shelf,
            meter=Meter(tariff, timeline.now_s),
            timeline=timeline,
            rank=rank,
        )
        self.machines.append(machine)
        self._by_id[machine.id] = machine
        machine.is_pending()
        return machine

    def _set_timer(self, machine: Machine) -> None:
        """Let the cloud end the machine at its first limit, whoever still watches it."""
        stops = [from_iso(stop["at"]) for stop in machine.request.node_config.get("stop_at", ())]
        if self.plan.has_timer and stops:
            left_s = self._timeline.seconds(min(stops)) - self._timeline.now_s
            self._timeline.after(left_s, lambda: machine.end(EndReason.TERMINATED_BY_US))

    @property
    def _seen_s(self) -> float:
        """The moment that an answer tells of: an older one than now, in no order."""
        late_s = self._trouble.lateness_s(self.plan.name)
        return self._timeline.now_s - self.plan.list_lag_s - late_s

    def _find(self, token: str) -> list[Instance]:
        seen_s = self._seen_s
        made = self._by_token.get(token, ())
        return [_instance(machine) for machine in made if machine.status_at(seen_s)]

    def _poll(self, ids: Sequence[str]) -> dict[str, InstanceStatus]:
        seen_s = self._seen_s
        known = (machine for each in ids if (machine := self._by_id.get(each)))
        told = (machine for machine in known if not machine.unlisted)
        statuses = ((machine.id, machine.status_at(seen_s)) for machine in told)
        return {machine_id: status for machine_id, status in statuses if status}

    def _terminate(self, instance_id: str) -> None:
        machine = self._by_id.get(instance_id)
        if machine and not machine.unlisted:
            machine.end(EndReason.TERMINATED_BY_US)

    def _quota(self, offer: Offer, nodes: int) -> Quota | None:
        allowed = self.plan.quota.get(offer.capacity_type)
        if allowed is None:
            return None
        return Quota(
            name=f"{offer.capacity_type} machines",
            code="SIM",
            region=offer.region,
            unit="machine",
            have=float(allowed),
            need=float(nodes),
        )

    def _owned(self, installation: str) -> list[OwnedResource]:
        seen_s = self._seen_s
        return [
            _resource(machine)
            for machine in self.machines
            if machine.request.installation == installation
            and not machine.unlisted
            and (status := machine.status_at(seen_s))
            and status.state is not InstanceState.TERMINATED
        ]

    def _evidence(self, what: str) -> Evidence:
        today = self._timeline.now().date()
        return Evidence(
            what=what,
            source="the simulated cloud",
            quality=Quality.LIVE,
            earliest=today,
            latest=today,
        )


def _instance(machine: Machine) -> Instance:
    created_at = machine.timeline.moment(machine.meter.began_s)
    return Instance(id=machine.id, pool=machine.request.offer.pool, created_at=created_at)


def _resource(machine: Machine) -> OwnedResource:
    request = machine.request
    return OwnedResource(
        provider=machine.cloud.name,
        kind="instance",
        id=machine.id,
        run=request.run,
        created_at=machine.timeline.moment(machine.meter.began_s),
        installation=request.installation,
        attempt=request.attempt,
    )
