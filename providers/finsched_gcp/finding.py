"""What a launch has made, found again by name, also where it is gone already."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finsched.errors import ProviderProblem
from finsched.model.market import Pool
from finsched.provider import Instance, LaunchRequest
from finsched_gcp.api import Api
from finsched_gcp.labels import from_labels
from finsched_gcp.names import (
    NODES,
    PROVIDER,
    TOKEN,
    Located,
    last_part,
    pool_of,
    rank_of,
    region_of,
    token_name,
)
from finsched_gcp.operations import Happening, histories, moment, operations_on

_ON_THE_WAY = ("PENDING", "PROVISIONING", "STAGING")


@dataclass(frozen=True, slots=True)
class _Gang:
    """What is known of one token's machines in one zone."""

    zone: str
    listed: Mapping[str, Any]
    creations: Mapping[str, Happening]

    @property
    def is_settled(self) -> bool:
        """Whether all its machines are listed, and have come as far as to run."""
        on_the_way = any(each.status in _ON_THE_WAY for each in self.listed.values())
        return len(self.listed) == self.nodes and not on_the_way

    @property
    def is_whole(self) -> bool:
        """Whether every machine was made, though it may have ended since."""
        names = {*self.listed, *self.creations}
        failed = any(each.problem for each in self.creations.values())
        return not failed and len(names) == (self.nodes or len(names))

    @property
    def nodes(self) -> int:
        """How many there should be; 0 where no machine is left to say it."""
        return next((int(each[NODES]) for each in self._tags()), 0)

    def instances(self, pool: Pool | None) -> list[Instance]:
        """Return the machines in the order of their ranks."""
        return [
            Instance(
                id=str(Located(self.zone, name)),
                pool=self._pool(pool),
                created_at=self._created_at(name),
            )
            for name in sorted({*self.listed, *self.creations}, key=rank_of)
        ]

    def _pool(self, pool: Pool | None) -> Pool:
        """Machines that are all gone no longer say of what type they were."""
        told = (pool_of(each) for each in self._tags())
        return next(told, None) or pool or Pool(PROVIDER, region_of(self.zone), self.zone, "")

    def _created_at(self, name: str) -> datetime:
        listed = self.listed.get(name)
        told = moment(listed.creation_timestamp) if listed else None
        return told or self.creations[name].began_at

    def _tags(self) -> Iterable[Mapping[str, str]]:
        return (from_labels(each.labels) for each in self.listed.values())


class Finder:
    """Looks at the machines that are listed, and at the operations that made them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def made(self, token: str, pool: Pool | None) -> list[Instance]:
        """Return a token's machines, none where no launch made them all.

        Creations that are under way are waited for. A part of a gang could never work: its launcher
        died or is clearing up, and it is deleted. Raises where a zone could not be asked.
        """
        listed = self._listed(token)
        settled = [gang for gang in _gangs(listed, {}) if gang.is_settled]
        if settled:
            return settled[0].instances(pool)
        creations = self._creations(token)
        if not creations and not listed:
            return []
        gangs = _gangs(self._listed(token), creations)
        whole = [gang for gang in gangs if gang.is_whole]
        for gang in gangs:
            if gang not in whole:
                self._end(gang)
        return whole[0].instances(pool) if whole else []

    def just_made(self, request: LaunchRequest, zone: str) -> list[Instance]:
        """Return what was just created in a zone; Google may list it late."""
        listed = self._listed(request.token)
        if sum(each.place == zone for each in listed) < request.nodes:
            time.sleep(self._api.patience.settle_seconds)
            listed = self._listed(request.token)
        gangs = _gangs(listed, {})
        if not any(gang.zone == zone and len(gang.listed) == request.nodes for gang in gangs):
            gangs = _gangs(listed, self._creations(request.token))  # one has ended already
        return next(gang.instances(request.offer.pool) for gang in gangs if gang.zone == zone)

    def _listed(self, token: str) -> dict[Located, Any]:
        wanted = f'labels.{TOKEN} = "{token_name(token)}"'
        told = self._api.surveyed("Instances", "instances", filter=wanted)
        if told.problems and not told.found:
            raise told.problems[0]
        return {Located(last_part(each.zone), each.name): each for each in told.found}

    def _creations(self, token: str) -> dict[Located, Happening]:
        """Return how each machine was created, once that is certain."""
        told = operations_on(self._api, token_name(token))
        if told.problems and not told.found:
            raise told.problems[0]
        ended = [
            self._api.finished(each) if each.operation_type == "insert" else each
            for each in told.found
        ]
        made = {machine: past.creation for machine, past in histories(ended).items()}
        return {machine: creation for machine, creation in made.items() if creation}

    def _end(self, gang: _Gang) -> None:
        for name in gang.listed:
            with suppress(ProviderProblem):  # its own timer and a sweep are left
                self._api.call("Instances", "delete_unary", zone=gang.zone, instance=name)


def _gangs(
    listed: Mapping[Located, Any], creations: Mapping[Located, Happening]
) -> Sequence[_Gang]:
    zones = sorted({each.place for each in (*listed, *creations)})
    return [_Gang(zone, _in(zone, listed), _in(zone, creations)) for zone in zones]


def _in(zone: str, located: Mapping[Located, Any]) -> dict[str, Any]:
    return {which.name: each for which, each in located.items() if which.place == zone}
