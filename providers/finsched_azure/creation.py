"""Makes the machines of an attempt: all of them in one zone, or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from finsched.errors import NoAnswer, NoCapacity, ProviderProblem, Throttled
from finsched.provider import LaunchRequest
from finsched.toolbox.error_table import AlreadyThere
from finsched_azure import groups
from finsched_azure.api import Api, Waiting, first_problem
from finsched_azure.errors import problem_from
from finsched_azure.image import Images
from finsched_azure.machine import Node, description
from finsched_azure.names import LAUNCHED, node_name, tags_of
from finsched_azure.network import Networks
from finsched_azure.skus import Sizes
from finsched_azure.status import failure_of, is_alive, is_made

if TYPE_CHECKING:
    from finsched_azure.settings import AzureSettings

UserData = Callable[[int], str]
"""Gives the user data of a rank."""

T = TypeVar("T")

_MOST_TRIES = 4


class Creator:
    """Creates by name and only what is not there, so that every call may be repeated."""

    def __init__(self, api: Api, settings: AzureSettings) -> None:
        self._api = api
        self._identity = settings.identity
        self._sizes = Sizes(api)
        self._images = Images(api, settings.image)
        self._networks = Networks(api, settings.subnets)

    def create(self, request: LaunchRequest, group: str, user_data: UserData) -> None:
        """Create all machines, zone after zone where the offer names none.

        Raises the problem of the last zone; a machine that was made before it is ended then.
        """
        zones = self._sizes.zones(request.offer)
        scripts = [user_data(rank) for rank in range(request.nodes)]
        for zone in zones[:-1]:
            with suppress(NoCapacity):
                return self._create_in(zone, request, group, scripts)
        return self._create_in(zones[-1], request, group, scripts)

    def _create_in(
        self, zone: str, request: LaunchRequest, group: str, scripts: Sequence[str]
    ) -> None:
        try:
            nodes = self._patiently(partial(self._nodes, zone, request, group, scripts))
            begun = [self._patiently(partial(self._begin, request, group, each)) for each in nodes]
            tags = {**tags_of(request), LAUNCHED: datetime.now(UTC).isoformat()}
            self._patiently(partial(groups.put, self._api, group, request.offer.region, tags))
            problem = first_problem(begun, self._api.patience.create_seconds)
            if problem and not isinstance(problem, (NoAnswer, Throttled)):
                raise problem
        except ProviderProblem:
            self._end_part(request, group)
            raise

    def _nodes(
        self, zone: str, request: LaunchRequest, group: str, scripts: Sequence[str]
    ) -> list[Node]:
        """Make what the machines are attached to; a failed machine has taken its own with it."""
        offer = request.offer
        groups.put(self._api, group, offer.region, tags_of(request))
        network = self._networks.for_attempt(request, group)
        fast = self._sizes.of_offer(offer).has_fast_network
        key = key_without_owner()
        interfaces = self._networks.attach(request, group, network, fast=fast)
        return [
            Node(
                rank=rank,
                zone=zone,
                image=self._images.in_region(offer.region),
                interface_id=interface_id,
                identity=self._identity,
                user_data=scripts[rank],
                ssh_public_key=key,
            )
            for rank, interface_id in enumerate(interfaces)
        ]

    def _begin(self, request: LaunchRequest, group: str, node: Node) -> Waiting:
        """Ask for a machine that is not there yet, or watch what an earlier call has begun."""
        from azure.core import MatchConditions  # noqa: PLC0415 - heavy

        which = (group, node_name(node.rank))
        only_new = {"match_condition": MatchConditions.IfMissing}
        body = description(request, node)
        try:
            operation = "virtual_machines.begin_create_or_update"
            return self._api.begin(operation, *which, body, **only_new)
        except AlreadyThere:
            return _Begun(self._api, which)

    def _end_part(self, request: LaunchRequest, group: str) -> None:
        """End at once what was made of an attempt, and wait so that its names are free again."""
        begun = []
        for rank in range(request.nodes):
            with suppress(ProviderProblem):  # what stays is found by its tag
                which = (group, node_name(rank))
                begun.append(
                    self._api.begin("virtual_machines.begin_delete", *which, force_deletion=True)
                )
        first_problem(begun, self._api.patience.delete_seconds)

    def _patiently(self, call: Callable[[], T]) -> T:
        from tenacity import (  # noqa: PLC0415 - only for a launch
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        again = Retrying(
            retry=retry_if_exception_type((NoAnswer, Throttled)),
            wait=wait_random_exponential(self._api.patience.retry_seconds, max=30),
            stop=stop_after_attempt(_MOST_TRIES),
            reraise=True,
        )
        return again(call)


class _Begun:
    """A machine that is being made by a call whose answer nobody has heard."""

    def __init__(self, api: Api, which: tuple[str, str]) -> None:
        self._api = api
        self._which = which

    def wait(self, seconds: float) -> bool:
        """Look once, after a pause; raise what the machine could not be made for."""
        time.sleep(max(seconds, self._api.patience.operation_seconds))
        machine = self._api.call("virtual_machines.get", *self._which, expand="instanceView")
        if is_alive(machine):
            return is_made(machine)
        raise problem_from(*failure_of(machine), "azure")


def key_without_owner() -> str:
    """Return a public key of SSH whose other half nobody has."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only for a launch
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.public_bytes(*form).decode()
