"""Notices as EC2's API gives them: the second witness, beside the metadata on the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from finsched.model.interruption import Notice, NoticeKind
from finsched_aws.api import Api
from finsched_aws.names import Located, by_region
from finsched_aws.spot_requests import SpotRequest, spot_requests

WARNING = timedelta(minutes=2)
_MARKED = ("marked-for-termination", "marked-for-stop")


class AwsNotices:
    """Reads the spot requests of machines; a rebalance recommendation is on the machine only."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def pending(self, ids: Sequence[str]) -> Mapping[str, Notice]:
        """Return the notices that are out for these machines."""
        return {
            str(Located(region, instance_id)): _notice(request)
            for region, instance_ids in by_region(ids).items()
            for instance_id, request in spot_requests(self._api, region, instance_ids).items()
            if request.status in _MARKED
        }


def _notice(request: SpotRequest) -> Notice:
    return Notice(
        kind=NoticeKind.INTERRUPTION,
        seen_at=request.updated_at,
        ends_at=request.updated_at + WARNING,
    )
