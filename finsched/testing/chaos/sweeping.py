"""A person who runs `finsched sweep` now and then, and what it must find and must leave alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from finsched.errors import FinschedError
from finsched.node.clock import from_iso, time_from
from finsched.node.store import StoreError
from finsched.provider import OwnedResource, Provider
from finsched.run.removing import Remover
from finsched.run.settling import settle
from finsched.run.sweep import Survey, Sweep
from finsched.settings import Settings
from finsched.testing.chaos import invariants
from finsched.testing.chaos.inspector import Case, Violated
from finsched.testing.chaos.office import Premises
from finsched.testing.chaos.weather import Crash
from finsched_sim.cloud import SimCloud
from finsched_sim.machine import Machine

_OLDEST_ANSWER_S = 660.0  # lists are late, and answers may be stale


class Cleaner:
    """Sweeps through the simulated clouds with the product's own sweep."""

    def __init__(self, premises: Premises, cases: Mapping[str, Case]) -> None:
        self._premises = premises
        self._cases = cases
        self._world = premises.world

    def sweep(self) -> None:
        """Look, delete what is left over and settle; it may be killed in any call."""
        with time_from(self._premises.time):
            try:
                survey = self._sweep()
            except Crash:
                return
            except (FinschedError, StoreError):
                return  # the ledger's disk is full, or the store is away: another time
        self._require_found(survey)
        self._require_foreign_left()

    def _sweep(self) -> Survey:
        settings = Settings(
            state_dir=self._premises.state_dir,
            cache_dir=self._premises.state_dir,
            store="",
            lease=self._premises.lease,
        )
        looking = Sweep(
            settings=settings, ledger=self._premises.ledger, open_store=self._world.store
        )
        doors = {name: self._watched(cloud) for name, cloud in self._world.clouds.items()}
        looking.provider = doors.__getitem__
        survey = looking.survey(tuple(doors))
        Remover(looking, told=_unheard).remove(survey.finds)
        settle(looking, tuple(doors))
        return survey

    def _watched(self, cloud: SimCloud) -> Provider:
        return replace(cloud.provider, inventory=WatchedInventory(cloud, self._require_fair))

    def _require_fair(self, machine: Machine) -> None:
        """Another installation's machine carries a run that may have the name of one of ours."""
        if machine.is_foreign:
            raise Violated(f"spares: {machine.id} belongs to {machine.request.installation}")
        run = self._premises.ledger.run(machine.request.run)
        case = self._cases.get(run.id)
        watched = case is not None and case.process is not None and case.process.alive
        said = invariants.spares(machine, run, watched=watched, leased=self._is_leased(machine))
        if said:
            raise Violated(f"spares at {self._world.timeline.now_s / 3600:.3f} h: {said}")

    def _is_leased(self, machine: Machine) -> bool:
        """Whether the machine's last lease still runs, read apart from the product's own code."""
        request, now = machine.request, self._world.timeline.now()
        began = self._world.timeline.moment(machine.meter.began_s)
        first = began + timedelta(seconds=float(request.node_config["lease_seconds"]))
        bucket = self._world.bucket(request.node_config["store_uri"])
        orders = bucket.list(f"orders/{request.attempt:06d}", after="")
        leases = _leases(json.loads(bucket.get(each.key)) for each in orders)
        return max([first, *leases]) > now + timedelta(seconds=abs(self._premises.time.skew_s))

    def _require_found(self, survey: Survey) -> None:
        """Whatever bills was found where its cloud has told of it."""
        found = {find.resource.id for find in survey.finds}
        unasked = {each.provider for each in survey.unasked}
        for machine in self._world.made:
            now_s, lag_s = self._world.timeline.now_s, machine.cloud.list_lag_s
            is_told = machine.meter.began_s < now_s - lag_s - _OLDEST_ANSWER_S
            is_listed = is_told and not machine.unlisted and machine.cloud.name not in unasked
            if is_listed and (said := invariants.findable(machine, found)):
                raise Violated(f"findable at {now_s / 3600:.3f} h: {said}")

    def _require_foreign_left(self) -> None:
        for cloud in self._world.clouds.values():
            for machine in cloud.machines:
                if machine.is_foreign and (said := invariants.left_alone(machine)):
                    raise Violated(f"left_alone: {said}")


class WatchedInventory:
    """A cloud's inventory; each deletion is looked at before it happens."""

    def __init__(self, cloud: SimCloud, require: Callable[[Machine], None]) -> None:
        self._cloud = cloud
        self._require = require

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield what the cloud tells of."""
        return self._cloud.owned(installation)

    def delete(self, resource: OwnedResource) -> None:
        """End one machine, if that is fair."""
        for machine in self._cloud.machines:
            if machine.id == resource.id and machine.runs:
                self._require(machine)
        self._cloud.delete(resource)


def _leases(orders: Iterable[Mapping[str, str]]) -> list[datetime]:
    return [from_iso(order["until"]) for order in orders if order["kind"] == "lease"]


def _unheard(_text: str) -> None:
    return None
