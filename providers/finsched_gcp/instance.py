"""What `instances.insert` is asked for: pure, so that it can be read and tested as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from finsched.bootstrap.delivery import latest_end
from finsched.model.market import CapacityType
from finsched.provider import LaunchRequest
from finsched_gcp.api import SCOPE
from finsched_gcp.image import Image
from finsched_gcp.labels import to_labels
from finsched_gcp.machines import Machine
from finsched_gcp.names import instance_name, tags_of
from finsched_gcp.networks import Network

NOTICE_FIELD = "preemption_notice_duration"
NOTICE = timedelta(seconds=120)
_LEAST_RUN = timedelta(minutes=5)
_LONGEST_RUN = timedelta(days=120)  # both as Compute Engine takes them, with room for the call


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and from what the machines of an attempt are made."""

    zone: str
    machine: Machine
    image: Image
    network: Network
    network_tags: tuple[str, ...]
    service_account: str
    with_notice: bool = True


def resource(
    request: LaunchRequest, place: Place, *, rank: int, user_data: str, now: datetime
) -> dict[str, Any]:
    """Return one machine: labelled, closed, ending with its disk, and by the cloud's timer."""
    made: dict[str, Any] = {
        "name": instance_name(request.token, rank),
        "description": f"finsched {request.run}",
        "machine_type": f"zones/{place.zone}/machineTypes/{place.machine.type}",
        "labels": to_labels(tags_of(request)),
        "disks": [_disk(request, place)],
        "network_interfaces": [_interface(place.network)],
        "tags": {"items": list(place.network_tags)},
        "metadata": {"items": _metadata(user_data)},
        "scheduling": scheduling(request, now, with_notice=place.with_notice),
        "shielded_instance_config": _SHIELDED,
        "service_accounts": [{"email": place.service_account, "scopes": [SCOPE]}],
    }
    if place.machine.accelerator:
        kind = f"zones/{place.zone}/acceleratorTypes/{place.machine.accelerator}"
        made["guest_accelerators"] = [
            {"accelerator_type": kind, "accelerator_count": place.machine.count}
        ]
    return made


_SHIELDED = {
    "enable_vtpm": True,
    "enable_integrity_monitoring": True,
    "enable_secure_boot": False,  # the images' GPU drivers are not signed for it
}


def scheduling(request: LaunchRequest, now: datetime, *, with_notice: bool) -> dict[str, Any]:
    """Return how the machine ends: deleted, never stopped, and at its end by the cloud itself."""
    is_spot = request.offer.capacity_type is CapacityType.SPOT
    end = _end(request, now)
    chosen: dict[str, Any] = {
        "provisioning_model": "SPOT" if is_spot else "STANDARD",
        "on_host_maintenance": "TERMINATE",
        "automatic_restart": False,
    }
    if is_spot or end:
        chosen["instance_termination_action"] = "DELETE"
    if is_spot and with_notice:
        chosen[NOTICE_FIELD] = {"seconds": int(NOTICE.total_seconds())}
    if end:
        chosen["termination_time"] = end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return chosen


def _end(request: LaunchRequest, now: datetime) -> datetime | None:
    """Return when Compute Engine deletes it: a moment, because a duration starts anew."""
    end = latest_end(request.node_config)
    return min(max(end, now + _LEAST_RUN), now + _LONGEST_RUN) if end else None


def _disk(request: LaunchRequest, place: Place) -> dict[str, Any]:
    kind = f"zones/{place.zone}/diskTypes/{place.machine.disk_type}"
    return {
        "boot": True,
        "auto_delete": True,
        "initialize_params": {
            "source_image": place.image.link,
            "disk_size_gb": place.image.disk_gib(request.disk_gb),
            "disk_type": kind,
            "labels": to_labels(tags_of(request)),
        },
    }


def _interface(network: Network) -> dict[str, Any]:
    if network.subnet:
        return {"subnetwork": network.subnet}
    way_out = {"type_": "ONE_TO_ONE_NAT", "name": "External NAT"}
    return {"network": network.link, "access_configs": [way_out]}


def _metadata(user_data: str) -> list[dict[str, str]]:
    return [
        {"key": "startup-script", "value": user_data},
        {"key": "block-project-ssh-keys", "value": "TRUE"},
    ]
