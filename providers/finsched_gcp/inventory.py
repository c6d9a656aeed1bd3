"""Everything of ours in a project: by label, and firewall rules by their description."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from finsched.errors import InvalidRequest, ProviderProblem
from finsched.provider import OwnedResource
from finsched.toolbox.error_table import NotFound
from finsched_gcp.api import Api
from finsched_gcp.firewalls import owner
from finsched_gcp.labels import encode, from_labels
from finsched_gcp.names import ATTEMPT, INSTALLATION, PROVIDER, RUN, Located, last_part, located
from finsched_gcp.operations import moment

GLOBAL = "global"
FIREWALL = "firewall"
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of resource that lives in zones or regions and carries labels."""

    name: str
    service: str
    key: str
    field: str
    place: str
    billed: Callable[[Any], tuple[str, float]] = lambda _: ("", 1.0)

    def listed(self, api: Api, installation: str) -> tuple[list[Any], list[ProviderProblem]]:
        own = encode(installation)[:_LONGEST_LABEL]
        return api.surveyed(self.service, self.key, filter=f'labels.{INSTALLATION} = "{own}"')

    def get(self, api: Api, which: Located) -> Any:
        return api.call(self.service, "get", **self._ask(which))

    def delete(self, api: Api, which: Located) -> None:
        api.call(self.service, "delete_unary", **self._ask(which))

    def place_of(self, found: Any) -> str:
        return last_part(getattr(found, self.place) or GLOBAL)

    def _ask(self, which: Located) -> dict[str, Any]:
        return {self.place: which.place, self.field: which.name}


def _disk(disk: Any) -> tuple[str, float]:
    return last_part(disk.type_), float(disk.size_gb)


KINDS = (  # in the order in which they can be deleted
    _Kind(name="instance", service="Instances", key="instances", field="instance", place="zone"),
    _Kind(name="disk", service="Disks", key="disks", field="disk", place="zone", billed=_disk),
    _Kind(
        name="address",
        service="Addresses",
        key="addresses",
        field="address",
        place="region",
        billed=lambda _: ("address", 1.0),
    ),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


class GcpInventory:
    """What carries an installation's label; nothing else is shown or deleted."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def owned(self, installation: str) -> Iterable[OwnedResource]:
        """Yield what the project holds; raises at the end where a place could not be asked."""
        problems: list[ProviderProblem] = []
        for listed in (*map(self._labelled, KINDS), self._rules):
            try:
                found, lost = listed(installation)
            except ProviderProblem as problem:
                problems.append(problem)
                continue
            problems.extend(lost)
            yield from (each for each in found if each.installation == installation)
        if problems:
            raise problems[0]

    def delete(self, resource: OwnedResource) -> None:
        """Delete a resource that still carries its installation's label; what is gone is fine."""
        for which in located([resource.id]):
            with suppress(NotFound):
                self._delete(resource, which)

    def _delete(self, resource: OwnedResource, which: Located) -> None:
        found = self._owner(resource.kind, which)
        if found != resource.installation:
            raise InvalidRequest(
                f"gcp: {resource.kind} {resource.id} belongs to the installation {found!r}",
                fix="sweep it from the computer that launched it",
            )
        if resource.kind == FIREWALL:
            self._api.call("Firewalls", "delete_unary", firewall=which.name)
        else:
            _BY_NAME[resource.kind].delete(self._api, which)

    def _owner(self, kind: str, which: Located) -> str:
        if kind == FIREWALL:
            rule = self._api.call("Firewalls", "get", firewall=which.name)
            return owner(rule).get(INSTALLATION, "")
        found = _BY_NAME[kind].get(self._api, which)
        return from_labels(found.labels).get(INSTALLATION, "")

    def _labelled(self, kind: _Kind) -> _Lister:
        def listed(installation: str) -> tuple[list[OwnedResource], list[ProviderProblem]]:
            found, lost = kind.listed(self._api, installation)
            return [_resource(kind, each) for each in found], lost

        return listed

    def _rules(self, _: str) -> tuple[list[OwnedResource], list[ProviderProblem]]:
        rules = self._api.listed("Firewalls")
        found = [_owned(FIREWALL, GLOBAL, each, owner(each)) for each in rules if owner(each)]
        return found, []


_Lister = Callable[[str], tuple[list[OwnedResource], list[ProviderProblem]]]


def _resource(kind: _Kind, found: Any) -> OwnedResource:
    owned = _owned(kind.name, kind.place_of(found), found, from_labels(found.labels))
    item, units = kind.billed(found)
    return replace(owned, billed_as=item, billed_units=units)


def _owned(kind: str, place: str, found: Any, tags: Mapping[str, str]) -> OwnedResource:
    attempt = tags.get(ATTEMPT, "")
    return OwnedResource(
        provider=PROVIDER,
        kind=kind,
        id=str(Located(place, found.name)),
        run=tags.get(RUN),
        created_at=moment(found.creation_timestamp),
        installation=tags.get(INSTALLATION, ""),
        attempt=int(attempt) if attempt.isdecimal() else None,
        shared=kind == FIREWALL and RUN not in tags,
    )
