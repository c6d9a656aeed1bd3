"""Machines on Compute Engine: created once per attempt, found again, watched, ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from finsched.errors import (
    NoAnswer,
    NoQuota,
    NotAuthorized,
    ProviderProblem,
    StoreProblem,
    Throttled,
)
from finsched.provider import Instance, InstanceState, InstanceStatus, LaunchRequest
from finsched.toolbox.error_table import NotFound
from finsched_gcp.api import Api
from finsched_gcp.errors import NotReady, StockOut
from finsched_gcp.names import Located, by_place, located

if TYPE_CHECKING:
    from finsched_gcp.creating import Creator
    from finsched_gcp.finding import Finder
    from finsched_gcp.machines import Zones
    from finsched_gcp.operations import History
    from finsched_gcp.settings import GcpSettings


class Bootstrap(Protocol):
    """What makes a fresh machine a node."""

    def __call__(self, request: LaunchRequest, rank: int) -> str:
        """Leave what one machine needs where it finds it, and return its user data."""
        ...

    def forget(self, request: LaunchRequest) -> None:
        """Delete the secrets that were left for the machines; gone already is fine."""
        ...


class GcpCompute:
    """Compute Engine in one project; `bootstrap` says what a machine does when it boots."""

    def __init__(self, api: Api, settings: GcpSettings, bootstrap: Bootstrap) -> None:
        self._api = api
        self._settings = settings
        self._bootstrap = bootstrap
        self._first_seen_ended: dict[Located, datetime] = {}
        self._with_secrets: dict[frozenset[str], LaunchRequest] = {}  # by the machines' ids

    # --- its parts, imported on use: a quote has no time for them ------------------------------

    @cached_property
    def _zones(self) -> Zones:
        from finsched_gcp.machines import Zones  # noqa: PLC0415

        return Zones(self._api)

    @cached_property
    def _finder(self) -> Finder:
        from finsched_gcp.finding import Finder  # noqa: PLC0415

        return Finder(self._api)

    @cached_property
    def _creator(self) -> Creator:
        from finsched_gcp.creating import Creator  # noqa: PLC0415

        return Creator(self._api, self._settings)

    # --- launch --------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create all nodes in one zone or none, or find those that the token has made.

        Zones are tried one after the other where the offer names none.
        """
        self._check_region(request.offer.region)
        made = self._finder.made(request.token, request.offer.pool) or self._create_node(request)
        if request.secrets:
            self._with_secrets[frozenset(each.id for each in made)] = request
        return made

    def _check_region(self, region: str) -> None:
        if self._settings.regions and region not in self._settings.regions:
            raise NoQuota(
                f"gcp/{region}: the region is not in gcp.regions",
                fix="add it to gcp.regions in the settings",
            )

    def _create_node(self, request: LaunchRequest) -> Sequence[Instance]:
        """Leave nothing behind of a launch that made no machine."""
        try:
            zones = self._zones.for_offer(request.offer)
            user_data = [self._bootstrap(request, rank) for rank in range(request.nodes)]
            return self._create(request, zones, user_data)
        except (NoAnswer, NotAuthorized, Throttled):  # a machine may be there, and need its secrets
            raise
        except Exception:
            self._forget(request)
            raise

    def _create(
        self, request: LaunchRequest, zones: list[str], user_data: Sequence[str]
    ) -> Sequence[Instance]:
        """Try the zones in order; those that Google says have capacity come before the rest."""
        while True:
            zone = zones.pop(0)
            try:
                self._creator.create(request, zone, user_data)
            except StockOut as problem:
                if not zones:
                    raise
                zones = _hinted_first(zones, problem.elsewhere)
            else:
                return self._finder.just_made(request, zone)

    # --- find ----------------------------------------------------------------------------------

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token made; a part of a gang is ended and not returned."""
        return self._finder.made(token, None)

    # --- poll ----------------------------------------------------------------------------------

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what Google says; a vanished machine by the operations that ended it."""
        statuses = {
            status.id: status
            for zone, names in by_place(ids).items()
            for status in self._poll_in(zone, names)
        }
        self._forget_ended(statuses)
        return statuses

    def _poll_in(self, zone: str, names: Sequence[str]) -> Iterator[InstanceStatus]:
        from finsched_gcp.operations import histories, operations_in  # noqa: PLC0415
        from finsched_gcp.status import NOTHING_KNOWN, has_stopped, status_of_vanished  # noqa: PLC0415

        try:
            listed = {each.name: each for each in self._listed(zone, names)}
        except NotFound:  # no zone of Google's: nobody's machines
            return
        ended = [name for name in names if name not in listed or has_stopped(listed[name])]
        past = histories(operations_in(self._api, zone, ended)) if ended else {}
        for name in names:
            which = Located(zone, name)
            known = past.get(which, NOTHING_KNOWN)
            if name in listed:
                yield self._status(which, listed[name], known)
            elif gone := status_of_vanished(which, known, itself=self._settings.service_account):
                yield gone

    def _listed(self, zone: str, names: Sequence[str]) -> Iterator[Any]:
        from finsched_gcp.operations import named, portions  # noqa: PLC0415

        for some in portions(names):
            yield from self._api.listed("Instances", zone=zone, filter=named(some))

    def _status(self, which: Located, instance: Any, past: History) -> InstanceStatus:
        """A machine that has stopped keeps its disk, so the rest of it is deleted."""
        from finsched_gcp.status import has_stopped, status_of  # noqa: PLC0415

        now, itself = datetime.now(UTC), self._settings.service_account
        if has_stopped(instance):
            now = self._first_seen_ended.setdefault(which, now)
            with suppress(ProviderProblem):  # a sweep finds what is left
                self._delete(which)
        return status_of(which, instance, past, itself=itself, first_seen=now)

    def _forget_ended(self, statuses: Mapping[str, InstanceStatus]) -> None:
        """A machine may have ended before it read its secrets; those of a gang leave them."""
        states = {each.id: each.state for each in statuses.values()}
        for ids in [*self._with_secrets]:
            if all(states.get(each) is InstanceState.TERMINATED for each in ids):
                self._forget(self._with_secrets.pop(ids))

    def _forget(self, request: LaunchRequest) -> None:
        """What is left of secrets in the store is of no use without the machines' own halves."""
        with suppress(ProviderProblem, StoreProblem):
            self._bootstrap.forget(request)

    # --- terminate -----------------------------------------------------------------------------

    def terminate(self, instance_id: str) -> None:
        """Ask for the end; what Google does not know is asked for again at the next poll."""
        for which in located([instance_id]):
            self._delete(which)

    def _delete(self, which: Located) -> None:
        with suppress(NotFound, NotReady):
            self._api.call("Instances", "delete_unary", zone=which.place, instance=which.name)


def _hinted_first(zones: Sequence[str], hinted: Sequence[str]) -> list[str]:
    return sorted(zones, key=lambda zone: zone not in hinted)
