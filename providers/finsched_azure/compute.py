"""Machines on Azure: created once per attempt, found again, watched, ended."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from finsched.errors import FinschedError, NoAnswer, NoQuota
from finsched.provider import EndReason, Instance, InstanceStatus, LaunchRequest
from finsched.toolbox.error_table import NotFound
from finsched_azure import groups
from finsched_azure.api import Api, Description
from finsched_azure.creation import Creator
from finsched_azure.names import (
    INSTALLATION,
    LAUNCHED,
    NODES,
    TOKEN,
    Located,
    group_of,
    located,
    pool_of,
    rank_of,
    tags_in,
)
from finsched_azure.status import (
    created_at,
    is_alive,
    status_of,
    status_of_vanished,
    why_to_end,
)

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings


class Bootstrap(Protocol):
    """What makes a fresh machine a node."""

    def __call__(self, request: LaunchRequest, rank: int) -> str:
        """Leave what the machine of a rank needs where it finds it, and return its user data."""
        ...

    def forget(self, request: LaunchRequest) -> None:
        """Delete the secrets that were left for the machines; gone already is fine."""
        ...


class AzureCompute:
    """One subscription; `bootstrap` says what a machine does when it boots."""

    def __init__(self, api: Api, settings: AzureSettings, bootstrap: Bootstrap) -> None:
        self._api = api
        self._regions = settings.regions
        self._creator = Creator(api, settings)
        self._bootstrap = bootstrap
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._launched: dict[str, LaunchRequest] = {}  # by group, in this process
        self._reasons: dict[Located, EndReason] = {}
        self._seen: set[Located] = set()
        self._missed: dict[Located, datetime] = {}
        self._ended: dict[Located, InstanceStatus] = {}

    # --- launch --------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create all nodes in one zone or none, or find those that the token has made.

        Zones are tried one after the other where the offer names none. A token whose machines have
        ended makes no others.
        """
        self._check_region(request.offer.region)
        group = group_of(request)
        with self._locks[group]:
            if any(which.group == group for which in self._ended):
                return ()
            self._launched[group] = request
            return self._found_in(group) or self._create(request, group)

    def _check_region(self, region: str) -> None:
        if self._regions and region not in self._regions:
            raise NoQuota(
                f"azure/{region}: the region is not in azure.regions",
                fix="add it to azure.regions in the settings",
            )

    def _create(self, request: LaunchRequest, group: str) -> Sequence[Instance]:
        """Leave nothing behind of a launch that made no machine."""
        try:
            self._creator.create(request, group, partial(self._bootstrap, request))
        except Exception:
            self._clear(group, request.installation)
            raise
        found = self._found_in(group)
        if not found:
            raise NoAnswer(
                f"azure: {group}: Azure lists none of the machines that it has made",
                fix="finsched tries another pool; `finsched sweep` finds what is there",
            )
        return found

    # --- find ----------------------------------------------------------------------------------

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token made; looks twice, as Azure may list it late."""
        found = self._find_once(token)
        if not found:
            time.sleep(self._api.patience.settle_seconds)
            found = self._find_once(token)
        return found

    def _find_once(self, token: str) -> list[Instance]:
        tagged = groups.tagged(self._api, TOKEN, token)
        return [each for group in tagged for each in self._found_in(group["name"])]

    def _found_in(self, group: str) -> list[Instance]:
        """Return all machines of an attempt, or none: a part of a gang is ended at once."""
        machines = self._machines(group)
        if not machines:
            return []
        tags = tags_in(machines[0])
        if len(machines) < int(tags[NODES]):
            time.sleep(self._api.patience.settle_seconds)
            machines = self._machines(group)
        if len(machines) < int(tags[NODES]):
            self._clear(group, tags[INSTALLATION])
            return []
        return _instances(group, machines)

    def _machines(self, group: str) -> list[Description]:
        with suppress(NotFound):
            found = self._api.listed("virtual_machines.list", group)
            return [each for each in found if tags_in(each).get(TOKEN) and is_alive(each)]
        return []

    def _clear(self, group: str, installation: str) -> None:
        """Delete all of an attempt; a sweep finds what cannot be deleted now."""
        request = self._launched.pop(group, None)
        with suppress(FinschedError):
            groups.delete(self._api, group, installation)
        if request:
            with suppress(FinschedError):
                self._bootstrap.forget(request)

    # --- poll ----------------------------------------------------------------------------------

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what Azure says; a machine that it lists no more has ended when that lasts."""
        statuses = [self._status(which) for which in map(located, ids) if which]
        return {status.id: status for status in statuses if status}

    def _status(self, which: Located) -> InstanceStatus | None:
        if which in self._ended:
            return self._ended[which]
        try:
            machine = self._api.call("virtual_machines.get", *which, expand="instanceView")
        except NotFound:
            return self._vanished(which)
        self._seen.add(which)
        self._missed.pop(which, None)
        if reason := why_to_end(machine):
            self._end(which, reason)
        return status_of(str(which), machine)

    def _vanished(self, which: Located) -> InstanceStatus | None:
        """Only what Azure once took on can have ended: its group says so."""
        tags = tags_in(groups.get(self._api, which.group))
        if LAUNCHED not in tags:
            return None
        now, launched = datetime.now(UTC), datetime.fromisoformat(tags[LAUNCHED])
        missed = self._missed.setdefault(which, now)
        patience = self._api.patience
        grace = timedelta(seconds=0 if which in self._seen else patience.grace_seconds)
        if now - missed < timedelta(seconds=patience.settle_seconds) or now - launched < grace:
            return None
        reason = self._reasons.get(which, EndReason.UNKNOWN)
        self._ended[which] = status_of_vanished(str(which), launched, missed, reason)
        if sum(each.group == which.group for each in self._ended) == int(tags[NODES]):
            self._clear(which.group, tags[INSTALLATION])
        return self._ended[which]

    # --- terminate -----------------------------------------------------------------------------

    def terminate(self, instance_id: str) -> None:
        """Ask for the end; what hangs on the machine ends with it. Unknown ids are fine."""
        which = located(instance_id)
        if which and which not in self._ended:
            self._end(which, EndReason.TERMINATED_BY_US)

    def _end(self, which: Located, reason: EndReason) -> None:
        self._reasons.setdefault(which, reason)
        with suppress(NotFound):
            ask = {"force_deletion": True}
            self._api.begin_and_leave("virtual_machines.begin_delete", *which, **ask)


def _instances(group: str, machines: Sequence[Description]) -> list[Instance]:
    """Read machines in the order of their rank."""
    ordered = sorted(machines, key=lambda each: rank_of(each["name"]))
    return [
        Instance(
            id=str(Located(group, each["name"])),
            pool=pool_of(tags_in(each)),
            created_at=created_at(each),
        )
        for each in ordered
    ]
