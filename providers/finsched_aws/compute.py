"""Machines on EC2: created once per attempt, found again, watched, ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from finsched.errors import NoAnswer, NoCapacity, NoQuota, ProviderProblem, Throttled
from finsched.model.market import Pool
from finsched.provider import Instance, InstanceState, InstanceStatus, LaunchRequest
from finsched.toolbox.error_table import NotFound
from finsched_aws import run_instances
from finsched_aws.api import Api, Description
from finsched_aws.errors import TokenUsed
from finsched_aws.image import Images
from finsched_aws.names import (
    NODES,
    TOKEN,
    Located,
    by_region,
    located,
    pool_of,
    read_tags,
    tag_filter,
)
from finsched_aws.run_instances import Place
from finsched_aws.security_groups import security_group
from finsched_aws.spot_requests import SpotRequest, described_by_instance, spot_requests
from finsched_aws.status import needs_witness, state_of, status_of, status_of_vanished
from finsched_aws.subnets import Subnet, Subnets

if TYPE_CHECKING:
    from finsched_aws.settings import AwsSettings

_MOST_TRIES = 4


class Bootstrap(Protocol):
    """What makes a fresh machine a node."""

    def __call__(self, request: LaunchRequest) -> str:
        """Leave what the machines need where they find it, and return their user data."""
        ...

    def forget(self, request: LaunchRequest) -> None:
        """Delete the secrets that were left for the machines; gone already is fine."""
        ...


class AwsCompute:
    """EC2 in one account; `bootstrap` says what a machine does when it boots."""

    def __init__(self, api: Api, settings: AwsSettings, bootstrap: Bootstrap) -> None:
        self._api = api
        self._images = Images(api, settings.ami)
        self._subnets = Subnets(api, settings.subnets)
        self._instance_profile = settings.instance_profile
        self._bootstrap = bootstrap
        self._tried_in: dict[str, str] = {}  # a token's region, where this process launched it
        self._first_seen_ended: dict[Located, datetime] = {}
        self._with_secrets: dict[frozenset[str], LaunchRequest] = {}  # by the machines' ids

    # --- launch --------------------------------------------------------------------------------

    def launch(self, request: LaunchRequest) -> Sequence[Instance]:
        """Create all nodes in one zone or none, or find those that the token has made.

        Zones are tried one after the other where the offer names none.
        """
        region = request.offer.region
        self._check_region(region)
        self._tried_in[request.token] = region
        made = self._find_in(region, request.token) or self._create_node(request)
        if request.secrets:
            self._with_secrets[frozenset(each.id for each in made)] = request
        return made

    def _check_region(self, region: str) -> None:
        if region not in self._api.regions:
            raise NoQuota(
                f"aws/{region}: the region is not enabled for the account or not in aws.regions",
                fix="enable it at AWS, or add it to aws.regions in the settings",
            )

    def _create_node(self, request: LaunchRequest) -> Sequence[Instance]:
        """Leave nothing behind of a launch that made no machine."""
        try:
            return self._create(request, self._bootstrap(request))
        except (NoAnswer, TokenUsed):  # a machine may be there all the same, and need its secrets
            raise
        except Exception:
            with suppress(ProviderProblem):
                self._bootstrap.forget(request)
            raise

    def _create(self, request: LaunchRequest, user_data: str) -> Sequence[Instance]:
        subnets = self._subnets.for_offer(request.offer)
        for subnet in subnets[:-1]:
            with suppress(NoCapacity):
                return self._create_in(subnet, request, user_data)
        return self._create_in(subnets[-1], request, user_data)

    def _create_in(
        self, subnet: Subnet, request: LaunchRequest, user_data: str
    ) -> Sequence[Instance]:
        from tenacity import (  # noqa: PLC0415 - only for a launch
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        place = Place(  # a group that was just made may be unknown for a moment
            subnet=subnet,
            group_id=security_group(self._api, subnet, request),
            image=self._images.for_type(request.offer.region, request.offer.instance_type.name),
            instance_profile=self._instance_profile,
        )
        again = Retrying(
            retry=retry_if_exception_type((NoAnswer, Throttled, NotFound)),
            wait=wait_random_exponential(self._api.patience.retry_seconds, max=30),
            stop=stop_after_attempt(_MOST_TRIES),
            reraise=True,
        )
        return again(self._create_once, request, place, user_data)

    def _create_once(
        self, request: LaunchRequest, place: Place, user_data: str
    ) -> Sequence[Instance]:
        """Ask once; a lost answer is looked for, and asked for again only under the same token."""
        region = request.offer.region
        asked = run_instances.parameters(request, place, user_data)
        try:
            made = self._api.call(region, "run_instances", once=True, **asked)
        except (NoAnswer, TokenUsed):
            found = self._find_in(region, request.token)
            if not found:
                raise
            return found
        return _instances(region, made["Instances"], request.offer.pool)

    # --- find ----------------------------------------------------------------------------------

    def find(self, token: str) -> Sequence[Instance]:
        """Return what a launch with this token made; looks twice where another process launched."""
        if token in self._tried_in:
            return self._find_in(self._tried_in[token], token)
        found = self._find_anywhere(token)
        if not found:
            time.sleep(self._api.patience.settle_seconds)
            found = self._find_anywhere(token)
        return found

    def _find_anywhere(self, token: str) -> list[Instance]:
        """Ask every region; what a region that does not answer may hold is not nothing."""
        survey = self._api.survey(lambda region: self._find_in(region, token))
        if survey.problems and not survey.found:
            raise survey.problems[0]
        return survey.found

    def _find_in(self, region: str, token: str) -> list[Instance]:
        """Look once more for the rest of a gang: EC2 lists fresh machines late."""
        described = self._described(region, token)
        if described and len(described) < int(read_tags(described[0])[NODES]):
            time.sleep(self._api.patience.settle_seconds)
            described = self._described(region, token)
        return _instances(region, described, pool_of(read_tags(described[0]))) if described else []

    def _described(self, region: str, token: str) -> list[Description]:
        reservations = self._api.listed(
            region, "describe_instances", "Reservations", Filters=[tag_filter(TOKEN, token)]
        )
        return [instance for each in reservations for instance in each["Instances"]]

    # --- poll ----------------------------------------------------------------------------------

    def poll(self, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Return what EC2 says, one call a region; a vanished spot machine by its spot request."""
        statuses = {
            status.id: status
            for region, instance_ids in by_region(ids).items()
            for status in self._poll_in(region, instance_ids)
        }
        self._forget_ended(statuses)
        return statuses

    def _forget_ended(self, statuses: Mapping[str, InstanceStatus]) -> None:
        """A machine may have ended before it read its secrets; those of a gang leave them."""
        states = {each.id: each.state for each in statuses.values()}
        for ids in [*self._with_secrets]:
            if all(states.get(each) is InstanceState.TERMINATED for each in ids):
                with suppress(ProviderProblem):  # a sweep finds what is left
                    self._bootstrap.forget(self._with_secrets.pop(ids))

    def _poll_in(self, region: str, instance_ids: Sequence[str]) -> Iterator[InstanceStatus]:
        reservations = described_by_instance(
            self._api, region, "describe_instances", "Reservations", instance_ids
        )
        listed = {each["InstanceId"]: each for one in reservations for each in one["Instances"]}
        vanished = [own for own in instance_ids if own not in listed]
        silent = [own for own, described in listed.items() if needs_witness(described)]
        witnesses = spot_requests(self._api, region, vanished + silent)
        for own, described in listed.items():
            yield self._status(Located(region, own), described, witnesses.get(own))
        for own in vanished:
            if own in witnesses and (status := status_of_vanished(region, witnesses[own])):
                yield status

    def _status(
        self, which: Located, described: Description, witness: SpotRequest | None
    ) -> InstanceStatus:
        """Where nobody says when a machine ended, it is billed until it was first seen ended."""
        now = datetime.now(UTC)
        if state_of(described) is InstanceState.TERMINATED:
            now = self._first_seen_ended.setdefault(which, now)
        return status_of(str(which), described, witness, now)

    # --- terminate -----------------------------------------------------------------------------

    def terminate(self, instance_id: str) -> None:
        """Ask for the end; an id that EC2 does not know is asked for again at the next poll."""
        for region, own in located([instance_id]):
            with suppress(NotFound):
                self._api.call(region, "terminate_instances", InstanceIds=[own])


def _instances(region: str, described: Sequence[Description], pool: Pool) -> list[Instance]:
    """Read machines in the order of their launch index, which is a gang's rank."""
    ordered = sorted(described, key=lambda each: (each["AmiLaunchIndex"], each["InstanceId"]))
    return [
        Instance(
            id=str(Located(region, each["InstanceId"])),
            pool=pool,
            created_at=each["LaunchTime"],
        )
        for each in ordered
    ]
