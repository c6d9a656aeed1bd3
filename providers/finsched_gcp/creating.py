"""The create calls of an attempt: every node in one zone, or none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from finsched.errors import InvalidRequest, NotConfigured, ProviderProblem
from finsched.provider import LaunchRequest
from finsched.toolbox.error_table import AlreadyThere
from finsched_gcp.api import Api
from finsched_gcp.errors import PAGE, first_problem
from finsched_gcp.firewalls import make_rules
from finsched_gcp.image import Images
from finsched_gcp.instance import NOTICE_FIELD, Place, resource
from finsched_gcp.machines import machine_of
from finsched_gcp.names import instance_name, region_of, request_id
from finsched_gcp.networks import Networks

if TYPE_CHECKING:
    from finsched_gcp.settings import GcpSettings

_NOTICE_IN_WORDS = "preemptionNoticeDuration"


class Creator:
    """Asks for machines and waits until it is certain what became of each."""

    def __init__(self, api: Api, settings: GcpSettings) -> None:
        self._api = api
        self._images = Images(api, settings.image)
        self._networks = Networks(api, settings.subnets)
        self._service_account = settings.service_account
        self._with_notice = True

    def create(self, request: LaunchRequest, zone: str, user_data: Sequence[str]) -> None:
        """Create all nodes; of a gang that is not whole the part is deleted at once."""
        place = self.place(request, zone)
        asked, problems = [], []
        for rank, script in enumerate(user_data):
            try:
                asked.append(self._insert(request, place, rank, script))
            except ProviderProblem as problem:
                problems.append(problem)
                break
        problems.extend(self._failures(asked))
        first = first_problem(problems)
        if first and request.nodes > 1:
            self._undo(request, zone)
        if first:
            raise first

    def place(self, request: LaunchRequest, zone: str) -> Place:
        """Return where the machines of a request are made; raises what is missing there."""
        if not self._service_account:
            raise NotConfigured(
                "gcp: no service account is set, so a machine could not reach the run's store",
                fix=f"name one as gcp.service_account in the settings; {PAGE} has its roles",
            )
        network = self._networks.in_region(region_of(zone))
        return Place(
            zone=zone,
            machine=machine_of(request.offer.instance_type.name),
            image=self._images.image(),
            network=network,
            network_tags=make_rules(self._api, network, request),
            service_account=self._service_account,
            with_notice=self._with_notice,
        )

    def _insert(self, request: LaunchRequest, place: Place, rank: int, script: str) -> Any:
        """Ask once or again for one node; the id of the request keeps it one."""
        asked = resource(request, place, rank=rank, user_data=script, now=datetime.now(UTC))
        try:
            return self._asked(request, place.zone, rank, asked)
        except AlreadyThere:
            return None
        except InvalidRequest as problem:
            if _NOTICE_IN_WORDS not in problem.message:
                raise
        self._with_notice = False  # the project may not have it yet: less warning, but a machine
        del asked["scheduling"][NOTICE_FIELD]
        return self._asked(request, place.zone, rank, asked, "without a notice")

    def _asked(
        self, request: LaunchRequest, zone: str, rank: int, asked: Any, variant: str = ""
    ) -> Any:
        return self._api.call(
            "Instances",
            "insert_unary",
            zone=zone,
            instance_resource=asked,
            request_id=request_id(request, zone, rank, variant),
        )

    def _failures(self, operations: Sequence[Any]) -> list[ProviderProblem]:
        """Wait for every operation: what is still under way could not be undone."""
        problems = []
        for operation in operations:
            try:
                if operation is not None:
                    self._api.completed(operation)
            except AlreadyThere:
                continue
            except ProviderProblem as problem:
                problems.append(problem)
        return problems

    def _undo(self, request: LaunchRequest, zone: str) -> None:
        for rank in range(request.nodes):
            name = instance_name(request.token, rank)
            with suppress(ProviderProblem):  # its own timer and a sweep are left
                self._api.call("Instances", "delete_unary", zone=zone, instance=name)
