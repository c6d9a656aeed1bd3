"""Spot requests: what EC2 says of a spot machine beside the machine itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finsched_aws.api import Api, Description

IDS_PER_CALL = 200  # the most values that a filter may have


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRequest:
    """How the request of a spot machine stands; `status` is EC2's code."""

    instance_id: str
    status: str
    message: str
    created_at: datetime
    updated_at: datetime


def spot_requests(api: Api, region: str, instance_ids: Sequence[str]) -> dict[str, SpotRequest]:
    """Return the spot requests that these machines come from, by machine."""
    described = described_by_instance(
        api, region, "describe_spot_instance_requests", "SpotInstanceRequests", instance_ids
    )
    requests = [_read(each) for each in described]
    return {request.instance_id: request for request in requests}


def described_by_instance(
    api: Api, region: str, operation: str, key: str, instance_ids: Sequence[str]
) -> Iterator[Description]:
    """Yield what is known of machines; a filter leaves unknown ids out where an id would fail."""
    for start in range(0, len(instance_ids), IDS_PER_CALL):
        some = list(instance_ids[start : start + IDS_PER_CALL])
        filters = [{"Name": "instance-id", "Values": some}]
        yield from api.listed(region, operation, key, Filters=filters)


def _read(described: Any) -> SpotRequest:
    status = described["Status"]
    return SpotRequest(
        instance_id=described["InstanceId"],
        status=status["Code"],
        message=status.get("Message", ""),
        created_at=described["CreateTime"],
        updated_at=status.get("UpdateTime", described["CreateTime"]),
    )
